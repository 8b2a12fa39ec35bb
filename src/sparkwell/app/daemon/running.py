"""What runs now, as a person's command sees it, and what cannot be asked of it at the moment."""

from collections.abc import Iterable
from dataclasses import dataclass

from sparkwell.app.daemon.seen import Seen
from sparkwell.app.served import Served
from sparkwell.core.errors import ConflictError, EnvironmentFault, UsageError
from sparkwell.supervisor.box import State


@dataclass(frozen=True, slots=True)
class WhatRuns:
    """Looks at the supervisor's instances; changes nothing."""

    seen: Seen

    def runs(self, served: Served) -> bool:
        """Whether it serves, or is about to."""
        instance = self.seen.supervisor.of(served.name)
        return instance is not None and instance.state in (State.STARTING, State.READY)

    def lives(self, served: Served) -> bool:
        """Also one that sleeps, or that is about to leave: it goes on with what it has."""
        instance = self.seen.supervisor.of(served.name)
        return instance is not None and instance.holds_the_machine

    def held(self) -> dict[str, int | None]:
        """What models hold now by their plans, in bytes: those that run, or that may still."""
        holding = [
            each for each in self.seen.supervisor.instances if each.holds_the_machine or each.lost
        ]
        return {each.model: each.now_held_bytes for each in holding}

    def only_one(self) -> Served:
        """The model that is meant where none was named; raises UsageError where that is open."""
        instances = self.seen.supervisor.instances
        live = [each for each in instances if each.holds_the_machine] or list(instances)
        if len(live) == 1:
            return self.seen.served(live[0].model)
        if not live:
            raise UsageError("No model runs.", hint="Start one with `sparkwell up MODEL`.")
        names = ", ".join(each.model for each in live)
        raise UsageError("Several models run.", hint=f"Name one of them: {names}.")

    def refuse_who_is_stopping(self, models: Iterable[Served]) -> None:
        """Raise ConflictError for one that is on its way down."""
        for each in models:
            instance = self.seen.supervisor.of(each.name)
            if instance and instance.state is State.STOPPING:
                raise ConflictError(
                    f"{each.name} is still stopping, so it cannot start yet.",
                    hint="Try again in a moment.",
                )

    def refuse_the_lost(self, name: str | None) -> None:
        """Raise EnvironmentFault for an engine of that name, None: of any, that may still run.

        A stop that could not be seen to is no stop: its memory may still be taken.
        """
        for each in self.seen.supervisor.instances:
            if each.lost and name in (None, each.model):
                again = f"`sparkwell down {each.model}` tries again."
                raise EnvironmentFault(
                    f"{each.model} may still run: {each.error}.",
                    hint=f"{each.hint} {again}" if each.hint else again,
                )
