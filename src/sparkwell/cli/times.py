"""Times as they are typed: how long, since when, until when; and as they are shown."""

import math
import re
from datetime import UTC, datetime, time, timedelta

import click

UNITS_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|m|h|d|w)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def span_s(text: str) -> float | None:
    """Seconds of 90s, 30m, 2h, 1d or 2w; None for anything else."""
    found = _SPAN.fullmatch(text.strip())
    return float(found[1]) * UNITS_S[found[2]] if found else None


class _Typed(click.ParamType[float]):
    """A time as it is typed, which ``read`` understands.

    ``right`` says what could be, ``far`` what is wrong with a time beyond all dates.
    """

    right: str
    far: str

    def read(self, text: str) -> float:
        """The seconds that are meant; raises ValueError or OverflowError where there are none."""
        raise NotImplementedError

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The seconds; fails with what can be written."""
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            return self.read(text)
        except ValueError:
            self.fail(f"{text!r} is {_negative(text) or self.right}.", param, ctx)
        except OverflowError:
            self.fail(f"{text!r} is {self.far}.", param, ctx)


def _negative(text: str) -> str | None:
    """What is wrong with -3d; None for what is none of its kind."""
    if text[:1] != "-" or span_s(text[1:]) is None:
        return None
    return "a negative length of time; write it without the sign, as in 2h"


class Span(_Typed):
    """A length of time (90s, 30m, 2h, 1d); becomes seconds."""

    name = "TIME"
    right = "no length of time such as 90s, 30m, 2h or 1d"
    far = "too long a time"

    def read(self, text: str) -> float:
        """The seconds."""
        seconds = span_s(text)
        if seconds is None:
            raise ValueError(text)
        if math.isinf(seconds):
            raise OverflowError(text)
        return seconds


class Since(_Typed):
    """An age (90s, 30m, 2h, 1d) or a moment in ISO 8601; becomes Unix time in seconds."""

    name = "TIME"
    right = "neither an age such as 90s, 30m, 2h or 1d, nor a moment such as 2026-05-09T14:30"
    far = "too long ago: there are no dates before the year 1; say something like 2h or 1d"

    def read(self, text: str) -> float:
        """The moment; without a zone, local time is meant."""
        if (age_s := span_s(text)) is not None:
            return (datetime.now().astimezone() - timedelta(seconds=age_s)).timestamp()
        return datetime.fromisoformat(text).timestamp()


class SinceDay(Since):
    """An age, or a day of UTC; becomes Unix time in seconds, of which only the day counts."""

    right = "neither an age such as 1d or 4w, nor a day (UTC) such as 2026-05-09"

    def read(self, text: str) -> float:
        """A moment of that day."""
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
        return super().read(text)


class Until(_Typed):
    """A length of time from now on (30d), or a date or moment in ISO 8601; becomes Unix time.

    A date is good to its end. Without a zone, local time is meant.
    """

    name = "30d|DATE"
    right = "neither a length of time such as 12h or 30d, nor a date such as 2026-12-31"
    far = "too far off: there are no dates after the year 9999"

    def read(self, text: str) -> float:
        """The moment."""
        if (seconds := span_s(text)) is not None:
            return (datetime.now().astimezone() + timedelta(seconds=seconds)).timestamp()
        days = 1 if _DATE.fullmatch(text) else 0
        return (datetime.fromisoformat(text) + timedelta(days=days)).timestamp()


def moment(at: float) -> str:
    """A moment in local time, to the minute."""
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M")


def expiry(at: float) -> str:
    """Until when something is good, in local time; a whole day by its date, as it was typed."""
    when = datetime.fromtimestamp(at).astimezone()
    if when.time() != time.min:
        return f"until {moment(at)}"
    return f"through {when - timedelta(days=1):%Y-%m-%d}"
