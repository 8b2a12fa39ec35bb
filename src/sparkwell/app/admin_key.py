"""The admin key: what opens the dashboard to somebody who has no one-time link."""

import os
import secrets
from hmac import compare_digest
from pathlib import Path

from sparkwell.core.errors import EnvironmentFault

_BYTES = 24
_OTHERS = 0o077


class AdminKey:
    """The key in a file that its user alone may read; made when it is first asked for.

    To change it, write another one into the file: it is read at each question, and all sessions
    that were opened with the old one stay until they end. Raises EnvironmentFault for a file
    that cannot be read or made, that is empty, or that others may read.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def exists(self) -> bool:
        """Always: one that is missing is made."""
        return True

    def check(self, key: str) -> bool:
        """Whether it is the key; takes the same time however much of it is right."""
        return compare_digest(key.strip().encode(), self.text().encode())

    def text(self) -> str:
        """The key."""
        try:
            self._make_if_missing()
            with self.file.open(encoding="utf-8") as opened:
                mode = os.fstat(opened.fileno()).st_mode
                text = opened.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise EnvironmentFault(
                f"The admin key {self.file} cannot be used: {error}.",
                hint="Remove that file: a new key is made.",
            ) from None
        if mode & _OTHERS:
            raise EnvironmentFault(
                f"The admin key {self.file} can be read by others (mode {mode & 0o777:o}).",
                hint=f"Remove it, and a new one is made; or: chmod 600 {self.file}",
            )
        if not text:
            raise EnvironmentFault(
                f"The admin key {self.file} is empty.", hint="Remove it: a new one is made."
            )
        return text

    def _make_if_missing(self) -> None:
        if self.file.exists():
            return
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = self.file.with_name(f".{self.file.name}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                opened.write(secrets.token_urlsafe(_BYTES) + "\n")
            os.link(made, self.file)  # whole, or not at all; a second maker finds the first one's
        except FileExistsError:
            pass
        finally:
            made.unlink(missing_ok=True)
