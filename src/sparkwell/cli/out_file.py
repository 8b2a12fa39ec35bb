"""Files that a command writes where somebody said, as with --csv FILE."""

import os
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.whole_files import draft

HINT = "Make room there, or name a file elsewhere."


def write_out(file: Path, data: bytes, option: str) -> None:
    """Write it whole or not at all, what was there before stays; raises EnvironmentFault.

    A new file is for whoever the umask lets read it. Devices and pipes are written as they are.
    """
    try:
        if _is_a_stream(file):
            with file.open("ab") as stream:  # what was said before stays
                stream.write(data)
        else:
            _replace(file.resolve(), data)
    except OSError as error:
        raise EnvironmentFault(
            f"{option}: {str(file)!r} could not be written: {error.strerror or error}.", hint=HINT
        ) from error


def _is_a_stream(file: Path) -> bool:
    """Also what /dev/stdout stands for: a file there that somebody else has open."""
    is_link_to_open = file.absolute().is_relative_to("/dev") or file.is_relative_to("/proc")
    return is_link_to_open or (file.exists() and not file.is_file())


def _replace(target: Path, data: bytes) -> None:
    is_new = not target.exists()
    with draft(target, data, like_before=True) as made:
        if is_new:
            made.chmod(0o666 & ~_umask())
        made.replace(target)


def _umask() -> int:
    """It can be read only by setting it."""
    found = os.umask(0o077)
    os.umask(found)
    return found
