"""The names in the guard's folder, targets.json as values, JSON written whole or not at all."""
# ruff: noqa: PTH105, PTH108, PTH118, PTH123 - pathlib would cost the guard a megabyte

import json
import os

from .judge import Target
from .rules import Limits

TARGETS = "targets.json"  # limits and targets: written by the daemon
TRIPS = "trips.jsonl"  # one object a decision: appended by the guard
OLD_TRIPS = "trips.jsonl.1"
GUARD = "guard.json"  # who guards, and how well: written by the guard
LOCK = "guard.lock"  # locked for as long as the guard lives
ERRORS = "guard.err"  # why the guard itself failed, if it did
TRIPS_BYTES = 4 * 1024 * 1024

NUMBERS = ("pid", "start_ticks", "keeper", "keeper_ticks")
LIMITS = tuple(Limits.__slots__)


def read_targets(path: str, boot: str) -> tuple[Limits, list[Target]]:
    """Read targets.json; raises OSError, or ValueError where it is not what it should be.

    Targets of an earlier boot are none: their pids mean nothing any more.
    """
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    try:
        limits = limits_of(found.get("limits") or {})
        listed = found["targets"] if found.get("boot_id") == boot else []
        return limits, [target_of(each) for each in listed]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: {error!r}") from error


def limits_of(value: dict[str, object]) -> Limits:
    """Read the limits; what is missing has its default. Raises TypeError, ValueError."""
    given = {name: value[name] for name in LIMITS if value.get(name) is not None}
    sizes = {name: int(str(each)) for name, each in given.items() if name.endswith("_bytes")}
    times = {name: float(str(each)) for name, each in given.items() if name.endswith("_s")}
    return Limits(**sizes, **times)  # type: ignore[arg-type]


def target_of(value: dict[str, object]) -> Target:
    """Read one target; raises KeyError, TypeError, ValueError."""
    numbers = {name: _number(value.get(name)) for name in NUMBERS}
    cgroup = value.get("cgroup")
    return Target(
        str(value["instance"]),
        str(value["model"]),
        float(str(value["started_at"])),
        cgroup=str(cgroup) if cgroup else None,
        **numbers,
    )


def write_json(path: str, value: object) -> None:
    """Replace the file at ``path`` (mode 0600) atomically; raises OSError."""
    draft = f"{path}.{os.getpid()}.tmp"
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(value, file)
        os.replace(draft, path)
    except OSError:
        remove(draft)
        raise


def append_line(folder: str, value: object) -> None:
    """Append one object to trips.jsonl; a long file becomes the old one. Raises OSError."""
    path = join(folder, TRIPS)
    line = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, line)
        size = os.fstat(file).st_size
    finally:
        os.close(file)
    if size > TRIPS_BYTES:
        os.replace(path, join(folder, OLD_TRIPS))


def remove(path: str) -> None:
    """Remove a file that may not be there."""
    try:
        os.unlink(path)
    except OSError:
        return


def boot_id() -> str:
    """Read the kernel's name for this boot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def join(folder: str, name: str) -> str:
    """Give the path of one of the names above in ``folder``."""
    return os.path.join(folder, name)


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))
