-- Wrong passwords, counted for an account and a network, for an account, and for a network: under a MAC of which, so that
-- what was typed as a name is not kept.
create table guesses (
    id blob not null primary key,
    failures integer not null,
    -- Microseconds since the epoch: both databases count with it alike.
    failed_at integer not null
) strict;

create index guesses_by_time on guesses (failed_at);

-- Networks from which an account has logged in, under a MAC of both.
create table known_networks (
    id blob not null primary key,
    used_at text not null
) strict;

create index known_networks_by_time on known_networks (used_at);
