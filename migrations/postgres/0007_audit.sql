-- What happened, who did it and to whom. It outlives the accounts that it tells of, so nothing here refers to them.
create table audit_events (
    id uuid primary key,
    at timestamptz not null,
    event text not null,
    -- Null: nobody who is known, or the service itself.
    actor_id uuid,
    user_id uuid,
    ip text,
    user_agent text,
    details jsonb not null,
    -- Its place in the chain; null until it is sealed, shortly after its commit.
    seq bigint unique,
    -- A MAC of the row; once it is sealed, of the row and of the hash before it.
    hash bytea not null
);

create index audit_events_by_user on audit_events (user_id, id);
create index audit_events_by_time on audit_events (at);
create index audit_events_unsealed on audit_events (id) where seq is null;

-- One row: where the chain begins and ends. Who seals or prunes holds it.
create table audit_head (
    id bigint primary key check (id = 1),
    -- The key of all the hashes, encrypted under the secret.
    key bytea not null,
    -- The last row that was sealed.
    seq bigint not null,
    last_id uuid,
    hash bytea not null,
    -- The last row that was pruned, which the oldest one left follows.
    anchor_seq bigint not null,
    anchor_hash bytea not null,
    -- A MAC of these five.
    mac bytea not null
);
