-- What a mailed link may do, once. A newer one replaces the older.
create table links (
    user_id uuid not null references users (id) on delete cascade,
    purpose text not null,
    -- Of the token, which is in the mail alone.
    digest bytea not null unique,
    -- The address that it was sent to, which is the user's, or is to become it.
    email text not null,
    email_key text collate "C" not null,
    -- Of the address that the user had when it was made: a change of another is void.
    email_key_before text collate "C",
    -- The user's when it was made: another password makes it void.
    password_version bigint not null,
    -- Who asked for it; null for who was not logged in.
    session_id uuid,
    expires_at timestamptz not null,
    primary key (user_id, purpose)
);

create index links_by_end on links (expires_at);

-- Requests for a link by who gave an address, which may be nobody's: that is looked up later, so that the answer can't tell.
create table link_requests (
    id uuid primary key,
    purpose text not null,
    email_key text not null,
    ip text,
    user_agent text
);
