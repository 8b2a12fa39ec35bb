"""What may be edited of a model, as fields of a form, and what was typed there, as values."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from sparkwell.app.editing import quantization
from sparkwell.app.editing.flags import editable_flags
from sparkwell.app.settings.config import ModelSettings
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm.flag_table import Flag
from sparkwell.engines.vllm.flags import check_flag
from sparkwell.engines.vllm.history import choices, parse_version
from sparkwell.web.services import Field

Kind = Literal["bool", "int", "float", "text", "choice"]
NUM_CTX = Flag("num_ctx", int, 1, 10_000_000)
"""The one flag of a model in Ollama."""
LARGEST = 2**63 - 1
YEAR_S = 365 * 86_400
BACK_ENDS = ("auto", "cold", "sleep-1", "sleep-2")
_INT = re.compile(r"-?(0|[1-9][0-9]{0,18})", re.ASCII)
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?", re.ASCII)
# No dash first: the value becomes a word of a command line, and must not be an option there.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)
_KINDS: Mapping[type, Kind] = {bool: "bool", int: "int", float: "float", str: "text"}
_LONGEST_SHOWN = 40
_AUTO_CONTEXT = parse_version("0.14.1")  # the first that takes auto and -1 (flag_texts.yaml)


def flag_fields(version: str) -> dict[str, Field]:
    """The flags of vLLM's that may be changed, by name; no values yet."""
    return {flag.name: _field(flag, version) for flag in editable_flags(version)}


def ollama_fields() -> dict[str, Field]:
    """The same for a model in Ollama."""
    purpose = "longest prompt plus answer, in tokens"
    low, high = NUM_CTX.low, NUM_CTX.high
    return {
        NUM_CTX.name: Field(
            NUM_CTX.name, "int", purpose, expected=NUM_CTX.expected, low=low, high=high
        )
    }


def limit_fields(idle_s: str, back_end: str | None) -> dict[str, Field]:
    """The limits of a model; ``idle_s`` and ``back_end`` are what holds for all models.

    None means that this one has no choice of how it makes room.
    """
    seconds = f"a number from 0 to {YEAR_S:,}"
    fields = [
        Field("idle_s", "float", _said("idle_s"), "", idle_s, seconds, low=0, high=YEAR_S),
        Field("pinned", "bool", _said("pinned"), default="false", expected="true or false"),
        Field(
            "priority",
            "int",
            _said("priority"),
            default="0",
            expected="a whole number from -100 to 100",
            low=-100,
            high=100,
        ),
    ]
    if back_end is not None:
        words = f"one of {', '.join(BACK_ENDS)}"
        said = _said("back_end")
        fields.append(
            Field("back_end", "choice", said, default=back_end, expected=words, choices=BACK_ENDS)
        )
    return {each.name: each for each in fields}


def typed(field: Field, text: str) -> FlagValue:
    """The value of a text, read strictly by the field's kind.

    Raises UsageError with what is wrong, what is taken, and what an empty text means.
    """
    value = _read(field, text)
    if value is None or not _in_range(field, value):
        raise UsageError(
            f"{field.name} takes {field.expected}, not {_shown(text)}. "
            "Correct it, or leave it empty: then it is chosen for you."
        )
    return value


def typed_flag(field: Field, text: str, version: str) -> FlagValue:
    """The same for a flag of vLLM's, which this version must take."""
    return check_flag(field.name, typed(field, text), version)


def text_of(value: Any) -> str:
    """A value as somebody types it; None is nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(repr(value)).normalize(), "f")
    return str(value)


def _field(flag: Flag, version: str) -> Field:
    listed = _listed(flag, version)
    words = _words(flag, version)
    kind: Kind = "choice" if listed else _KINDS[flag.type]
    return Field(
        flag.name,
        kind,
        flag.purpose,
        expected=_expected(flag, listed, words),
        choices=listed,
        words=words,
        low=flag.low,
        high=flag.high,
    )


def _listed(flag: Flag, version: str) -> tuple[str, ...]:
    """The words that this version takes, where it takes no others."""
    if flag.name == quantization.FLAG:
        return quantization.methods(version)
    known = choices(flag.name, version) if flag.type is str else ()
    return flag.choices or tuple(str(word) for word in known)


def _words(flag: Flag, version: str) -> tuple[str, ...]:
    if flag.name == "max_model_len" and parse_version(version) < _AUTO_CONTEXT:
        return ()
    return tuple(str(word) for word in flag.words)


def _expected(flag: Flag, listed: tuple[str, ...], words: tuple[str, ...]) -> str:
    if listed:
        return f"one of {', '.join(listed)}"
    if flag.type is str:
        return "a name of letters, digits, dots, dashes and underscores"
    return " or ".join((flag.expected, *words))


def _read(field: Field, text: str) -> FlagValue | None:
    """The value, None for a text of another kind."""
    if text in field.words:
        return int(text) if _INT.fullmatch(text) else text
    match field.kind:
        case "bool":
            return {"true": True, "false": False}.get(text)
        case "int":
            return int(text) if _INT.fullmatch(text) else None
        case "float":
            return float(text) if _FLOAT.fullmatch(text) else None
        case "choice":
            return text if text in field.choices else None
        case "text":
            return text if _NAME.fullmatch(text) else None


def _in_range(field: Field, value: FlagValue) -> bool:
    if isinstance(value, bool | str) or text_of(value) in field.words:
        return True
    low = -LARGEST if field.low is None else field.low
    high = LARGEST if field.high is None else field.high
    return low <= value <= high


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def _said(name: str) -> str:
    return ModelSettings.model_fields[name].description or ""
