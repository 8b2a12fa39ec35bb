"""The safe remedies, applied: nothing is done that a later start or download would miss."""

import errno
import os
import pwd
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sparkwell.checks.engines import END_ORPHAN
from sparkwell.checks.folders import MAKE_FOLDER
from sparkwell.checks.memory import DROP_COMMAND, DROP_PAGE_CACHE
from sparkwell.checks.partials import why_removable
from sparkwell.checks.say import gib
from sparkwell.checks.snapshot import Snapshot
from sparkwell.checks.weights import REMOVE_PARTIALS
from sparkwell.core.units import file_size
from sparkwell.doctor.cache import lock_of, look_at_partials
from sparkwell.doctor.fixes_orphans import end_orphan
from sparkwell.doctor.fixes_result import Fixed
from sparkwell.drivers.download.locks import locked
from sparkwell.hardware.parse import parse_meminfo

__all__ = [
    "AFTER_ASKING",
    "FIXES",
    "Fixed",
    "apply",
    "drop_page_cache",
    "make_folder",
    "remove_partials",
]

MEMINFO = Path("/proc/meminfo")
DROP_CACHES = Path("/proc/sys/vm/drop_caches")
FOLDER_MODE = 0o755


class _BusyError(Exception):
    """Somebody holds the lock."""


def apply(names: Iterable[str], snapshot: Snapshot, *, asked: bool = False) -> tuple[Fixed, ...]:
    """Apply the fixes of these names; those that nobody knows are left out.

    What ends a process is done only where a person was ``asked`` about it.
    """
    allowed = {**FIXES, **AFTER_ASKING} if asked else FIXES
    return tuple(_applied(name, allowed[name], snapshot) for name in names if name in allowed)


def _applied(name: str, fix: Callable[[Snapshot], Fixed], snapshot: Snapshot) -> Fixed:
    """What it did; one that breaks keeps nobody from hearing of the others."""
    try:
        return fix(snapshot)
    except Exception as error:
        return Fixed(name, False, f"It broke off: {type(error).__name__}: {error}.")


def remove_partials(snapshot: Snapshot) -> Fixed:
    """Remove unfinished files that are of no use, each looked at again just before."""
    ours = snapshot.weights.partials if snapshot.weights else ()
    every = (*ours, *(snapshot.partials or ()))
    wanted = dict.fromkeys(Path(each.path) for each in every if why_removable(each))
    results = [_remove(path) for path in wanted]
    sizes = [result for result in results if isinstance(result, int)]
    kept = [result for result in results if isinstance(result, str)]
    done = f"Removed {_files(len(sizes))}, {file_size(sum(sizes))}"
    text = "; ".join([done, *(f"kept {each}" for each in kept)])
    return Fixed(REMOVE_PARTIALS, not kept, f"{text}.")


def make_folder(snapshot: Snapshot) -> Fixed:
    """Make the folder for weights, for this user to write and for all to read."""
    missing = [
        Path(each.path)
        for each in snapshot.folders or ()
        if each.role == "cache" and each.writable and not each.exists
    ]
    try:
        for path in missing:
            path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        return Fixed(MAKE_FOLDER, False, f"{error.filename}: {error.strerror}.")
    owner = pwd.getpwuid(os.geteuid()).pw_name if missing else ""
    made = ", ".join(map(str, missing))
    return Fixed(MAKE_FOLDER, bool(missing), f"Made {made} (mode 755, owner {owner}).")


def drop_page_cache(
    _snapshot: Snapshot, *, switch: Path = DROP_CACHES, meminfo: Path = MEMINFO
) -> Fixed:
    """Have the kernel give back the pages of files; only root may ask for it."""
    before = _free_bytes(meminfo)
    try:
        os.sync()  # pages that are not on the disk yet cannot be given back
        switch.write_text("3\n", encoding="ascii")
    except OSError as error:
        return Fixed(
            DROP_PAGE_CACHE, False, f"Not permitted ({error.strerror}). Type: {DROP_COMMAND}"
        )
    after = _free_bytes(meminfo)
    return Fixed(
        DROP_PAGE_CACHE, True, f"Dropped the page cache: {gib(before)} were free, {gib(after)} are."
    )


def _remove(path: Path) -> int | str:
    """The bytes that were freed, or why the file was kept. Its lock is held meanwhile."""

    def busy() -> None:
        raise _BusyError

    try:
        # Looked at before the lock is ours: else our own lock would be the one that holds it.
        again = next((each for each in look_at_partials(path.parent) if each.path == str(path)),
                     None)  # fmt: skip
        if again is None:
            return 0
        if why_removable(again) is None:
            return f"{path.name}: {again.held_by or 'it has changed'}"
        with locked(lock_of(path), busy):
            path.unlink()
    except _BusyError:
        return f"{path.name}: a download holds its lock"
    except FileNotFoundError:
        return 0
    except OSError as error:
        return f"{path.name}: {error.strerror or errno.errorcode.get(error.errno or 0)}"
    return again.size_bytes


def _files(count: int) -> str:
    return f"{count} unfinished file{'' if count == 1 else 's'}"


def _free_bytes(meminfo: Path) -> int:
    return parse_meminfo(meminfo.read_text(encoding="ascii")).free_bytes or 0


FIXES: Mapping[str, Callable[[Snapshot], Fixed]] = {
    REMOVE_PARTIALS: remove_partials,
    MAKE_FOLDER: make_folder,
    DROP_PAGE_CACHE: drop_page_cache,
}
AFTER_ASKING: Mapping[str, Callable[[Snapshot], Fixed]] = {END_ORPHAN: end_orphan}
