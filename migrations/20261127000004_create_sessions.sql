create table sessions (
    id uuid primary key,
    tenant_id uuid not null references tenants,
    interview_id uuid not null unique references interviews on delete cascade,
    partition integer not null,
    plan_version bigint not null,
    -- the opening words, worded before the candidate joins
    opening jsonb,
    join_generation integer not null default 0,
    consent jsonb,
    started_at timestamptz,
    ended_at timestamptz,
    outcome text,
    reason text,
    created_at timestamptz not null
);
call maya_make_tenant_table('sessions');
grant select, insert, update, delete on sessions to maya_app;

-- The fence: who owns a session. Only `set epoch = epoch + 1 where epoch = $seen` makes an owner, and every
-- fenced write locks this row and fails unless the epoch is its own.
create table placements (
    session_id uuid primary key references sessions on delete cascade,
    tenant_id uuid not null references tenants,
    interview_id uuid not null,
    partition integer not null,
    owner text,
    epoch bigint not null default 0,
    state text not null default 'READY' check (state in ('READY', 'LIVE', 'ENDED')),
    -- all audio before it is recorded or judged silence; names the log's incarnation
    position bigint,
    incarnation text,
    updated_at timestamptz not null default now()
);
create index placements_live on placements (partition) where state = 'LIVE';
call maya_make_tenant_table('placements');
grant select, insert, update, delete on placements to maya_app;
create policy system on placements to maya_system using (true) with check (true);
grant select, update on placements to maya_system;

create table turns (
    tenant_id uuid not null references tenants,
    session_id uuid not null references sessions on delete cascade,
    interview_id uuid not null,
    turn integer not null,
    speaker text not null check (speaker in ('CANDIDATE', 'MAYA')),
    text text not null,
    started_at timestamptz not null,
    ended_at timestamptz not null,
    context jsonb not null,
    epoch bigint not null,
    primary key (session_id, turn)
);
create index on turns (interview_id, turn);
call maya_make_tenant_table('turns');
grant select, insert, update, delete on turns to maya_app;

create table recordings (
    id uuid primary key,
    tenant_id uuid not null references tenants,
    interview_id uuid not null references interviews on delete cascade,
    session_id uuid not null,
    kind text not null check (kind in ('VIDEO', 'AUDIO')),
    started_at timestamptz not null,
    ended_at timestamptz not null,
    object text not null unique,
    media_type text not null,
    bytes bigint not null,
    sha256 bytea not null,
    -- how to go on with the stream after this object, should the recorder die
    resume jsonb,
    created_at timestamptz not null
);
create index on recordings (interview_id, started_at);
call maya_make_tenant_table('recordings');
grant select, insert, delete on recordings to maya_app;
