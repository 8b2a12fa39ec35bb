"""The events in `sparkwell top`: what happened, the newest last."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from sparkwell.cli.top.lines import cut, line, rule
from sparkwell.cli.top.sections import Section
from sparkwell.cli.top.words import clock

Json = Mapping[str, Any]
BAD = ("failed", "tripped", "lost", "open")
WORTH_A_LOOK = (
    *("refused", "waiting", "draining", "stopping", "degraded", "renewed"),
    *("called_off", "rolled_back", "not_back", "reboot_suspected"),
)
GOOD = ("done", "ready", "verified", "closed", "restored")


def events(happened: Sequence[Json], width: int) -> Section:
    """What happened, the newest last; of what does not fit, the newest is shown."""
    lines = [cut(_event(event), width) for event in happened]
    nothing = line((" Nothing has happened yet.", "dim"))
    title = rule(line(("Events", "bold")), width)
    return Section(title, tuple(lines) or (nothing,), least=4, rank=5, keep="last")


def _event(event: Json) -> Text:
    message = str(event.get("message") or event.get("kind"))
    model = event.get("model")
    about = f"{model}: " if model and str(model) not in message else ""
    return line(" ", (clock(event["at"]), "dim"), f"  {about}", (message, event_style(event)))


def event_style(event: Json) -> str:
    """The colour of an event, by the last word of its kind."""
    word = str(event.get("kind")).rpartition(".")[2]
    if word in BAD:
        return "red"
    if word in WORTH_A_LOOK:
        return "yellow"
    return "green" if word in GOOD else ""
