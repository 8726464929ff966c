-- One row: tells whether the database belongs to the SECRET_KEY at hand.
create table secret_fingerprint (
    id bigint primary key check (id = 1),
    fingerprint bytea not null,
    created_at timestamptz not null
);

create table signing_keys (
    kid text primary key,
    algorithm text not null,
    state text not null,
    -- The public half, as a JWK (RFC 7517).
    jwk jsonb not null,
    -- PKCS #8, encrypted under the secret.
    private_key bytea not null,
    created_at timestamptz not null
);

-- Replicas that start at once agree on one key an algorithm.
create unique index signing_keys_active on signing_keys (algorithm) where state = 'active';
