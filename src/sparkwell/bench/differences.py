"""In what two runs differ before anything was measured: flags above all. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sparkwell.core.units import GIB

Json = Mapping[str, Any]
NOT_SET, NOT_KNOWN = "not set", "not known"


class Difference(NamedTuple):
    """One thing and what it was in either run, as text."""

    what: str
    before: str
    after: str


def differences(before: Json, after: Json) -> list[Difference]:
    """Model, engine, machine and prompts where they are not the same, then flags by their names."""
    pairs = zip(_kind(before), _kind(after), strict=True)
    found = [Difference(what, one, other) for (what, one), (_, other) in pairs if one != other]
    return [*found, *_flags(before["flags"], after["flags"])]


def _kind(run: Json) -> Iterator[tuple[str, str]]:
    versions, machine = run["versions"], run["machine"]
    engine = f"{versions.get('engine') or ''} {versions.get('engine_version') or ''}"
    yield "model", str(run["model"])
    yield "engine", engine.strip() or NOT_KNOWN
    yield "machine", str(machine.get("title") or machine.get("name") or NOT_KNOWN)
    yield "GPUs", str(machine.get("gpus") or NOT_KNOWN)
    yield "memory", _gib(machine.get("total_bytes"))
    yield "asked at", "the engine itself" if _is_direct(run) else "an HTTP endpoint"
    yield "prompts", str(run.get("prompts", "token ids"))


def _gib(count: int | None) -> str:
    return NOT_KNOWN if count is None else f"{count / GIB:.0f} GiB"


def _is_direct(run: Json) -> bool:
    """Whether the gateway was left out: an engine's own address is no URL."""
    return "://" not in str(run.get("url") or "://")


def _flags(before: Json | None, after: Json | None) -> Iterator[Difference]:
    """Flags that one run has and the other has not, or has otherwise."""
    if before is None or after is None:
        if before is not after:
            yield Difference("flags", _known(before), _known(after))
        return
    for name in sorted({*before, *after}):
        one, other = _value(before, name), _value(after, name)
        if one != other:
            yield Difference(name, one, other)


def _known(flags: Json | None) -> str:
    return NOT_KNOWN if flags is None else " ".join(f"{name}={flags[name]}" for name in flags)


def _value(flags: Json, name: str) -> str:
    return str(flags[name]) if name in flags else NOT_SET
