"""The control API: HTTP and JSON on the daemon's Unix socket, for the CLI and the dashboard.

May import supervisor, monitor and everything below them.
"""

API_VERSION = 2
VERSION_HEADER = "X-Sparkwell-Api"
