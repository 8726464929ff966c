-- Mails on their way out: inserted in the transaction that they tell of, deleted once they are sent.
create table mails (
    id uuid primary key,
    template text not null,
    -- To whom and with what, encrypted under the secret: a mail holds one-time links.
    sealed bytea not null,
    created_at timestamptz not null,
    -- When it is to be sent. Who sends it moves this on first, by more than that takes.
    due_at timestamptz not null,
    attempts bigint not null,
    -- Not sent after this.
    expires_at timestamptz,
    last_error text,
    -- When it was given up.
    failed_at timestamptz
);

create index mails_due on mails (due_at) where failed_at is null;
