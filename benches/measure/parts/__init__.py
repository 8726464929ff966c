"""What can be measured, by name, in the order in which a whole run does it. Each is a function from a `Bench` to rows."""

from . import instructions, logins, me, memory, one_login, peers, refreshes, size, start, tokens, under_logins

PARTS = {
    "size": size.measure,
    "start": start.measure,
    "me": me.measure,
    "instructions": instructions.measure,
    "tokens": tokens.measure,
    "memory": memory.measure,
    "under-logins": under_logins.measure,
    "one-login": one_login.measure,
    "logins": logins.measure,
    "refreshes": refreshes.measure,
    "peers": peers.measure,
}

# Which need a Postgres.
NEED_POSTGRES = {"start", "refreshes"}
