"""Reports as files: where one is to lie, whether it can, written whole, and read again."""

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from sparkwell.app.diagnosing.files import LARGEST_BYTES, read_some, write_file
from sparkwell.app.verifying.report import FORMAT, KIND
from sparkwell.app.verifying.shape import Report
from sparkwell.core.errors import ConflictError, EnvironmentFault, UsageError

Json = dict[str, Any]
ROOM_BYTES = 1_000_000
"""More than a report without its requests takes; those of a long suite are some megabytes."""
_NO_NAME = re.compile(r"[^\w.-]+", re.ASCII)


def place(output: Path | None, model: str, at: float) -> Path:
    """The file of a report: ``output``, or a name of its own in that folder, or in this one."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(at))
    name = f"sparkwell-verify-{_NO_NAME.sub('-', model)}-{stamp}.json"
    folder = output or Path()
    return folder / name if folder.is_dir() else folder


def must_take(file: Path) -> None:
    """Write as much as a report has beside it, and remove that: before minutes are spent.

    Raises ConflictError where the file is there, EnvironmentFault where it could not be written.
    """
    if file.exists():
        raise ConflictError(
            f"{file} exists already, and is not written over.", hint="Name another with --output."
        )
    trial = file.with_name(f".{file.name}.{os.getpid()}.trial")
    try:
        write_file(trial, b"\0" * ROOM_BYTES, force=False)
    except OSError as error:
        raise _unwritable(file, error) from None
    finally:
        with suppress(OSError):
            trial.unlink()


def write(file: Path, report: Mapping[str, Any]) -> int:
    """Write the report for this user alone; returns its bytes. Raises EnvironmentFault."""
    data = (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode()
    try:
        write_file(file, data, force=False)
    except OSError as error:
        raise _unwritable(file, error) from None
    return len(data)


def read(file: Path) -> Json:
    """A report; raises UsageError for a file that is none, or of a newer Sparkwell."""
    try:
        document = json.loads(_small(file))
        msgspec.convert(document, Report)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}.", hint=_HINT) from None
    except (ValueError, RecursionError) as error:  # msgspec's are such, and those of no JSON
        raise UsageError(f"{file} is no report: {error}.", hint=_HINT) from None
    if document["kind"] != KIND or document["format"] > FORMAT:
        raise UsageError(
            f"{file} has format {document['kind']} {document['format']}; this Sparkwell knows "
            f"{KIND} {FORMAT}.",
            hint="A newer Sparkwell wrote it: update this one.",
        )
    return dict(document)


def _small(file: Path) -> bytes:
    data = read_some(file)
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"it is larger than one can be ({LARGEST_BYTES // 1_000_000} MB)")
    return data


_HINT = "`sparkwell verify` writes such files: sparkwell-verify-MODEL-TIME.json."


def _unwritable(file: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(
        f"The report {file} cannot be written: {error.strerror or error}.",
        hint="Name a file or a folder of yours, on a disk with room: --output FOLDER.",
    )
