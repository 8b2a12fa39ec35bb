"""One flag of vLLM's, all that is known of it, for one version: what `sparkwell flags` shows."""

from dataclasses import dataclass
from typing import Any

from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm.flags import FLAGS, OWNED, near_names
from sparkwell.engines.vllm.history import (
    aliased,
    choices,
    default,
    exists,
    history,
    parse_version,
    removed_in,
)
from sparkwell.engines.vllm.texts import FlagText, default_in_words, instead, texts, value_in_words


@dataclass(frozen=True, slots=True)
class FlagFacts:
    """A flag as one version has it, in words.

    ``exists`` is None where that version was not read. ``default`` is what happens when the flag
    is left out, empty where that cannot be told; ``default_value`` is the bare value of the
    command line's default (None too where the engine chooses). ``first`` and ``last`` are the
    first and the last version read that take it; ``removed_in`` is the next one read after the
    last, with ``instead`` for what to do then. ``changes`` are the command line's defaults by
    version, where one changed. ``owned`` says why Sparkwell sets the flag itself.
    """

    name: str
    version: str
    exists: bool | None
    text: FlagText
    takes: str
    default: str
    default_value: Any
    first: str
    last: str
    removed_in: str | None
    instead: str | None
    deprecated: str | None
    changes: tuple[tuple[str, str], ...]
    aliases: tuple[str, ...]
    owned: str | None

    @property
    def is_gone(self) -> bool:
        """Whether the asked version is one of those that no longer take it."""
        gone = self.removed_in
        return gone is not None and parse_version(gone) <= parse_version(self.version)


def facts_of(name: str, version: str) -> FlagFacts:
    """Everything about one flag; dashes are as good as underscores. Raises UsageError."""
    flag = _canonical(name)
    record = history().flags.get(flag)
    if record is None:
        raise UsageError(f"vLLM has no flag {flag!r}.", hint=near_names(flag))
    found = default(flag, version)
    return FlagFacts(
        name=flag,
        version=str(parse_version(version)),
        exists=exists(flag, version),
        text=texts().flags.get(flag, FlagText(purpose="")),
        takes=_takes(flag, version),
        default=default_in_words(flag, version),
        default_value=found.value if found else None,
        first=str(record.first),
        last=str(record.last),
        removed_in=removed_in(flag),
        instead=instead(flag),
        deprecated=str(record.deprecated) if record.deprecated else None,
        changes=_changes(flag),
        aliases=record.aliases,
        owned=OWNED.get(flag),
    )


def explained(version: str) -> tuple[FlagFacts, ...]:
    """The flags with words that this version takes, or may take, in the order of the texts."""
    found = (facts_of(name, version) for name in texts().flags)
    return tuple(facts for facts in found if facts.exists is not False)


def count_of(version: str) -> int:
    """How many flags that version surely takes, those without words too."""
    return sum(exists(name, version) is True for name in history().flags)


def _canonical(name: str) -> str:
    bare = name.strip().lstrip("-").replace("-", "_").lower()
    if bare not in history().flags and bare.removeprefix("no_") in history().flags:
        return bare.removeprefix("no_")
    return aliased(bare) or bare


def _takes(flag: str, version: str) -> str:
    words = ", ".join(str(word) for word in choices(flag, version))
    if words:
        return f"one of {words}"
    if flag in FLAGS and FLAGS[flag].expected != "a text":
        return FLAGS[flag].expected
    found = texts().flags.get(flag)
    return (found.takes if found else "") or ("a text" if flag in FLAGS else "")


def _changes(flag: str) -> tuple[tuple[str, str], ...]:
    rows = history().flags[flag].defaults
    if len(rows) < 2:
        return ()
    return tuple(
        (str(since), value_in_words(value[0]) if value else "cannot be read")
        for since, value in rows
    )
