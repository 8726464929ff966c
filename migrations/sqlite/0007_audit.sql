-- What happened, who did it and to whom. It outlives the accounts that it tells of, so nothing here refers to them.
create table audit_events (
    id blob not null primary key,
    at text not null,
    event text not null,
    -- Null: nobody who is known, or the service itself.
    actor_id blob,
    user_id blob,
    ip text,
    user_agent text,
    details text not null,
    -- Its place in the chain; null until it is sealed, shortly after its commit.
    seq integer unique,
    -- A MAC of the row; once it is sealed, of the row and of the hash before it.
    hash blob not null
) strict;

create index audit_events_by_user on audit_events (user_id, id);
create index audit_events_by_time on audit_events (at);
create index audit_events_unsealed on audit_events (id) where seq is null;

-- One row: where the chain begins and ends. Who seals or prunes holds it.
create table audit_head (
    id integer not null primary key check (id = 1),
    -- The key of all the hashes, encrypted under the secret.
    key blob not null,
    -- The last row that was sealed.
    seq integer not null,
    last_id blob,
    hash blob not null,
    -- The last row that was pruned, which the oldest one left follows.
    anchor_seq integer not null,
    anchor_hash blob not null,
    -- A MAC of these five.
    mac blob not null
) strict;
