"""Where an instance's Unix sockets lie: in its folder, unless their path would be too long.

The kernel takes at most 107 bytes. A deep root gets a short folder under /tmp instead, by a
name that every driver with that root computes again.
"""

import hashlib
import os
import stat
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault
from sparkwell.drivers.process.shim import files

LONGEST_PATH = 107  # bytes; sun_path has 108, the last one is a NUL
LINK = "sockets"


def socket_folder(folder: Path, short_root: Path, uid: int) -> Path:
    """Decide where the sockets of the instance in ``folder`` lie. Pure."""
    longest = max((files.CONTROL_SOCKET, files.ENGINE_SOCKET), key=len)
    if len(os.fsencode(folder / longest)) <= LONGEST_PATH:
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return short_root / f"sparkwell-{uid}" / name


def make_socket_folder(folder: Path, sockets: Path) -> None:
    """Make the short folder, ours alone, with a link from the instance's folder for people.

    Raises EnvironmentFault when somebody else has put something in its place: /tmp is open to
    all, and whoever owned the folder could answer in the engine's name.
    """
    if sockets == folder:
        return
    for made in (sockets.parent, sockets):
        made.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_ours(made)
    link = folder / LINK
    link.unlink(missing_ok=True)  # of a start that was cut off here
    link.symlink_to(sockets)


def _require_ours(folder: Path) -> None:
    found = folder.lstat()
    private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
    if not private or found.st_uid != os.getuid():
        raise EnvironmentFault(
            f"{folder} is not a folder that belongs to this user alone (mode 0700).",
            hint="Remove it, or choose a shorter state folder.",
        )
