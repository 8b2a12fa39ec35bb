"""The part of `sparkwell top` that shows the switch under way, or how the last one went."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from sparkwell.cli.top.course import Course, last_course, merged, seen
from sparkwell.cli.top.lines import cut, line, rule
from sparkwell.cli.top.scene import Scene
from sparkwell.cli.top.sections import Section
from sparkwell.cli.top.words import STEPS, stopwatch, switch_detail, switch_title
from sparkwell.core.units import duration

Json = Mapping[str, Any]
OUTCOME_STYLES = {"done": "green", "failed": "red", "rolled back": "red", "called off": "yellow"}


def switch(scene: Scene, now: float, width: int) -> Section | None:
    """The switch under way, else the last one that the events tell of; None without either."""
    told = last_course(scene.events)
    under_way = scene.status.get("switch")
    if under_way:
        return _under_way(scene, merged(told, seen(under_way, scene.steps)), now, width)
    if told and told.outcome and told.ended is not None:
        return _over(told, now, width)
    return None


def _under_way(scene: Scene, course: Course, now: float, width: int) -> Section:
    current = scene.status["switch"]
    began = course.began_at
    spent = current.get("since_s") if began is None else now - began
    so_far = "" if spent is None else f"  {stopwatch(spent)} so far"
    title = rule(line(("Switch", "bold"), f"  {switch_title(current)}{so_far}"), width)
    instances = scene.status.get("instances") or ()
    detail = switch_detail(current, instances, scene.status.get("memory"))
    steps = _steps(course, str(current.get("step")), now, width)
    lines = [steps, line(("   ▸ ", "yellow"), detail)]
    return Section(title, tuple(cut(each, width) for each in lines), least=3, rank=1)


def _steps(course: Course, current: str, now: float, width: int) -> Text:
    """Every step: done with the seconds that it took, under way, or still to come.

    On a narrow screen the first ones are left out, as long as they are done.
    """
    place = STEPS.index(current) if current in STEPS else -1
    parts = [_step(course, step, index - place, now) for index, step in enumerate(STEPS)]
    row = _row(parts)
    for done in range(max(0, place)):
        if row.cell_len > width:
            row = _row(parts[done + 1 :])
    return row


def _row(parts: Sequence[Text]) -> Text:
    return line(" ", *(line("  ", part) for part in parts if part))


def _step(course: Course, step: str, beyond: int, now: float) -> Text:
    spent = course.spent(step, now)
    took = "" if spent is None else f" {stopwatch(spent)}"
    if beyond > 0:
        return line((f"○ {step}", "dim"))
    if beyond == 0:
        return line(("● ", "yellow"), (step, "bold yellow"), took)
    # A step that nobody saw was passed over: there was nothing to drain, or nothing to stop.
    return line(("✓ ", "green"), f"{step}{took}") if took else line()


def _over(course: Course, now: float, width: int) -> Section:
    ended, began = course.ended or now, course.began_at
    total = "" if began is None else f" in {stopwatch(ended - began)}"
    outcome = str(course.outcome)
    what = switch_title({"from": course.gone, "to": course.to})
    title = line(
        ("Last switch", "bold"),
        f"  {what}  ",
        (f"{outcome}{total}", OUTCOME_STYLES.get(outcome, "")),
        f", {duration(now - ended)} ago",
    )
    lines = [_took(course, ended)]
    if course.outcome != "done":
        style = OUTCOME_STYLES.get(outcome, "")
        lines.append(line(("   ✗ ", style), (course.message, style)))
    made = tuple(cut(each, width) for each in lines)
    return Section(rule(title, width), made, least=3, rank=1)


def _took(course: Course, ended: float) -> Text:
    parts = [
        f"{step} {stopwatch(spent)}"
        for step in STEPS
        if (spent := course.spent(step, ended)) is not None
    ]
    return line(("   " + "  ".join(parts), "dim"))
