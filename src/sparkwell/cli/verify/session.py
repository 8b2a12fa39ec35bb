"""One run of `sparkwell verify`: what was asked for, and what its steps share."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import click

from sparkwell.app.verifying.gathered import Gathered
from sparkwell.app.verifying.looking import plan_of_run, started
from sparkwell.cli.bringing_up import Begun
from sparkwell.cli.client import AdminClient, Json, NoDaemonError
from sparkwell.cli.context import Context
from sparkwell.cli.telling import tell
from sparkwell.hardware.samples import MachineSample

if TYPE_CHECKING:
    from sparkwell.catalog import Recipe

GONE = ("failed", "stopped")
"""States of an instance that is not there."""
_TITLES = {
    "preflight": "Pre-flight", "up": "Starting", "bench": "Measuring",
    "doctor": "Asking the doctor about", "down": "Stopping",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be verified, and how. ``flags`` are as they were typed, ``command`` as well."""

    recipe: "Recipe"
    suite: str
    repeats: int
    flags: tuple[str, ...] = ()
    profile: str | None = None
    keep: bool = False
    quiet: bool = False
    command: str = "sparkwell verify"


@dataclass(slots=True)
class Session:
    """What the steps work on. ``status`` is the daemon's before the first, None without one.

    ``begun`` is what our own start has begun, ``before`` is the machine just before it.
    """

    context: Context
    wish: Wish
    found: Gathered
    status: Json | None = None
    begun: Begun = field(default_factory=Begun)
    before: MachineSample | None = None

    @property
    def began(self) -> bool:
        """Whether the model's start is ours: nobody else had begun it."""
        return self.found.model in self.begun.models

    @property
    def daemon_is_ours(self) -> bool:
        """Whether none was there; one that took an idle one's place stays, as that would have."""
        return self.begun.daemon and self.status is None

    def say(self, step: str) -> None:
        """Tell which step begins."""
        if not self.wish.quiet:
            said = f"{_TITLES[step]} {self.found.model}"
            tell(click.style(said, bold=True))

    def is_up(self, instance: Json) -> None:
        """Take in the run that is measured, and plan with its very flags."""
        self.found.instance = instance
        self.found.plan = plan_of_run(self.context.models, self.wish.recipe, instance)
        self.learn()

    def learn(self) -> None:
        """Take in what the start took; the store has it a moment after it is ready."""
        found = self.found
        if found.instance is not None:
            known = started(self.context.paths, found.machine, found.instance)
            found.started = replace(known, held_bytes=found.started.held_bytes)


async def status_now(context: Context) -> Json | None:
    """The daemon's status; None where there is no daemon."""
    with suppress(NoDaemonError):
        async with AdminClient(context.paths) as client:
            return await client.get("status")
    return None


def instance_of(status: Json | None, model: str) -> Json | None:
    """The run of that model that is there, in whatever state."""
    told = () if status is None else status["instances"]
    found = (each for each in told if each["model"] == model and each["state"] not in GONE)
    return next((dict(each) for each in found), None)
