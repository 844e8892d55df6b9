-- The seeded catalogue: shared and read-only.
create table catalogue_skills (
    name text primary key,
    domain text not null,
    description text not null,
    aliases text[] not null,
    -- names the embedding model; vectors of two models are never compared
    space text not null,
    embedding vector(384) not null
);
create index on catalogue_skills using hnsw (embedding vector_cosine_ops);
grant select on catalogue_skills to maya_app;
grant select, insert, update, delete on catalogue_skills to maya_system;

create table skills (
    id uuid primary key,
    tenant_id uuid not null references tenants,
    name text not null,
    description text not null default '',
    aliases text[] not null default '{}',
    space text,
    embedding vector(384),
    created_at timestamptz not null,
    unique (tenant_id, name)
);
create index on skills using hnsw (embedding vector_cosine_ops);
call maya_make_tenant_table('skills');
grant select, insert, update, delete on skills to maya_app;
