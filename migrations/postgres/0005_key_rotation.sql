-- The OAuth client that named itself when the session began (RFC 6749 section 2.2); null: none did. First, as an older version
-- that still runs takes sessions before changes.
alter table sessions add column client_id text;

-- Which key signs follows from these and the time alone, so that replicas agree without a word: of the keys whose signs_from
-- has come, the one with the highest number. The others verify until the last token that they signed has expired.
drop index signing_keys_active;
alter table signing_keys drop column state;
-- The public half is derived from the private one.
alter table signing_keys drop column jwk;
-- Who makes the next key takes the next number: of replicas that do so at once, one makes it.
alter table signing_keys add column number bigint unique;
alter table signing_keys add column signs_from timestamptz;
-- The longest lifetime of its tokens, in seconds: for so long it verifies after it has signed. What it was so far is not known.
alter table signing_keys add column longest_ttl bigint not null default 86400;
alter table signing_keys alter column longest_ttl drop default;
update signing_keys k set signs_from = created_at,
    number = (select count(*) from signing_keys o where (o.created_at, o.kid) <= (k.created_at, k.kid));
alter table signing_keys alter column number set not null;
alter table signing_keys alter column signs_from set not null;

-- Null: the change is one of the signing keys, not of a user.
alter table changes alter column user_id drop not null;
