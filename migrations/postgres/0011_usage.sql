-- What programs show in place of an access token. Of the text itself only its digest is kept.
create table api_keys (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    -- SHA-256 of the text, which has 256 random bits.
    digest bytea not null unique,
    -- How the text begins: too little to guess the rest, enough to tell one from another.
    prefix text not null,
    name text not null,
    -- The only roles of the user's that it may use, joined by commas; null: all that the user has.
    roles text,
    created_at timestamptz not null,
    -- Null: never.
    expires_at timestamptz,
    -- Null: never yet. To the minute or so.
    last_used_at timestamptz,
    -- Kept for a while, so that who still comes with it is told that it is over.
    deleted_at timestamptz
);

create index api_keys_by_user on api_keys (user_id, id);

-- How many requests a user made for a service on a day.
create table usage (
    user_id uuid not null references users (id) on delete cascade,
    -- Days since 1970-01-01, UTC.
    day bigint not null,
    -- A host name in lower case; `portcullis` for what the service answers itself.
    service text collate "C" not null,
    -- With which API key; all zeros for sessions. What a key was used for stays when it is deleted.
    key_id uuid not null,
    requests bigint not null,
    primary key (user_id, day, service, key_id)
);

create index usage_by_day on usage (day);

-- How many requests a user may make, and how many of them replicas have taken to let through.
create table quotas (
    user_id uuid primary key references users (id) on delete cascade,
    requests bigint not null,
    -- 'day' or 'month', UTC.
    per text not null,
    -- Another one with each change.
    version bigint not null,
    -- The first day of the present day or month, in days since 1970-01-01.
    window_start bigint not null,
    -- Of that day or month; what is not needed is given back.
    taken bigint not null,
    -- What was taken last.
    granted bigint not null
);
