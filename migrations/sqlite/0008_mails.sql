-- Mails on their way out: inserted in the transaction that they tell of, deleted once they are sent.
create table mails (
    id blob not null primary key,
    template text not null,
    -- To whom and with what, encrypted under the secret: a mail holds one-time links.
    sealed blob not null,
    created_at text not null,
    -- When it is to be sent. Who sends it moves this on first, by more than that takes.
    due_at text not null,
    attempts integer not null,
    -- Not sent after this.
    expires_at text,
    last_error text,
    -- When it was given up.
    failed_at text
) strict;

create index mails_due on mails (due_at) where failed_at is null;
