"""Files that the code writes: brought up to date, or with --check only compared."""

from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


def bring_up_to_date(wanted: Mapping[Path, str], arguments: Sequence[str]) -> int:
    """Write what is not as wanted; returns the exit status, 1 where --check found something."""
    stale = [file for file, text in wanted.items() if not _is(file, text)]
    check = "--check" in arguments
    for file in stale:
        if not check:
            file.write_text(wanted[file], encoding="utf-8")
        print(f"{file.relative_to(ROOT)}{': not what the code says, run `make docs`' * check}")
    return int(bool(stale) and check)


def _is(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text
