"""Events as lines for the terminal: when, which model, what, and what to do about it."""

from collections.abc import Sequence
from datetime import datetime

import click

from sparkwell.core.events import Event

_COLOURS = {
    "red": (
        "instance.failed",
        "switch.failed",
        "guard.tripped",
        "guard.lost",
        "guard.cannot_end",
        "breaker.open",
    ),
    "yellow": (
        *("canary.failed", "store.degraded", "store.renewed", "switch.rolled_back"),
        *("memory.reboot_suspected", "memory.waiting", "memory.unexplained", "queue.refused"),
        "stop.takes_long",
        "switch.draining_long",
    ),
    "green": ("instance.ready", "switch.done", "breaker.closed", "store.restored"),
}
_COLOUR = {kind: colour for colour, kinds in _COLOURS.items() for kind in kinds}


class Lines:
    """Prints events; the columns of times and models are as wide as the longest so far."""

    def __init__(self) -> None:
        self._widths = (0, 0)

    def show(self, events: Sequence[Event]) -> None:
        """Print them, as many lines each as they need."""
        now = datetime.now().astimezone()
        heads = [(moment(event.at, now), event.model or "-") for event in events]
        times, models = ([len(head[column]) for head in heads] for column in (0, 1))
        self._widths = (max([self._widths[0], *times]), max([self._widths[1], *models]))
        for event, head in zip(events, heads, strict=True):
            click.echo("\n".join(event_lines(event, head, self._widths)))


def event_lines(event: Event, head: tuple[str, str], widths: tuple[int, int]) -> list[str]:
    """The lines of one event: its head in columns, what happened, what to do. Styled."""
    begun = f"{head[0]:>{widths[0]}}  {head[1]:<{widths[1]}}  "
    hint = [" " * len(begun) + click.style(line, dim=True) for line in _hint(event).splitlines()]
    return [begun + _said(event), *hint]


def moment(at: float, now: datetime) -> str:
    """Unix time in seconds as local time, with its date when that is not today's."""
    when = datetime.fromtimestamp(at).astimezone(now.tzinfo)
    return when.strftime("%H:%M:%S" if when.date() == now.date() else "%Y-%m-%d %H:%M:%S")


def _said(event: Event) -> str:
    """The message, without the name that stands before it already."""
    text = event.message.removeprefix(f"{event.model}: ")
    colour = _COLOUR.get(event.kind)
    return click.style(text, fg=colour) if colour else text


def _hint(event: Event) -> str:
    hint = event.data.get("hint")
    return hint if isinstance(hint, str) else ""
