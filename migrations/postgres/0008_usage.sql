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
