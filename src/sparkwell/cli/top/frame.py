"""One frame of `sparkwell top`: from what is known now, and the size of the screen, to lines."""

from collections.abc import Iterable

from rich.console import Group
from rich.text import Text

from sparkwell.cli.top.events import events
from sparkwell.cli.top.findings import findings
from sparkwell.cli.top.header import header
from sparkwell.cli.top.lines import cut, line
from sparkwell.cli.top.models import models
from sparkwell.cli.top.queue import queue
from sparkwell.cli.top.scene import Scene
from sparkwell.cli.top.sections import Section, fitted, least, wanted
from sparkwell.cli.top.switch import switch
from sparkwell.core.units import duration

SILENT_S = 3.0
"""A daemon that has not answered for this long is said to be silent."""
MODELS, FINDINGS, NOTHING = frozenset({"models"}), frozenset({"findings"}), frozenset[str]()


def frame(
    scene: Scene,
    now: float,
    width: int,
    height: int,
    *,
    live: bool = False,
    silent_s: float = SILENT_S,
) -> Group:
    """Everything, in ``height`` lines of ``width`` cells at most. ``now`` is Unix seconds.

    ``live`` says that keys are heard; ``silent_s`` how old the status may be.
    """
    notice = _notice(scene, now, silent_s)
    top = [notice] if notice else []
    room = max(0, height - len(top))
    lines = fitted(_sections(scene, now, width, room, live=live), room)
    if scene.gone_since is not None:
        for each in lines:
            each.stylize("dim")
    return Group(*(cut(each, width) for each in [*top, *lines][:height]))


def _sections(scene: Scene, now: float, width: int, room: int, *, live: bool) -> list[Section]:
    """With as much of what is only good to know as fits; on a low screen findings are counted."""
    for air in (MODELS | FINDINGS, MODELS):
        airy = _parts(scene, now, width, live=live, air=air)
        if wanted(airy) <= room:
            return airy
    tight = _parts(scene, now, width, live=live)
    return tight if least(tight) <= room else _parts(scene, now, width, live=live, low=True)


def _parts(
    scene: Scene,
    now: float,
    width: int,
    *,
    live: bool,
    air: frozenset[str] = NOTHING,
    low: bool = False,
) -> list[Section]:
    """The sections; those in ``air`` say also what is only good to know."""
    status = scene.status
    seen = now if scene.gone_since is None else scene.at  # nothing is known of the time since
    found = None if low else status.get("findings")
    errors = [each.get("error") for each in status.get("instances") or ()]
    parts: Iterable[Section | None] = (
        header(status, now, width, live=live, low=low),
        models(status, seen, width, air=air >= MODELS),
        switch(scene, seen, width),
        queue(status, width),
        findings(found, width, air=air >= FINDINGS, said=errors),
        events(scene.events, width),
    )
    return [part for part in parts if part is not None]


def _notice(scene: Scene, now: float, silent_s: float) -> Text | None:
    if scene.gone_since is not None:
        ago = duration(now - scene.gone_since)
        words = f" The daemon ended {ago} ago: waiting for it. Below is what it last said."
        return line((words, "bold yellow"))
    if now - scene.at > silent_s:
        words = f" The daemon has not answered for {duration(now - scene.at)}."
        return line((words, "bold yellow"))
    return None
