"""What somebody typed of a key, and what it means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from multidict import MultiMapping

from sparkwell.core.keys import KeyWish

OVERLAPS = ((0, "at once"), (3600, "in an hour"), (86_400, "in a day"), (604_800, "in a week"))
"""Seconds for which a secret stays good when its key gets another one."""
_NUMBERS = ("rpm", "tpm", "concurrency", "priority")
_LONGEST = 200
_MOST_MODELS = 1000


@dataclass(frozen=True, slots=True)
class KeyForm:
    """The form of a key as it was typed, so that nobody has to type again."""

    name: str = ""
    models: tuple[str, ...] = ()
    rpm: str = ""
    tpm: str = ""
    concurrency: str = ""
    priority: str = ""
    expires: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a form means; ``problems`` are sentences by field, and then there is no wish."""

    wish: KeyWish | None
    problems: Mapping[str, str] = field(default_factory=dict)


def form_from(posted: MultiMapping[Any]) -> KeyForm:
    """The texts of a form that was sent."""
    texts = {
        name: str(posted.get(name, ""))[:_LONGEST].strip()
        for name in (*_NUMBERS, "name", "expires")
    }
    models = [str(each) for each in posted.getall("models", ())][:_MOST_MODELS]
    return KeyForm(models=tuple(dict.fromkeys(models)), **texts)


def read_form(form: KeyForm) -> Reading:
    """The wish of a form, or what is wrong with it. Ranges are checked where keys are made."""
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    readers: dict[str, Callable[[str], float | None]] = dict.fromkeys(_NUMBERS, _whole)
    for name, read in {**readers, "expires": end_of_day}.items():
        try:
            values[name] = read(getattr(form, name))
        except (ValueError, OverflowError) as error:
            problems[name] = str(error)
    if not form.name:
        problems["name"] = "A key needs a name: whose it is, or what asks with it."
    if problems:
        return Reading(None, problems)
    expires_at, priority = values.pop("expires"), values.pop("priority") or 0
    wish = KeyWish(form.name, form.models, priority=priority, expires_at=expires_at, **values)
    return Reading(wish)


def end_of_day(text: str) -> float | None:
    """The end of a date in this machine's time, in seconds since 1970; None for no text."""
    if not text:
        return None
    try:
        next_day = date.fromisoformat(text) + timedelta(days=1)
        return datetime.combine(next_day, time()).astimezone().timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no date such as 2026-12-31.") from None


def overlap_of(posted: MultiMapping[Any]) -> float:
    """For how long the old secret stays good, in seconds; one of the choices, else not at all."""
    text = str(posted.get("overlap", ""))
    return float(next((seconds for seconds, _ in OVERLAPS if str(seconds) == text), 0))


def _whole(text: str) -> int | None:
    if not text:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 16):
        raise ValueError(f"{text[:20]!r} is no whole number.")
    return int(text)
