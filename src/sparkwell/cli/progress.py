"""Showing work that takes a while: a bar on a terminal, plain lines elsewhere."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from sparkwell.cli.client import AdminClient, Json
from sparkwell.core.phases import BEFORE_LAUNCH
from sparkwell.core.units import duration

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

POLL_S = 0.25


class Display(Protocol):
    """Shows the newest status of a start."""

    def show(self, instance: Json) -> None:
        """Show it."""
        ...


async def follow_start(client: AdminClient, instance: str, *, quiet: bool) -> Json:
    """Show the start of ``instance`` until it is ready or over, and return its last status."""
    with _display(quiet) as display:
        while True:
            status = await client.get("status")
            current = _of(status, instance)
            if current["state"] not in ("starting", "waking", "stopping"):
                break
            display.show(current)
            await asyncio.sleep(POLL_S)
    if current["state"] == "ready" and not quiet:
        click.echo(_ready(current, status["gateway"]), err=True)
    return current


def _of(status: Json, instance: str) -> Json:
    for entry in status["instances"]:
        if entry["id"] == instance:
            return dict(entry)
    gone = {"id": instance, "model": instance, "state": "stopped", "last_lines": []}
    return {**gone, "error": "somebody stopped it"}


def _ready(instance: Json, gateway: str) -> str:
    took = f" (its start took {duration(instance['start_s'])})" if instance["start_s"] else ""
    return click.style("✓ ", fg="green") + f"{instance['model']} is ready{took}: {gateway}/v1"


@contextmanager
def _display(quiet: bool) -> Iterator[Display]:
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield bar
    else:
        yield _Lines()


class _Silent:
    def show(self, _instance: Json) -> None:
        """Show nothing."""


class _Lines:
    """For logs and pipes: one line a phase, and one for each tenth of what is fetched."""

    def __init__(self) -> None:
        self._last = ("", 0)

    def show(self, instance: Json) -> None:
        step = (instance["phase"], _tenth(instance))
        if step != self._last:
            self._last = step
            far = f", {10 * step[1]} %{_left(instance)}" if step[1] else ""
            click.echo(f"{duration(instance['elapsed_s']):>6}  {_title(instance)}{far}", err=True)


def _tenth(instance: Json) -> int:
    """Tenths that are done of what is fetched; 0 in phases that go by themselves."""
    share = instance["fraction"] if instance["phase"] in ("pull", "download") else None
    return int(10 * (share or 0))


def _left(instance: Json) -> str:
    left = instance["left_s"]
    return "" if left is None else f", about {duration(left)} left until ready"


class _Bar:
    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress = progress
        self._task = task

    def show(self, instance: Json) -> None:
        self._progress.update(
            self._task,
            description=_title(instance),
            completed=instance["percent"] or 0,
            total=None if instance["percent"] is None else 100,
            note=_note(instance),
        )


def _note(instance: Json) -> str:
    """The time left; nobody can say that something which has no usual time takes long."""
    if instance["left_s"] is not None:
        return f"about {duration(instance['left_s'])} left"
    return "" if instance["phase"] in BEFORE_LAUNCH else "longer than expected"


@contextmanager
def _bar() -> Iterator[_Bar]:
    with _rich_progress() as progress:
        yield _Bar(progress, progress.add_task("", total=100, note=""))


class Show(Protocol):
    """Told the step of a piece of work, its share (0 to 1), and figures that keep changing."""

    def __call__(self, step: str, share: float | None, note: str = "") -> None:
        """Show it."""
        ...


@contextmanager
def step_display(title: str) -> Iterator[Show]:
    """Show the steps of a long piece of work; what it yields is called with each."""
    if not sys.stderr.isatty():
        yield _step_lines(title)
        return
    with _rich_progress() as progress:
        task = progress.add_task(title, total=None, note="")

        def show(step: str, share: float | None, note: str = "") -> None:
            percent = None if share is None else min(100.0, 100 * share)
            progress.update(
                task,
                description=f"{title}: {step}",
                completed=percent or 0,
                total=percent and 100,
                note=note,
            )

        yield show


def _step_lines(title: str) -> Show:
    """A line a step; with figures a line each tenth of it, too, but none at its very beginning."""
    seen: set[tuple[str, int]] = set()

    def show(step: str, share: float | None, note: str = "") -> None:
        tenth = int(10 * share) if share and note else 0
        if (step, tenth) in seen:
            return
        seen.add((step, tenth))
        said = f": {10 * tenth} %, {note}" if tenth else ""
        click.echo(f"{title}: {step}{said}", err=True)

    return show


def _rich_progress() -> "Progress":
    """A bar on stderr; rich is imported only where there is a terminal to draw on."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )


def _title(instance: Json) -> str:
    return f"{instance['model']}: {instance['phase_title']}"
