create table outbox (
    seq bigint generated always as identity primary key,
    tenant_id uuid not null references tenants,
    event_id uuid not null,
    topic text not null,
    key text not null,
    partition integer,
    headers jsonb not null,
    payload bytea not null,
    created_at timestamptz not null default now(),
    published_at timestamptz
);
create index outbox_waiting on outbox (seq) where published_at is null;
create index outbox_published on outbox (published_at) where published_at is not null;
call maya_make_tenant_table('outbox');
grant insert on outbox to maya_app;
create policy system on outbox to maya_system using (true) with check (true);
grant select, insert, update, delete on outbox to maya_system;

create table inbox (
    seq bigint generated always as identity primary key,
    consumer text not null,
    event_id uuid not null,
    tenant_id uuid not null,
    topic text not null,
    key text not null,
    headers jsonb not null,
    payload bytea not null,
    received_at timestamptz not null default now(),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    last_error text,
    done_at timestamptz,
    unique (consumer, event_id)
);
create index inbox_waiting on inbox (consumer, topic, key, seq) where done_at is null;
create index inbox_done on inbox (done_at) where done_at is not null;
call maya_make_tenant_table('inbox');
-- the work that an event asks for marks the event done in its own transaction
grant select (seq, tenant_id, done_at), update (done_at, payload, last_error) on inbox to maya_app;
create policy system on inbox to maya_system using (true) with check (true);
grant select, insert, update, delete on inbox to maya_system;

create table webhook_endpoints (
    id uuid primary key,
    tenant_id uuid not null references tenants,
    url text not null,
    -- sealed, as is the one before it, which signs too until the receiver has had time to change over
    secret bytea not null,
    previous_secret bytea,
    previous_secret_until timestamptz,
    types text[] not null default '{}',
    enabled boolean not null default true,
    -- why we disabled it ourselves: its receiver answered 410
    disabled_reason text,
    created_at timestamptz not null
);
call maya_make_tenant_table('webhook_endpoints');
grant select, insert, update, delete on webhook_endpoints to maya_app;

create table webhook_messages (
    id uuid primary key,
    tenant_id uuid not null references tenants,
    interview_id uuid,
    type text not null,
    -- text, not jsonb: every attempt signs and sends the same bytes
    body text not null,
    created_at timestamptz not null
);
create index on webhook_messages (tenant_id, id);
call maya_make_tenant_table('webhook_messages');
grant select, insert on webhook_messages to maya_app;

create table webhook_deliveries (
    id uuid primary key,
    tenant_id uuid not null references tenants,
    message_id uuid not null references webhook_messages on delete cascade,
    -- null: the request's callbackUrl, signed with the tenant's secret
    endpoint_id uuid references webhook_endpoints on delete cascade,
    url text not null,
    state text not null default 'PENDING' check (state in ('PENDING', 'DELIVERED', 'FAILED')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    created_at timestamptz not null,
    delivered_at timestamptz
);
create index webhook_deliveries_due on webhook_deliveries (next_attempt_at) where state = 'PENDING';
create index on webhook_deliveries (tenant_id, message_id);
call maya_make_tenant_table('webhook_deliveries');
grant select, insert, update on webhook_deliveries to maya_app;
create policy system on webhook_deliveries to maya_system using (true) with check (true);
grant select, update (state, attempts, next_attempt_at) on webhook_deliveries to maya_system;

create table webhook_attempts (
    id bigint generated always as identity primary key,
    tenant_id uuid not null references tenants,
    delivery_id uuid not null references webhook_deliveries on delete cascade,
    at timestamptz not null,
    status integer,
    error text,
    duration_ms bigint not null
);
create index on webhook_attempts (delivery_id, id);
call maya_make_tenant_table('webhook_attempts');
grant select, insert on webhook_attempts to maya_app;
