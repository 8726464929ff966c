-- Wrong passwords, counted for an account and a network, for an account, and for a network: under a MAC of which, so that
-- what was typed as a name is not kept.
create table guesses (
    id bytea primary key,
    failures bigint not null,
    -- Microseconds since the epoch: both databases count with it alike.
    failed_at bigint not null
);

create index guesses_by_time on guesses (failed_at);

-- Networks from which an account has logged in, under a MAC of both.
create table known_networks (
    id bytea primary key,
    used_at timestamptz not null
);

create index known_networks_by_time on known_networks (used_at);
