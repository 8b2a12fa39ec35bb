"""Several gateway processes on one port: each asks the daemon for leases over a Unix socket.

    worker: GatewayServer ── Remote (a Backend, a KeyBook, a Turnstile) ── Link
    daemon: Hub ── Holdings, one for each worker ── Backend and Turnstile of the daemon

What a request needs at once (names, keys) a worker has as a copy; what changes something (a lease,
a key's limits, what was used) is done in the daemon alone.
"""
