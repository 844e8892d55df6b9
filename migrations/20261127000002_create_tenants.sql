create table tenants (
    tenant_id uuid primary key,
    name text not null,
    email text,
    -- seals the secret that signs what goes to a request's callbackUrl
    webhook_secret bytea not null,
    settings jsonb not null default '{}',
    created_at timestamptz not null default now()
);
call maya_make_tenant_table('tenants');
create policy system on tenants to maya_system using (true) with check (true);
grant select, update (name, email, webhook_secret, settings) on tenants to maya_app;
grant select, insert on tenants to maya_system;

create table users (
    id uuid primary key,
    tenant_id uuid not null references tenants,
    email text not null,
    role text not null check (role in ('ADMIN', 'RECRUITER', 'VIEWER', 'OPERATOR')),
    created_at timestamptz not null default now(),
    unique (tenant_id, email)
);
call maya_make_tenant_table('users');
grant select, insert, update, delete on users to maya_app;

create table api_keys (
    id uuid primary key,
    tenant_id uuid not null references tenants,
    name text not null default '',
    prefix text not null,
    hash bytea not null unique,
    role text not null check (role in ('ADMIN', 'RECRUITER', 'VIEWER', 'OPERATOR')),
    scopes text[] not null default '{}',
    expires_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz not null default now()
);
call maya_make_tenant_table('api_keys');
create policy system on api_keys to maya_system using (true) with check (true);
grant select, insert, update on api_keys to maya_app;
grant select, insert on api_keys to maya_system;

create table audit_log (
    id bigint generated always as identity primary key,
    tenant_id uuid not null references tenants,
    interview_id uuid,
    at timestamptz not null,
    actor text not null,
    action text not null,
    from_state text,
    to_state text,
    detail jsonb not null default '{}'
);
create index on audit_log (tenant_id, interview_id, id);
call maya_make_tenant_table('audit_log');
-- append-only: nobody may update or delete
grant select, insert on audit_log to maya_app;

create table idempotency_keys (
    tenant_id uuid not null references tenants,
    key text not null,
    request_hash bytea not null,
    status integer not null,
    response jsonb not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, key)
);
call maya_make_tenant_table('idempotency_keys');
grant select, insert on idempotency_keys to maya_app;
create policy system on idempotency_keys to maya_system using (true);
grant select (tenant_id, key, created_at), delete on idempotency_keys to maya_system;
