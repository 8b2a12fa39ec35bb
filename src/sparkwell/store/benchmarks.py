"""Runs of `sparkwell bench`: a file each, so that one can be sent to somebody else.

They are not in the daemon's database: the command line writes them, also where no daemon runs.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from sparkwell.core.errors import EnvironmentFault, UsageError
from sparkwell.core.kept_names import named
from sparkwell.core.whole_files import write_new

Json = dict[str, Any]
KNOWN_FORMAT = 1
_HINT = "`sparkwell bench list` names those that were kept."


class _Requests(msgspec.Struct):
    columns: list[str]
    rows: list[list[Any]]


class _Repeat(msgspec.Struct):
    seconds: float
    broken: str | None
    requests: _Requests


class _Case(msgspec.Struct):
    name: str
    workload: dict[str, Any]
    clients: int | None
    rate: float | None
    requests: int
    failed: int
    measured: dict[str, dict[str, float | None]]
    planned: dict[str, Any] | None
    guide: dict[str, Any] | None
    notes: list[str]
    repeats: list[_Repeat]


class _Run(msgspec.Struct):
    """What has to be there of a file that may be somebody else's."""

    format: int
    run: str
    at: float
    model: str
    suite: str
    url: str
    command: str
    seed: str
    machine: dict[str, Any]
    versions: dict[str, str | None]
    flags: dict[str, Any] | None
    broken: str | None
    cases: list[_Case]


def free_name(folder: Path, name: str) -> str:
    """The name for a run, or the next that is free: two may begin in the same second."""
    candidates = (name, *(f"{name}-{number}" for number in range(2, 1000)))
    return next((each for each in candidates if not _file(folder, each).exists()), name)


def save(folder: Path, document: Mapping[str, Any]) -> Path:
    """Keep a run under its name, whole or not at all, never in the place of another.

    Raises EnvironmentFault, as where a disk is full.
    """
    file = _file(folder, str(document["run"]))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_new(file, json.dumps(document).encode())
    except OSError as error:
        raise EnvironmentFault(
            f"The run could not be kept in {folder}: {error.strerror}.",
            hint="Make room there; --json prints a run's figures, kept or not.",
        ) from error
    return file


def runs(folder: Path) -> list[str]:
    """The names of the runs that were kept, newest first: they begin with their time."""
    return sorted((file.stem for file in folder.glob("*.json")), key=_age, reverse=True)


def _age(name: str) -> tuple[str, int]:
    """Of the same second, the one of the higher number is newer."""
    base, _, number = name.rpartition("-")
    return (base, int(number)) if base and number.isdecimal() else (name, 1)


def of_model(folder: Path, model: str) -> Iterator[Json]:
    """Runs of a model, newest first; what cannot be read is passed over."""
    for name in runs(folder):
        if f"-{model.replace('/', '-')}-" in name:
            try:
                document = _read(_file(folder, name))
            except UsageError:
                continue
            if document["model"] == model:
                yield document


def load(folder: Path, name: str) -> Json:
    """A run by its name, by how its name begins, by its number from the newest (1), or by file.

    Raises UsageError where there is none, or more than one, or it is not to be understood.
    """
    if name.endswith(".json"):
        return _read(Path(name))
    return _read(_file(folder, named(runs(folder), name, "run", _HINT)))


def load_kept(folder: Path, name: str) -> Json:
    """A run that was kept, by its whole name; UsageError where there is none."""
    if name not in runs(folder):
        raise UsageError(f"There is no run {name!r}.", hint=_HINT)
    return _read(_file(folder, name))


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def _read(file: Path) -> Json:
    try:
        document = json.loads(file.read_text())
        msgspec.convert(document, _Run)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", hint=_HINT) from None
    except ValueError as error:  # msgspec's are such, and those of text that is none
        raise UsageError(f"{file} is no run of `sparkwell bench`: {error}.", hint=_HINT) from None
    if document["format"] != KNOWN_FORMAT:
        raise UsageError(
            f"{file} has format {document['format']}; this Sparkwell knows {KNOWN_FORMAT}.",
            hint="A newer Sparkwell wrote it: update this one.",
        )
    return dict(document)
