"""Files that are written whole or not at all, and are on the disk before they have their name.

All raise OSError, and leave what was there before as it was.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_OWN = 0o600
_SUFFIX = ".tmp"
_PREFIX_LENGTH = 50
"""Of the target's name: with what is added a draft of the longest name has one that is allowed."""


@contextmanager
def draft(target: Path, data: bytes, *, like_before: bool = False) -> Iterator[Path]:
    """The data in a file beside ``target``, for whoever still has to look before it is replaced.

    It is for this user alone; with ``like_before`` it has mode and owner of what is there. Unless
    it has been given another name by then it is gone at the end.
    """
    descriptor, name = tempfile.mkstemp(_SUFFIX, _prefix(target), target.parent)  # mode 0600
    made = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if like_before:
                _take_over(file.fileno(), target)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield made
    finally:
        made.unlink(missing_ok=True)


def clear_drafts(target: Path) -> None:
    """Remove drafts of it that killed processes have left; only where nobody can be writing one."""
    for each in target.parent.iterdir():
        if each.name.startswith(_prefix(target)) and each.name.endswith(_SUFFIX):
            each.unlink(missing_ok=True)


def _prefix(target: Path) -> str:
    return f".{target.name[:_PREFIX_LENGTH]}."


def write_whole(target: Path, data: bytes) -> None:
    """Write a file for this user alone, in the place of what has that name, be it a link."""
    with draft(target, data) as made:
        made.replace(target)


def write_new(target: Path, data: bytes) -> None:
    """Write a file for this user alone; FileExistsError where the name is taken.

    A rename would replace what is there; a hard link fails in the moment in which it is made.
    """
    with draft(target, data) as made:
        target.hardlink_to(made)


def _take_over(descriptor: int, target: Path) -> None:
    """By the descriptor: a name could be another file by now."""
    try:
        before = target.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, _OWN)
        return
    with suppress(PermissionError):  # only root may give a file away
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, before.st_mode & 0o777)
