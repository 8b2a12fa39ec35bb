"""The names in an instance's folder, and JSON that is written whole or not at all."""
# ruff: noqa: PTH105, PTH108, PTH118, PTH123 - pathlib would cost every shim a megabyte

import json
import os

LAUNCH = "launch.json"  # what to run: written by the driver, once
SHIM = "shim.json"  # who runs it: written by the shim before the engine's first instruction
DESCENDANTS = "descendants.json"  # (pid, start ticks) of all that descends from the shim
EXIT = "exit.json"  # how it ended: written when no process is left
LOG = "engine.log"
ERRORS = "shim.err"  # why the shim itself failed, if it did
LOCK = "shim.lock"  # locked for as long as the shim lives
CONTROL_SOCKET = "shim.sock"
ENGINE_SOCKET = "engine.sock"


def write_json(path: str, value: object) -> None:
    """Replace the file at ``path`` (mode 0600) atomically; raises OSError.

    A reader sees the old document or the new one, never half of one. It is not synced: after a
    power failure the boot id differs, and then no record of a running process counts anyway.
    """
    draft = f"{path}.{os.getpid()}.tmp"
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(value, file)
        os.replace(draft, path)
    except OSError:
        remove(draft)
        raise


def read_json(path: str) -> dict[str, object] | None:
    """Read the JSON object at ``path``; None when there is none or it is not one."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def remove(path: str) -> None:
    """Remove a file that may not be there."""
    try:
        os.unlink(path)
    except OSError:
        return


def join(folder: str, name: str) -> str:
    """Give the path of one of the names above in ``folder``."""
    return os.path.join(folder, name)
