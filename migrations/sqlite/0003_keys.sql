-- One row: tells whether the database belongs to the SECRET_KEY at hand.
create table secret_fingerprint (
    id integer not null primary key check (id = 1),
    fingerprint blob not null,
    created_at text not null
) strict;

create table signing_keys (
    kid text not null primary key,
    algorithm text not null,
    state text not null,
    -- The public half, as a JWK (RFC 7517).
    jwk text not null,
    -- PKCS #8, encrypted under the secret.
    private_key blob not null,
    created_at text not null
) strict;

-- Replicas that start at once agree on one key an algorithm.
create unique index signing_keys_active on signing_keys (algorithm) where state = 'active';
