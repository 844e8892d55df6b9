with fence as (
    update placements
    set batch = $3,
        position = case when $6 then null else coalesce($4, position) end,
        incarnation = case when $6 then null else coalesce($5, incarnation) end,
        said_turn = coalesce($20, said_turn),
        said_sentences = coalesce($21, said_sentences),
        state = case when $6 then 'ENDED' else state end,
        owner = case when $6 or $22 then null else owner end,
        updated_at = now()
    where session_id = $1 and epoch = $2 and state = 'LIVE'
    returning tenant_id, session_id, interview_id, partition, epoch
),
agreed as (
    update sessions set consent = $7 from fence where sessions.id = fence.session_id and $7 is not null
),
recorded as (
    insert into turns (tenant_id, session_id, interview_id, turn, speaker, text, started_at, ended_at, context, epoch)
    select fence.tenant_id, fence.session_id, fence.interview_id, said.*, fence.epoch
    from fence, unnest($8::integer[], $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::jsonb[]) as said
    on conflict (session_id, turn) do update
    set text = excluded.text, ended_at = excluded.ended_at, context = excluded.context, epoch = excluded.epoch
    where turns.speaker = excluded.speaker and (turns.speaker = 'MAYA' or turns.text = excluded.text)
    returning turn
),
told as (
    insert into outbox (tenant_id, event_id, topic, key, partition, headers, payload)
    select fence.tenant_id, event.id, event.topic, event.key,
           case when event.in_partition then fence.partition end, event.headers, event.payload
    from fence, unnest($14::uuid[], $15::text[], $16::text[], $17::boolean[], $18::jsonb[], $19::bytea[])
        with ordinality as event (id, topic, key, in_partition, headers, payload, place)
    order by event.place
)
select (select count(*) from fence) as owned, (select count(*) from recorded) as recorded
