"""Writes down what a next daemon has to know: failures, restarts, and which models were ready."""

import json
import time
from collections.abc import Callable, Collection

from sparkwell.app.guard.wedged import breaker_of
from sparkwell.core.events import Event
from sparkwell.core.launch import HELD
from sparkwell.store import BreakerRow, Resident, Store
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.box import Box, Instance, Leaving, State
from sparkwell.supervisor.breaker import OPEN_S, Breaker

KEPT = "kept"
_WHO_IS_THERE = frozenset(
    {
        "instance.adopted",
        "instance.ready",
        "instance.stopped",
        "instance.failed",
        "instance.kept",
        "instance.asleep",
        "instance.not_back",
        "guard.tripped",
        "switch.called_off",
        "switch.failed",
    }
)


class Remembering:
    """Hears each event of the journal. ``supervisor`` is set when there is one.

    ``boot_id`` is that of this boot: the residents of another one are those that a reboot ended.
    """

    def __init__(
        self, store: Store, boot_id: str | None, *, now: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._boot_id = boot_id
        self._now = now
        self._failed: dict[str, tuple[str, str]] = {}
        self._held_against = set(store.breakers.load())
        self._of_last_boot = store.residents.of_last_boot(boot_id)
        self._residents = store.residents.of_this_boot(boot_id)
        self._kept: dict[str, bool] = {}
        self._recovered = False
        self.supervisor: Supervisor | None = None
        self.ending = False

    def recovered(self) -> None:
        """What the last list says has been seen to: from now on this daemon writes its own.

        Not sooner: the first engine that is found would wipe out all that are to come back.
        """
        self._recovered = True
        if self.supervisor:
            self._keep_residents(self.supervisor)

    def hear(self, event: Event) -> None:
        """Write down what the event changes."""
        if self.supervisor is None or self.ending:
            return
        match event.kind:
            case "instance.failed":
                self._keep_failure(event, self.supervisor)
            case "instance.starting":
                self._keep_restart(event)
        self._keep_runs(self.supervisor.box)
        self._forgive(self.supervisor.box)
        if event.kind in _WHO_IS_THERE and self._recovered:
            self._keep_residents(self.supervisor)

    def _keep_failure(self, event: Event, supervisor: Supervisor) -> None:
        if event.model is None or event.instance is None:
            return
        self._failed[event.model] = (event.instance, str(event.data.get("error") or event.message))
        breaker, instance = supervisor.box.breaker(event.model), supervisor.get(event.instance)
        if breaker is None:
            return
        self._held_against.add(breaker.model)
        lines = instance.record.last_lines if instance and instance.record else ()
        wait_s = breaker.not_before - supervisor.now
        self._store.breakers.save(
            BreakerRow(
                breaker.model,
                breaker.failures,
                self._now() + wait_s,
                breaker.reason,
                breaker.instance,
                tuple(lines),
                breaker.while_starting,
                tuple(each.to_json() for each in instance.findings) if instance else (),
            )
        )

    def _keep_restart(self, event: Event) -> None:
        """A start after a failure: of itself, for a request, or by a person."""
        failed = self._failed.pop(event.model or "", None)
        if failed and event.model:
            self._store.restarts.add(event.model, *failed, event.at)

    def _forgive(self, box: Box) -> None:
        """Not every forgiving is an event of its own."""
        against = {each.model for each in box.breakers}
        for model in self._held_against - against:
            self._store.breakers.clear(model)
        self._held_against &= against

    def _keep_runs(self, box: Box) -> None:
        """Who wants each engine, before it is launched: the next daemon may have to know."""
        kept = {each.id: each.kept for each in box.live if each.launched}
        for instance, by_person in kept.items():
            if self._kept.get(instance) is not by_person:
                self._store.runs.keep(instance, kept=by_person)
        self._kept = kept

    def _keep_residents(self, supervisor: Supervisor) -> None:
        before = {each.model for each in (*self._of_last_boot, *self._residents)}
        wishes = {
            **{each.model: _wish(supervisor, each) for each in _staying(supervisor.box, before)},
            **{each.model: _its_wish(supervisor, each) for each in _returning(supervisor.box)},
        }
        residents = [Resident(*each, place) for place, each in enumerate(wishes.items())]
        if self._of_last_boot or residents != self._residents:
            self._of_last_boot, self._residents = [], residents
            self._store.residents.set(residents, self._boot_id)


def breakers_of(store: Store, *, now: float, monotonic: float) -> tuple[Breaker, ...]:
    """What an earlier daemon held against models, with its times in this daemon's clock."""
    return tuple(
        # The clock may have been set back.
        breaker_of(row, monotonic + min(OPEN_S, row.not_before - now))
        for row in store.breakers.load().values()
    )


def _staying(box: Box, before: Collection[str]) -> list[Instance]:
    """Those that are there, and those that ended by themselves after they had been ready.

    When a machine goes down its engines may be ended before the daemon is. One that was there
    ``before`` stays on the list while it is being brought back; one that starts for the first
    time is not yet on it: it may be what takes the machine down.
    """

    def stays(each: Instance) -> bool:
        if each.state in (State.READY, State.ASLEEP, State.DRAINING, State.WAKING, State.SLEEPING):
            return not each.cut
        if each.state is State.STARTING:
            return each.model in before
        crashed = each.state is State.FAILED and each.ready_at is not None
        return crashed and not _is_forbidden(box, each)

    return [each for each in box.instances if stays(each)]


def _returning(box: Box) -> list[Leaving]:
    """Those that are to be started again, as soon as there is room."""
    last = {each.model: each for each in box.instances}
    return [
        each
        for each in box.comebacks
        if each.model not in last or not _is_forbidden(box, last[each.model])
    ]


def _is_forbidden(box: Box, instance: Instance) -> bool:
    breaker = box.breaker(instance.model)
    return instance.tripped or (breaker is not None and breaker.open)


def _wish(supervisor: Supervisor, instance: Instance) -> str:
    spec = supervisor.spec(instance.id)
    labels = spec.labels if spec else supervisor.given(instance.model)
    return json.dumps({**labels, KEPT: instance.kept})


def _its_wish(supervisor: Supervisor, leaving: Leaving) -> str:
    held = _held(supervisor.of(leaving.model), leaving)
    return json.dumps({**supervisor.given(leaving.model), **held, KEPT: leaving.kept})


def _held(instance: Instance | None, leaving: Leaving) -> dict[str, str]:
    """What it held when it ran, or is to hold: whoever was beside it has to fit again."""
    held = leaving.terms.most_bytes if instance is None else instance.held_bytes
    return {} if held is None else {HELD: str(held)}
