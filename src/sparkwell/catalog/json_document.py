"""JSON that came from outside: text to a mapping, a mapping to validated values.

A config.json is somebody else's file. Every complaint names the file and the key.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from sparkwell.core.documents import dotted
from sparkwell.core.errors import DocumentError

Model = TypeVar("Model", bound=BaseModel)

MAX_CONFIG_BYTES = 10_000_000
_LONGEST_VALUE = 60
_MOST_COMPLAINTS = 10


def read_object(text: str | bytes, where: str) -> dict[str, Any]:
    """The JSON object in ``text``; raises DocumentError, with the line where it is not JSON."""
    try:
        data = json.loads(text, parse_constant=_no_number, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise DocumentError(f"{where}:{error.lineno}: this is not JSON: {error.msg}") from None
    except UnicodeDecodeError:
        raise DocumentError(f"{where}: this is not text in UTF-8") from None
    except RecursionError:
        raise DocumentError(f"{where}: this is nested too deeply") from None
    except ValueError as error:  # a key twice, NaN, an integer of thousands of digits
        raise DocumentError(f"{where}: {error}") from None
    if not isinstance(data, dict):
        raise DocumentError(f"{where}: expected a JSON object, got {shortened(data)}")
    return data


def validated(data: Mapping[str, Any], schema: type[Model], where: str) -> Model:
    """``data`` as ``schema`` wants it; raises DocumentError with a line for each wrong key."""
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        lines = dict.fromkeys(_complaint(entry, where) for entry in error.errors())
        more = len(lines) - _MOST_COMPLAINTS
        shown = [*lines][:_MOST_COMPLAINTS]
        said = [*shown, f"{where}: and {more} more of the kind"] if more > 0 else shown
        raise DocumentError("\n".join(said)) from None


def shortened(value: Any) -> str:
    """A value as it may be quoted in a message; never longer than a line."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "a very large value"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _complaint(entry: Any, where: str) -> str:
    key = dotted(entry["loc"])
    if entry["type"] == "missing":
        return f"{where}: {key}: this key is required and missing"
    said = str(entry["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    given = entry.get("input")
    got = "" if isinstance(given, dict) else f", got {shortened(given)}"
    return f"{where}: {key + ': ' if key else ''}should be {said}{got}"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two values for one key: readers differ in which they take, so neither is believed."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"{shortened(twice)}: this key is there twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
