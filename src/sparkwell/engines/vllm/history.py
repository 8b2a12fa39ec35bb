"""Which flags vLLM takes in which version, with which default: read in its sources.

``flag_history.json`` (tools/vllm_history.py writes it) holds the versions that were read. What a
version between two of them takes is what both take; where they differ it is not known: None.
"""

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from packaging.version import InvalidVersion, Version

from sparkwell.core.errors import UsageError

Entry = tuple[Version, tuple[Any, ...]]
"""From that version on (as far as was read): one value, or none where it cannot be read."""


@dataclass(frozen=True, slots=True)
class FlagRecord:
    """One flag through the versions that were read; ``deprecated`` is where that was first said."""

    name: str
    first: Version
    last: Version
    defaults: tuple[Entry, ...]
    choices: tuple[Entry, ...] = ()
    deprecated: Version | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Default:
    """A flag's default; None in ``value`` means that the engine chooses when it starts."""

    value: Any


@dataclass(frozen=True, slots=True)
class History:
    """All that was read: the versions, ascending, and the flags by name."""

    versions: tuple[Version, ...]
    flags: dict[str, FlagRecord]


@cache
def history() -> History:
    """The recorded history, read once."""
    data = json.loads(files(__package__).joinpath("flag_history.json").read_text("ascii"))
    records = {name: _record(name, entry) for name, entry in data["flags"].items()}
    return History(tuple(Version(version) for version in data["versions"]), records)


def _record(name: str, entry: dict[str, Any]) -> FlagRecord:
    deprecated = entry.get("deprecated")
    return FlagRecord(
        name=name,
        first=Version(entry["first"]),
        last=Version(entry["last"]),
        defaults=_entries(entry["defaults"]),
        choices=_entries(entry.get("choices", ())),
        deprecated=Version(deprecated) if deprecated else None,
        aliases=tuple(entry.get("aliases", ())),
    )


def _entries(rows: Sequence[Sequence[Any]]) -> tuple[Entry, ...]:
    return tuple((Version(version), tuple(value)) for version, *value in rows)


@cache
def parse_version(text: str) -> Version:
    """A version as vLLM writes it, "0.10.1.1+381074ae.nv25.09" too; raises UsageError."""
    try:
        return Version(Version(text.strip().removeprefix("v")).public)
    except InvalidVersion:
        raise UsageError(
            f"{text!r} is not a version of vLLM.", hint="Versions read like 0.25.0."
        ) from None


def exists(flag: str, version: str) -> bool | None:
    """Whether that version takes the flag; None where it was not read and that cannot be told.

    A version newer than all that were read may take flags that nobody knows of, but none that
    was gone before.
    """
    record, asked = history().flags.get(flag), parse_version(version)
    neighbours = {_has(record, known) for known in _neighbours(asked)}
    if len(neighbours) == 1 and _within(asked):
        return neighbours.pop()
    if asked > history().versions[-1] and record is not None:
        return record.last == history().versions[-1]
    return None


def default(flag: str, version: str) -> Default | None:
    """The default there; None where the flag does not exist, or its default cannot be read."""
    record = history().flags.get(flag)
    if record is None or not exists(flag, version):
        return None
    return _at(record.defaults, parse_version(version))


def choices(flag: str, version: str) -> tuple[Any, ...]:
    """The words that the flag takes there; empty where it takes others too, or it is not known."""
    record = history().flags.get(flag)
    if record is None or not exists(flag, version):
        return ()
    found = _at(record.choices, parse_version(version))
    return tuple(found.value) if found else ()


def removed_in(flag: str) -> str | None:
    """The first version read that no longer takes it; None for one that the newest takes."""
    record, versions = history().flags.get(flag), history().versions
    if record is None or record.last == versions[-1]:
        return None
    return str(versions[versions.index(record.last) + 1])


def aliased(name: str) -> str | None:
    """The flag that this is another name of; None when it is none."""
    return next((flag for flag, record in history().flags.items() if name in record.aliases), None)


def _neighbours(asked: Version) -> tuple[Version, ...]:
    """The versions read that are next to it, or the version itself."""
    versions = history().versions
    place = bisect_right(versions, asked)
    if place and versions[place - 1] == asked:
        return (asked,)
    return versions[max(0, place - 1) : place + 1]


def _within(asked: Version) -> bool:
    return history().versions[0] <= asked <= history().versions[-1]


def _has(record: FlagRecord | None, version: Version) -> bool:
    return record is not None and record.first <= version <= record.last


def _at(entries: Sequence[Entry], asked: Version) -> Default | None:
    """What holds at that version: of both neighbours, the same; None where they differ."""
    found = [_from(entries, known) for known in _neighbours(asked)]
    if not found or not found[0] or any(value != found[0] for value in found):
        return None
    return Default(found[0][0])


def _from(entries: Sequence[Entry], version: Version) -> tuple[Any, ...]:
    return next((value for since, value in reversed(entries) if since <= version), ())
