"""Checks of vLLM's serving flags: a flag that does not exist or a value that is wrong is refused.

Whether a flag exists says ``known_flags.txt`` (the flags of the version in its first line, asked
of the engine itself) or, for another version, the recorded history. Flags are named as Python
names them, with underscores.
"""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm import texts
from sparkwell.engines.vllm.flag_table import FLAGS, OWNED, Flag
from sparkwell.engines.vllm.history import (
    aliased,
    choices,
    exists,
    history,
    parse_version,
    removed_in,
)

__all__ = [
    "FLAGS",
    "OWNED",
    "check_flag",
    "check_flags",
    "doubtful",
    "known_names",
    "near_names",
    "parse_flag",
    "refuse_owned",
]


@cache
def known_names() -> frozenset[str]:
    """Every flag that the recorded version of vLLM takes, with underscores."""
    text = files(__package__).joinpath("known_flags.txt").read_text(encoding="ascii")
    return frozenset(line for line in text.splitlines() if not line.startswith("#")) | FLAGS.keys()


def parse_flag(text: str, version: str | None = None) -> tuple[str, FlagValue]:
    """Read ``NAME=VALUE`` (``NAME`` alone means true); dashes are as good as underscores.

    Raises UsageError for a flag that this version of vLLM (None: the recorded one) does not have,
    one that is Sparkwell's own, or a value out of range.
    """
    name, value = read_flag(text)
    return name, check_flag(name, value, version)


def read_flag(text: str) -> tuple[str, FlagValue]:
    """As ``parse_flag``, but not checked: for flags of a version that is not known yet."""
    name, given, value = text.partition("=")
    name = name.strip().lstrip("-").replace("-", "_").lower()
    if not given and name.removeprefix("no_") in FLAGS:
        return name.removeprefix("no_"), name in FLAGS
    return name, _value(value.strip()) if given else True


def check_flags(
    flags: Mapping[str, FlagValue], where: str = "", version: str | None = None
) -> dict[str, FlagValue]:
    """All flags, checked; ``where`` ("recipe x") begins the message of a UsageError.

    With a ``version`` of vLLM they are checked for that one; doubtful() names those that were
    passed without knowing.
    """
    try:
        return {name: check_flag(name, value, version) for name, value in flags.items()}
    except UsageError as error:
        prefix = f"{where}: " if where else ""
        raise UsageError(f"{prefix}{error.message}", hint=error.hint) from None


def refuse_owned(names: Iterable[str], where: str = "") -> None:
    """Raise UsageError for a flag that is Sparkwell's own; ``where`` begins its message."""
    for name in names:
        if name in OWNED:
            prefix = f"{where}: " if where else ""
            raise UsageError(f"{prefix}The flag {name} cannot be set: {OWNED[name]}.")


def check_flag(name: str, value: FlagValue, version: str | None = None) -> FlagValue:
    """The value as vLLM takes it; raises UsageError when the flag or the value is wrong."""
    refuse_owned([name])
    if version is None and name not in known_names():
        raise _unknown(name, None)
    if version is not None and exists(name, version) is False:
        raise _unknown(name, version)
    flag = FLAGS.get(name)
    return _among(name, value if flag is None else _checked(flag, value), version)


def doubtful(flags: Iterable[str], version: str) -> tuple[str, ...]:
    """A sentence for each flag that may or may not exist in that version, which was not read."""
    return tuple(
        f"Whether vLLM {version} has the flag {name} is not known: that version was not looked at."
        for name in flags
        if exists(name, version) is None
    )


def _among(name: str, value: FlagValue, version: str | None) -> FlagValue:
    """Refuse a word that this version does not take, where it takes only listed words."""
    words = choices(name, version) if version is not None else ()
    known = {str(word).lower().replace("-", "_") for word in words}
    if not known or not isinstance(value, str) or value.lower().replace("-", "_") in known:
        return value
    listed = ", ".join(str(word) for word in words)
    raise UsageError(f"The flag {name} takes one of {listed} in vLLM {version}, not {value!r}.")


def _unknown(name: str, version: str | None) -> UsageError:
    """The error for a flag that does not exist: since when not, or a near name."""
    engine = f"vLLM {version}" if version else "vLLM"
    if name not in history().flags:
        return UsageError(f"{engine} has no flag {name!r}.", hint=near_names(name))
    gone, hint = removed_in(name), texts.instead(name)
    if gone is None or (version is not None and _is_older(name, version)):
        first = history().flags[name].first
        said = f"{engine} has no flag {name!r}: it came with {first}, or shortly before."
        return UsageError(said, hint="Take that version or a newer one, or leave the flag out.")
    return UsageError(f"{engine} has no flag {name!r}: it was gone by {gone}.", hint=hint)


def _is_older(name: str, version: str) -> bool:
    return parse_version(version) < history().flags[name].first


def _checked(flag: Flag, value: FlagValue) -> FlagValue:
    right_type = isinstance(value, flag.type) or (flag.type is float and _is_int(value))
    if value in flag.words:
        return value
    if not right_type or (flag.type is int and isinstance(value, bool)):
        raise _refusal(flag, value)
    if flag.choices and value not in flag.choices:
        raise _refusal(flag, value)
    if isinstance(value, int | float) and not _in_range(flag, value):
        raise _refusal(flag, value)
    return value


def _is_int(value: FlagValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _in_range(flag: Flag, value: float) -> bool:
    return (flag.low is None or value >= flag.low) and (flag.high is None or value <= flag.high)


def _refusal(flag: Flag, value: FlagValue) -> UsageError:
    return UsageError(
        f"The flag {flag.name} takes {flag.expected}, not {value!r}.",
        hint=f"`sparkwell flags {flag.name}` explains it.",
    )


def near_names(name: str) -> str:
    """A hint for a name that is no flag: which ones come near."""
    if alias := aliased(name):
        return f"It is another name of {alias}."
    near = get_close_matches(name, known_names(), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(near)}?" if near else "`sparkwell flags` lists them."


def _value(text: str) -> FlagValue:
    """A flag's value as JSON would read it (numbers, true, false), else the text itself."""
    try:
        value = json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
