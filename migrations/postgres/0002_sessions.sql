create table sessions (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    -- The generation of the refresh token that is valid now.
    generation bigint not null,
    -- The highest generation of which the service has seen a token come back.
    arrived bigint not null,
    -- When the latest generations replaced the ones before them: microseconds since the epoch, newest first.
    rotations text not null,
    created_at timestamptz not null,
    last_used_at timestamptz not null,
    -- Ends unused then; each refresh moves it, but never past ends_by.
    expires_at timestamptz not null,
    ends_by timestamptz not null,
    ended_at timestamptz,
    ip text,
    user_agent text
);

create index sessions_by_user on sessions (user_id, id);

-- What took rights away, in the order it happened; who holds tokens in memory follows it.
create table changes (
    seq bigint generated always as identity primary key,
    at timestamptz not null,
    reason text not null,
    user_id uuid not null,
    -- Null: all of the user's sessions.
    session_id uuid
);
