create table sessions (
    id blob not null primary key,
    user_id blob not null references users (id) on delete cascade,
    -- The generation of the refresh token that is valid now.
    generation integer not null,
    -- The highest generation of which the service has seen a token come back.
    arrived integer not null,
    -- When the latest generations replaced the ones before them: microseconds since the epoch, newest first.
    rotations text not null,
    created_at text not null,
    last_used_at text not null,
    -- Ends unused then; each refresh moves it, but never past ends_by.
    expires_at text not null,
    ends_by text not null,
    ended_at text,
    ip text,
    user_agent text
) strict;

create index sessions_by_user on sessions (user_id, id);

-- What took rights away, in the order it happened; who holds tokens in memory follows it.
create table changes (
    seq integer not null primary key autoincrement,
    at text not null,
    reason text not null,
    user_id blob not null,
    -- Null: all of the user's sessions.
    session_id blob
) strict;
