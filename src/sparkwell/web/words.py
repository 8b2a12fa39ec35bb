"""Words and marks for states, events and texts: filters of the templates."""

import json
import re
from typing import Any

from markupsafe import Markup, escape

_QUOTED = re.compile(r"`([^`]+)`")
NAMES = {
    "ready": "ready",
    "starting": "loading",
    "waking": "waking",
    "draining": "draining",
    "stopping": "stopping",
    "sleeping": "going to sleep",
    "asleep": "asleep",
    "failed": "failed",
    "stopped": "stopped",
}
TONES = {"ready": "good", "failed": "bad", "asleep": "quiet", "stopped": "quiet"}

BAD = (
    "instance.failed",
    "switch.failed",
    "guard.tripped",
    "guard.lost",
    "guard.cannot_end",
    "breaker.open",
)
ODD = (
    *("canary.failed", "store.degraded", "store.renewed", "switch.rolled_back"),
    *("memory.reboot_suspected", "memory.waiting", "queue.refused"),
)
GOOD = ("instance.ready", "switch.done", "breaker.closed", "store.restored")


def state_name(state: str | None) -> str:
    """The word for an instance's state."""
    return NAMES.get(state or "stopped", state or "stopped")


def tone(state: str | None) -> str:
    """How a state is marked: good, bad, quiet, or busy."""
    return TONES.get(state or "stopped", "busy")


def event_tone(kind: str) -> str:
    """How an event is marked."""
    for tone, kinds in (("bad", BAD), ("odd", ODD), ("good", GOOD)):
        if kind in kinds:
            return tone
    return "plain"


def sentence(text: str) -> str:
    """Words as a sentence: with a capital first, and an end; "" stays."""
    begun = text[:1].upper() + text[1:]
    return begun if not begun or begun.endswith((".", "!", "?")) else f"{begun}."


def slug(name: str) -> str:
    """A name as part of an element's id: other characters than letters and digits as their code."""
    return "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in name)


def marked(text: str | None) -> Markup:
    """Words with what stands in `backquotes` as code; everything is escaped first."""
    # As str: a Markup would escape what is put in as well.
    return Markup(_QUOTED.sub(r"<code>\1</code>", str(escape(text or ""))))  # noqa: S704


def script_json(value: Any) -> str:
    """JSON for a data attribute; the template escapes it."""
    return json.dumps(value, separators=(",", ":"))
