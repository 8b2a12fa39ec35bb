"""sparkwell.yaml as the dashboard changes it: whole or not at all, never over another change."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sparkwell.app.settings.config import Settings, load_settings
from sparkwell.core.errors import ConflictError, DocumentError, EnvironmentFault
from sparkwell.core.whole_files import draft

MISSING = "missing"
"""The revision of a file that is not there."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a settings file says. ``revision`` tells it from every other state of the file."""

    file: Path
    text: str
    revision: str
    settings: Settings

    def must_be(self, revision: str) -> None:
        """Raise ConflictError unless this is the state that somebody saw."""
        if self.revision != revision:
            raise _has_changed(self.file)


def read_written(file: Path) -> Written:
    """The file as it is now; one that is not there says nothing.

    Raises DocumentError for a file that cannot be read, or does not load, with the line.
    """
    raw = _bytes(file)
    try:
        text = "" if raw is None else raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{file}: this file cannot be read: {error}") from None
    return Written(file, text, _revision(raw), load_settings(file))


def write_over(before: Written, text: str, check: Callable[[Settings], None]) -> Settings:
    """Write the text in the place of what was read, and return what the file says now.

    ``check`` gets what the text says before anything is replaced, and may raise. A link is
    followed; the file keeps its mode, and a new one is for its user alone. Raises ConflictError
    where the file is not as it was read, EnvironmentFault where it cannot be written: in both
    cases it stays as it is.
    """
    target = before.file.resolve()
    try:
        _must_be_writable(target)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with draft(target, text.encode(), like_before=True) as made:
            check(_loaded(made, target))
            if _revision(_bytes(before.file)) != before.revision:
                raise _has_changed(before.file)
            made.replace(target)
    except OSError as error:
        raise EnvironmentFault(
            f"{before.file} cannot be written: {error.strerror or error}. It is as it was.",
            hint="Mend that, then save again; or change the file by hand.",
        ) from None
    return load_settings(before.file)


def _has_changed(file: Path) -> ConflictError:
    return ConflictError(
        f"{file} has changed since this page was opened; nothing was written.",
        hint="Open the page again: it then shows what the file says now.",
    )


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DocumentError(f"{file}: this file cannot be read: {error}") from None


def _revision(raw: bytes | None) -> str:
    return MISSING if raw is None else hashlib.sha256(raw).hexdigest()


def _must_be_writable(target: Path) -> None:
    """A rename would replace a read-only file without asking."""
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(0, "it is read-only for the user that Sparkwell runs as")


def _loaded(made: Path, target: Path) -> Settings:
    """Relative folders mean the same for both: they are in one folder."""
    try:
        return load_settings(made, required=True)
    except DocumentError as error:
        said = error.message.replace(str(made), str(target))
        raise DocumentError(said, hint="Nothing was written.") from None
