"""Words for the switch, the queue, the memory and its guard: shared by `top`, `status` and `ps`.

All take parts of the status document. A key that an older daemon does not send is unknown, as
one with null is.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sparkwell.core.phases import BEFORE_LAUNCH
from sparkwell.core.units import GIB, duration

Part = Mapping[str, Any]
UNKNOWN = "not reported"
STEPS = ("draining", "stopping", "verifying", "starting")
"""The steps of a switch, in their order."""
SERVING_STATES = ("ready", "draining")
BECOMING_STATES = ("starting", "waking")


def plain(text: object) -> str:
    """A text that may have come from anywhere, as one line without control characters."""
    return "".join(char if char.isprintable() else " " for char in str(text))


def brief(seconds: float | None) -> str:
    """A time in one unit, two of it at least: ``"95 s"``, ``"12 min"``; empty if unknown."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def stopwatch(seconds: float) -> str:
    """A time of a step, which may be short: ``"3.1 s"``, ``"45 s"``, ``"1 min 05 s"``."""
    return f"{max(0.0, seconds):.1f} s" if seconds < 9.95 else duration(seconds)


def clock(at: float) -> str:
    """The local time of day."""
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def gib(count: float | None) -> str:
    """Bytes as GiB without the unit, ``"?"`` when unknown."""
    return "?" if count is None else f"{count / GIB:.1f}"


def counted(count: int, word: str) -> str:
    """A number with its noun: ``"1 request"``, ``"3 requests"``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def serving(entry: Part) -> int | None:
    """How many requests an instance serves now; None where it can serve none, or nobody says."""
    if entry.get("state") not in SERVING_STATES:
        return None
    count = entry.get("serving", entry.get("requests_running"))
    return None if count is None else int(count)


def engine(entry: Part) -> str:
    """The engine with its version; empty when it is not known yet."""
    return f"{entry.get('engine') or ''} {entry.get('engine_version') or ''}".strip()


def how_far(entry: Part) -> list[str]:
    """What is known of a start's progress, as parts of a sentence."""
    parts = [str(entry.get("phase_title") or entry.get("phase") or entry.get("state"))]
    if entry.get("percent") is not None:
        parts.append(f"{entry['percent']:.0f} %")
    return [*parts, *time_left(entry)]


def time_left(entry: Part) -> list[str]:
    """How long a start will still take; nothing where nobody can say that it takes long."""
    if entry.get("left_s") is not None:
        return [f"about {duration(entry['left_s'])} left"]
    overdue = entry.get("percent") is not None and entry.get("phase") not in BEFORE_LAUNCH
    return ["longer than expected"] if overdue else []


# ── memory and guard ────────────────────────────────────────────────────────────────────────


def memory_words(memory: Part | None) -> list[str]:
    """Total and available memory, what plans promise, the guard's floor: one part each."""
    if not memory or all(value is None for value in memory.values()):
        return []
    return [_available(memory), _promised(memory), _floor(memory)]


def _available(memory: Part) -> str:
    total, free = memory.get("total_bytes"), memory.get("available_bytes")
    if free is None:
        of = "" if total is None else f" (of {gib(total)} GiB)"
        return f"available {UNKNOWN}{of}"
    return f"available {gib(free)}{'' if total is None else f' of {gib(total)}'} GiB"


def _promised(memory: Part) -> str:
    promised, budget = memory.get("promised_bytes"), memory.get("budget_bytes")
    if promised is None:
        return f"promised {UNKNOWN}"
    return f"promised {gib(promised)}{'' if budget is None else f' of {gib(budget)}'}"


def _floor(memory: Part) -> str:
    floor = memory.get("floor_bytes")
    return f"floor {UNKNOWN if floor is None else gib(floor)}"


def guard_words(guard: Part | None) -> str:
    """What the memory guard does, and whom it could not end."""
    if guard is None or guard.get("running") is None:
        return f"guard {UNKNOWN}"
    if not guard["running"]:
        return "guard off" if guard.get("enabled") is False else "guard not running"
    if models := guard.get("cannot_end"):
        return f"guard watching, cannot end {', '.join(map(plain, models))}"
    if guard.get("protected") is False:
        return "guard not protected from the OOM killer"
    return "guard watching"


# ── switch and queue ────────────────────────────────────────────────────────────────────────


def switch_title(switch: Part) -> str:
    """From which models to which: ``"a, b → c"``; of a start that replaces nothing ``"c"``."""
    gone = ", ".join(switch.get("from") or ())
    return f"{gone} → {switch.get('to')}" if gone else str(switch.get("to"))


def switch_detail(switch: Part, instances: Iterable[Part], memory: Part | None) -> str:
    """What the step that is under way waits for."""
    entries = list(instances)
    match switch.get("step"):
        case "draining":
            return _draining(switch, entries)
        case "stopping":
            return f"waiting until every process of {_joined(switch)} is gone"
        case "verifying":
            return f"waiting until the memory is back: {_available(memory or {})}"
        case _:
            starting = [each for each in entries if each.get("model") == switch.get("to")]
            return ", ".join(how_far(starting[0])) if starting else ""


def _draining(switch: Part, entries: list[Part]) -> str:
    models = switch.get("from") or ()
    counts = [serving(each) for each in entries if each.get("model") in models]
    left = sum(count for count in counts if count is not None)
    if not any(count is not None for count in counts):
        return f"waiting for the requests of {_joined(switch)}"
    return f"{counted(left, 'request')} of {_joined(switch)} left"


def _joined(switch: Part) -> str:
    return " and ".join(switch.get("from") or ("the old model",))


def queue_words(entry: Part) -> str:
    """One model's waiting requests, as a sentence's parts."""
    parts = [f"{entry.get('waiting')} waiting"]
    if entry.get("oldest_s") is not None:
        parts.append(f"the oldest for {duration(entry['oldest_s'])}")
    if entry.get("priority"):
        parts.append(f"priority {entry['priority']}")
    return ", ".join([*parts, estimated(entry)])


def estimated(entry: Part) -> str:
    """How long a model's requests will still wait, as far as anybody can tell."""
    left_s = entry.get("estimated_s")
    return "time left not known" if left_s is None else f"about {duration(left_s)} left"
