-- What happened to actors in the last hour: ids and reasons, nothing of a person, and so of no tenant. It outlives the
-- session and the node that it tells of. A lost row costs an operator a line, never a candidate a word.
create table supervision_events (
    id bigint generated always as identity primary key,
    -- by the node's clock, for people; ages are counted by the database's
    at timestamptz not null,
    written_at timestamptz not null default now(),
    node text not null,
    session_id uuid,
    interview_id uuid,
    epoch bigint,
    actor text not null,
    what text not null check (what in
        ('STARTED', 'FELL', 'RESTARTED', 'GIVEN_UP', 'TAKEN_OVER', 'FENCED', 'STUCK', 'DRAINED', 'MOVED', 'ENDED')),
    reason text not null
);
create index on supervision_events (session_id, id) where session_id is not null;
create index on supervision_events (node, id);
create index on supervision_events (written_at);
grant select, insert, delete on supervision_events to maya_system;
