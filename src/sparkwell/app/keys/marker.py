"""The sign that there have been keys, outside the store that has them."""

import os
from contextlib import suppress
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault

_TEXT = (
    "There have been keys here. While this file exists and the store has none, nobody is served;\n"
    "`sparkwell keys list` says what to do. `sparkwell keys reset --yes` removes it.\n"
)


class Marker:
    """A file that says that a store without keys has lost them."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def is_there(self) -> bool:
        """Whether there have been keys; also where nobody can tell."""
        try:
            self.file.lstat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def write(self) -> None:
        """Make the file, for this user alone; raises EnvironmentFault."""
        try:
            descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                opened.write(_TEXT)
                opened.flush()
                os.fsync(opened.fileno())
            self._settle()
        except OSError as error:
            raise EnvironmentFault(
                f"The file {self.file} cannot be written ({error.strerror or error}); it has to "
                "say that there are keys.",
                hint=f"Check the space and the rights of {self.file.parent}.",
            ) from None

    def remove(self) -> None:
        """Forget that there have been keys; raises EnvironmentFault."""
        try:
            self.file.unlink(missing_ok=True)
            self._settle()
        except OSError as error:
            raise EnvironmentFault(
                f"The file {self.file} cannot be removed ({error.strerror or error}).",
                hint=f"Check the rights of {self.file.parent}.",
            ) from None

    def _settle(self) -> None:
        """Have the folder's entry on the disk too, where the file system knows how."""
        with suppress(OSError):
            folder = os.open(self.file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
