create table interviews (
    id uuid primary key,
    tenant_id uuid not null references tenants,
    state text not null,
    state_reason text,
    version bigint not null default 1,
    brief jsonb not null,
    missing jsonb not null default '[]',
    waived text[] not null default '{}',
    external_id text,
    candidate text,
    expires_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz
);
create index on interviews (tenant_id, id desc);
create index on interviews (tenant_id, state, id desc);
create index interviews_expiring on interviews (expires_at)
    where state in ('RECEIVED', 'INFO_NEEDED', 'VALIDATING_SKILLS', 'PENDING', 'APPROVED', 'IN_PROGRESS');
create index interviews_stuck on interviews (updated_at) where state in ('VALIDATING_SKILLS', 'COMPLETED', 'ABANDONED', 'ASSESSING');
call maya_make_tenant_table('interviews');
grant select, insert, update, delete on interviews to maya_app;
-- expiry and stuck work precede the tenant: ids and times, nothing of the person
create policy system on interviews for select to maya_system using (true);
grant select (id, tenant_id, state, version, expires_at, updated_at, deleted_at) on interviews to maya_system;

create table plans (
    tenant_id uuid not null references tenants,
    interview_id uuid not null references interviews on delete cascade,
    version bigint not null,
    plan jsonb not null,
    approved_at timestamptz,
    approved_by text,
    created_at timestamptz not null,
    primary key (interview_id, version)
);
call maya_make_tenant_table('plans');
grant select, insert, update, delete on plans to maya_app;

create table tasks (
    id uuid primary key,
    tenant_id uuid not null references tenants,
    interview_id uuid not null references interviews on delete cascade,
    kind text not null check (kind in ('INFO_NEEDED', 'PLAN_REVIEW', 'ASSESSMENT_REVIEW')),
    state text not null default 'OPEN' check (state in ('OPEN', 'DONE')),
    created_at timestamptz not null,
    done_at timestamptz,
    done_by text
);
create index on tasks (tenant_id, state, id);
create unique index tasks_one_open on tasks (interview_id, kind) where state = 'OPEN';
call maya_make_tenant_table('tasks');
grant select, insert, update, delete on tasks to maya_app;

create table assessments (
    tenant_id uuid not null references tenants,
    interview_id uuid not null references interviews on delete cascade,
    version bigint not null,
    assessment jsonb not null,
    approved_at timestamptz,
    approved_by text,
    created_at timestamptz not null,
    primary key (interview_id, version)
);
call maya_make_tenant_table('assessments');
grant select, insert, update, delete on assessments to maya_app;
