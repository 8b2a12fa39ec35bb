"""A snapshot from elsewhere: what of it gets into commands that somebody may type. Pure.

Whoever wrote the file may have written anything. Names go into commands, so they keep only what
names are made of; and ways out are those of this release, never the file's.
"""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from itertools import accumulate
from typing import Any

from sparkwell.checks.box import BoxState, FailedModel
from sparkwell.checks.docker_parts import Image
from sparkwell.checks.host_parts import Engine, Folder, Port
from sparkwell.checks.logs.digest import MOST_CHARACTERS, MOST_LINES
from sparkwell.checks.logs.parts import LogDigest, LogLine
from sparkwell.checks.logs.written import LONGEST
from sparkwell.checks.model_parts import Environment, Partial, Repo, Request
from sparkwell.checks.run_parts import Run
from sparkwell.checks.serving_parts import Serving
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Remedy

_NO_NAME = re.compile(r"[^\w./:@+-]|^-+", re.ASCII)
_NAMES: Mapping[type, tuple[str, ...]] = {
    BoxState: ("cannot_end", "restarts"),
    Engine: ("model", "container"),
    Environment: ("name",),
    FailedModel: ("model",),
    Image: ("name", "instead"),
    LogDigest: ("instance", "model"),
    Port: ("container",),
    Repo: ("name",),
    Request: ("model", "environment", "ends"),
    Run: ("id", "model", "image"),
    Serving: ("model",),
}
_AS_THEY_ARE = ("lines",)
"""Parts that are large, and without names: a log's lines."""


def harmless(snapshot: Snapshot) -> Snapshot:
    """The snapshot, with names that can be typed, and without commands of its own."""
    clean: Snapshot = _clean(snapshot)
    return clean


def _clean(part: Any) -> Any:
    if isinstance(part, Remedy):
        return replace(part, command=None, fix=None)
    if type(part) is tuple:
        return tuple(map(_clean, part))
    if not is_dataclass(part) or isinstance(part, type):
        return part
    if isinstance(part, Folder | Partial):
        return replace(part, path=_one_line(part.path))
    if isinstance(part, LogDigest):
        part = replace(part, lines=_bounded(part.lines))
    names = _NAMES.get(type(part), ())
    return replace(
        part,
        **{
            each.name: _named(value) if each.name in names else _clean(value)
            for each in fields(part)
            if each.name not in _AS_THEY_ARE and (value := getattr(part, each.name)) is not None
        },
    )


def _one_line(path: str) -> str:
    """A path stands in quotes, which a line feed would part in two commands."""
    return "".join(each if each.isprintable() else "_" for each in path)


def _bounded(lines: tuple[LogLine, ...]) -> tuple[LogLine, ...]:
    """No more than this release keeps of a log: all checks read all of it."""
    total = accumulate(min(len(each.text), LONGEST) for each in lines)
    return tuple(
        each if len(each.text) <= LONGEST else replace(each, text=each.text[:LONGEST])
        for each, so_far in zip(lines[: 2 * MOST_LINES], total, strict=False)
        if so_far <= 2 * MOST_CHARACTERS
    )


def _named(value: Any) -> Any:
    """A name, or names: what no name has becomes a line that no shell minds."""
    if isinstance(value, str):
        return _NO_NAME.sub("_", value)
    return tuple(map(_named, value)) if isinstance(value, tuple) else value
