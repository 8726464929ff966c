-- Which key signs follows from these and the time alone, so that replicas agree without a word: of the keys whose signs_from
-- has come, the one with the highest number. The others verify until the last token that they signed has expired.
create table numbered_keys (
    kid text not null primary key,
    algorithm text not null,
    -- PKCS #8, encrypted under the secret; of HS256 the secret itself. The public half is derived from it.
    private_key blob not null,
    created_at text not null,
    -- Who makes the next key takes the next number: of replicas that do so at once, one makes it.
    number integer not null unique,
    signs_from text not null,
    -- The longest lifetime of its tokens, in seconds: for so long it verifies after it has signed. What it was so far is not
    -- known.
    longest_ttl integer not null
) strict;

insert into numbered_keys
    select kid, algorithm, private_key, created_at, row_number() over (order by created_at, kid), created_at,
        86400
    from signing_keys;
drop table signing_keys;
alter table numbered_keys rename to signing_keys;

create table changes_of_all (
    seq integer not null primary key,
    at text not null,
    reason text not null,
    -- Null: the change is one of the signing keys, not of a user.
    user_id blob,
    -- Null: all of the user's sessions.
    session_id blob
) strict;

insert into changes_of_all select seq, at, reason, user_id, session_id from changes;
drop table changes;
alter table changes_of_all rename to changes;

-- The OAuth client that named itself when the session began (RFC 6749 section 2.2); null: none did.
alter table sessions add column client_id text;
