"""The compose driver: each engine runs in a container of its own, under Docker.

driver.py is the Driver protocol; beside it: rendering.py (a spec as a Compose file), starting.py
(what could be in the way, then `docker compose up`), command.py (runs Docker's commands), api.py
(the Engine API), seen.py (containers as values), lifetime.py (what lives, how it ends), saving.py
(the log, before a container is removed), follower.py and frames.py (log lines as they come),
folder.py (one instance's records), processes.py (pids on the host), ports.py, faults.py (Docker's
refusals in words), and images.py with pulling.py (fetching an image).
"""

from sparkwell.drivers.compose.driver import ComposeDriver

__all__ = ["ComposeDriver"]
