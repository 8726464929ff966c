"""What can be measured, by name, in the order in which a whole run does it. Each is a function from a `Bench` to rows."""

from . import forward_auth, instructions, logins, me, memory, metering, one_login, peers, refreshes, scale, silence, size, start, tokens, under_logins

PARTS = {
    "me": me.measure,
    "forward-auth": forward_auth.measure,
    "instructions": instructions.measure,
    "tokens": tokens.measure,
    "metering": metering.measure,
    "under-logins": under_logins.measure,
    "logins": logins.measure,
    "one-login": one_login.measure,
    "refreshes": refreshes.measure,
    "memory": memory.measure,
    "start": start.measure,
    "silence": silence.measure,
    "size": size.measure,
    "peers": peers.measure,
}

# What takes too long for a whole run.
ALONE = {"scale": scale.measure}
