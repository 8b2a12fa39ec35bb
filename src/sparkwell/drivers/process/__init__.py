"""The process driver: each engine runs natively, under a shim of its own.

driver.py is the Driver protocol; beside it: launcher.py (starts a shim, detached), client.py
(asks it over its control socket), folder.py (one instance's records, and whether its shim
lives), lifetime.py (what lives in a folder,
how it ends), remains.py (ends what a killed shim left), follower.py (log lines as they come),
sockets.py (where the Unix sockets lie), inherited.py (the few variables an engine inherits),
records.py (specs and exit records as JSON), and shim/, a program that imports nothing of ours.
"""

from sparkwell.drivers.process.driver import ProcessDriver

__all__ = ["ProcessDriver"]
