-- The two roles that every query runs as, whatever login was given. Neither can bypass row-level security.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['maya_app', 'maya_system'] loop
        if not exists (select from pg_roles where rolname = wanted) then
            begin
                execute format('create role %I nologin nosuperuser nobypassrls nocreatedb nocreaterole', wanted);
            exception when duplicate_object or unique_violation then
                null; -- another database of this server was migrated at the same moment
            end;
        end if;
        if not pg_has_role(current_user, wanted, 'member') then
            execute format('grant %I to current_user', wanted);
        end if;
    end loop;
end
$$;

create extension if not exists vector;

-- The tenant of this transaction; null (and so equal to nothing) where none was set.
create function maya_tenant() returns uuid
    language sql stable parallel safe
    return nullif(current_setting('maya.tenant', true), '')::uuid;

-- Makes a table a tenant's: forced row-level security, visible to maya_app only with that tenant's id set.
create procedure maya_make_tenant_table(name text)
    language plpgsql as $$
begin
    execute format('alter table %I enable row level security', name);
    execute format('alter table %I force row level security', name);
    execute format(
        'create policy tenant on %I to maya_app using (tenant_id = maya_tenant()) with check (tenant_id = maya_tenant())',
        name
    );
end
$$;

grant usage on schema public to maya_app, maya_system;
