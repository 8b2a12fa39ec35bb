"""Writing the settings of a host: whole or not at all, for this user alone."""

import shutil
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from sparkwell.app.settings.config import load_settings
from sparkwell.app.settings.merge import BlockDumper
from sparkwell.core.errors import DocumentError, EnvironmentFault
from sparkwell.core.whole_files import draft


def as_yaml(settings: Mapping[str, Any]) -> str:
    """Settings as the file has them."""
    text = yaml.dump(
        dict(settings), Dumper=BlockDumper, sort_keys=False, width=10_000, allow_unicode=True
    )
    return str(text)


def write_settings(file: Path, text: str) -> Path | None:
    """Write a settings file that loads, and return where the one before it was kept, if any.

    A link is followed: what it names is replaced. The file is readable by its user alone. Raises
    DocumentError for a text that does not load, EnvironmentFault where it cannot be written.
    """
    target = file.resolve()
    if _says(target, text):
        return None
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with draft(target, text.encode()) as made:
            _must_load(made, target)
            kept = _keep(target)
            made.replace(target)
    except OSError as error:
        raise EnvironmentFault(
            f"{file} cannot be written: {error.strerror or error}.",
            hint="Name another file with -o, or print it and put it there yourself.",
        ) from None
    return kept


def _must_load(made: Path, target: Path) -> None:
    """Relative folders mean the same for both: they are in one folder."""
    try:
        load_settings(made, required=True)
    except DocumentError as error:
        raise DocumentError(
            error.message.replace(str(made), str(target)), hint="Nothing was written."
        ) from None


def _says(target: Path, text: str) -> bool:
    """Whether the file says just that already."""
    try:
        return target.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def _keep(target: Path) -> Path | None:
    """A copy of what is there, beside it; an older copy is never overwritten."""
    if not target.exists():
        return None
    names = (f"{target.name}.bak{number or ''}" for number in count())
    kept = next(each for each in map(target.with_name, names) if not each.exists())
    shutil.copy2(target, kept)
    kept.chmod(0o600)
    return kept
