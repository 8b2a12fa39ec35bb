"""Figures and times as the pages write them, unknown as a dash: filters of the templates."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sparkwell.core.units import GIB, duration, file_size

UNKNOWN = "\N{EN DASH}"


def gib(count: float | None, digits: int = 1) -> str:
    """Bytes as GiB, without the unit."""
    return UNKNOWN if count is None else f"{count / GIB:,.{digits}f}"


def figure(value: float | None) -> str:
    """A figure in three digits or so: ``"0.42"``, ``"42.6"``, ``"1,204"``."""
    if value is None:
        return UNKNOWN
    digits = 0 if abs(value) >= 100 or value == 0 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def whole(value: float | None) -> str:
    """A count."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def percent(share: float | None) -> str:
    """A share of 0 to 1."""
    return UNKNOWN if share is None else f"{share * 100:.0f} %"


def seconds(value: float | None) -> str:
    """A time that may be short: ``"85 ms"``, ``"1.24 s"``, ``"2 min 05 s"``."""
    if value is None:
        return UNKNOWN
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s" if value < 60 else duration(value)


def span(value: float | None) -> str:
    """A long time: ``"1 h 20 min"``."""
    return UNKNOWN if value is None else duration(value)


def size(count: float | None) -> str:
    """Bytes of a file."""
    return UNKNOWN if count is None else file_size(count)


def clock(at: float | None) -> str:
    """Unix seconds as the local time of the machine, with the date where it is not today's."""
    if at is None:
        return UNKNOWN
    when, today = datetime.fromtimestamp(at).astimezone(), datetime.now().astimezone().date()
    return when.strftime("%H:%M:%S" if when.date() == today else "%Y-%m-%d %H:%M:%S")


def until(at: float | None) -> str:
    """Unix seconds as a local time to the minute; what ends at midnight, as the day before it."""
    if at is None:
        return UNKNOWN
    when = datetime.fromtimestamp(at).astimezone()
    if (when.hour, when.minute, when.second) == (0, 0, 0):
        return f"the end of {when - timedelta(days=1):%Y-%m-%d}"
    return f"{when:%Y-%m-%d %H:%M}"


def iso(at: float) -> str:
    """Unix seconds for the attribute of a <time>."""
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")


def share(part: float | None, of: float | None) -> float:
    """A length in a bar, 0 to 100; an unknown one has none."""
    if part is None or not of:
        return 0.0
    return round(max(0.0, min(100.0, 100.0 * part / of)), 3)


def machine_figures(machine: Mapping[str, float | None] | None) -> list[tuple[str, str]]:
    """How busy the machine is, as names and values; what is not known is left out."""
    told = machine or {}
    known: tuple[tuple[str, str, Callable[[float], str], float], ...] = (
        ("GPU", "gpu_used", percent, 0),
        ("Power", "power_w", lambda value: f"{value:.0f} W", 0),
        ("Temperature", "temperature_c", lambda value: f"{value:.0f} °C", 0),
        ("CPU", "cpu_used", percent, 0),
        ("Swap in use", "swap_used_bytes", lambda value: f"{gib(value)} GiB", 0.05 * GIB),
        ("Stalled for memory", "memory_stalled", percent, 0.005),
    )
    return [
        (name, words(value))
        for name, key, words, least in known
        if (value := told.get(key)) is not None and value >= least
    ]
