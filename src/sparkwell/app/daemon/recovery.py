"""What a new daemon makes of what the last one left: finish it, or put back what was there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkwell.app.daemon.coming_back import Back, TermsOf, leavings, who_left, who_was_ready
from sparkwell.store import Intent, Resident, Store
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.adoption import Earlier
from sparkwell.supervisor.box import Leaving, State
from sparkwell.supervisor.breaker import FAILURES_TO_OPEN
from sparkwell.supervisor.journal import Journal

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_COMES = (State.STARTING, State.WAKING)


def read_boot_id(file: Path = BOOT_ID) -> str | None:
    """What names this boot of the machine; None where the kernel has no such name."""
    try:
        return file.read_text(encoding="ascii").strip() or None
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Recovery:
    """A new daemon, as it begins. ``left`` are the intents that were open before it did anything.

    ``boot_id`` is that of this boot; ``restore`` whether what was ready before it comes back.
    """

    store: Store
    supervisor: Supervisor
    journal: Journal
    terms_of: TermsOf
    left: Sequence[Intent]
    boot_id: str | None
    restore: bool

    async def take_over(self) -> None:
        """Take over what runs, and with it the switch that was made for it."""
        stopping = {each.model for each in self.left if each.kind == "stop"}
        left_for = {
            each.model: who_left(each)
            for each in self.left
            if each.kind == "switch" and each.model and each.model not in stopping
        }
        labels = {each.model: each.labels for left in left_for.values() for each in left}

        def made_room(model: str) -> tuple[Leaving, ...] | None:
            left = left_for.get(model)
            return None if left is None else leavings(left, self.terms_of)

        await self.supervisor.adopt(Earlier(self.store.runs.kept, made_room, labels))

    async def finish(self) -> None:
        """Finish what was begun and, after a reboot, bring back who was there."""
        residents = self._ready_before() if self.restore else []
        # Stops first: who is still being stopped does not stay, and a switch's end depends on that.
        for intent in sorted(self.left, key=lambda each: each.kind != "stop"):
            outcome = await self._finished(intent)
            self.store.intents.finish(intent.id, outcome)
            said = f"An earlier daemon ended in the middle of a {intent.kind}: {outcome}"
            self.journal.add(
                f"recovery.{intent.kind}", said, model=intent.model, instance=intent.instance
            )
        self._bring_back(residents)

    def _ready_before(self) -> list[Resident]:
        rows = self.store.breakers.load().values()
        given_up = {row.model for row in rows if row.failures >= FAILURES_TO_OPEN}
        residents = self.store.residents.of_last_boot(self.boot_id)
        return [each for each in residents if each.model not in given_up]

    async def _finished(self, intent: Intent) -> str:
        """See one intent through, and say what became of it."""
        match intent.kind:
            case "switch":
                return self._switch(intent)
            case "stop" if intent.model and self.supervisor.holds(intent.instance or ""):
                return await self._stop(intent.model, intent.instance or "", intent)
            case "stop":
                return "it had stopped"
            case _:
                return (
                    "taken over"
                    if self.supervisor.holds(intent.instance or "")
                    else "it does not run"
                )

    async def _stop(self, model: str, instance: str, intent: Intent) -> str:
        """See it stopped. One that was stopped for it had failed comes back, as it would have."""
        spec, current = self.supervisor.spec(instance), self.supervisor.get(instance)
        breaker = self.supervisor.box.breaker(model)
        await self.supervisor.down(model)
        if not intent.data.get("comes_back") or (breaker is not None and breaker.open):
            return "stopped now"
        labels, kept = spec.labels if spec else {}, current is None or current.kept
        back = self._want([Back(model, labels, kept)])
        return f"stopped now, for it had failed; {model} comes back" if back else "stopped now"

    def _switch(self, intent: Intent) -> str:
        """To a model that has come up it is done; else those that left for it come back."""
        coming = self.supervisor.of(intent.model or "")
        if coming and coming.holds_the_machine and coming.state is not State.ASLEEP:
            under_way = coming.state in _COMES and self.supervisor.box.switch
            return f"it goes on, {coming.model} was on its way" if under_way else "done"
        if not self.restore and intent.is_of_another_boot(self.boot_id):
            return "the machine has been rebooted, and switching.restore is false"
        back = self._want(
            each for each in who_left(intent) if not self.supervisor.lives(each.model)
        )
        if back:
            return f"rolled back to {', '.join(back)}"
        return "rolled back: nobody had left yet"

    def _bring_back(self, residents: Iterable[Resident]) -> None:
        before = [
            who_was_ready(each) for each in residents if not self.supervisor.lives(each.model)
        ]
        if back := self._want(before):
            said = f"The machine has been rebooted; {', '.join(back)} comes back"
            self.journal.add("recovery.reboot", said)

    def _want(self, models: Iterable[Back]) -> list[str]:
        """Have these start as soon as there is room, and name those that can."""
        labels = {each.model: each for each in models}
        wanted = leavings(labels.values(), self.terms_of)
        if wanted:
            known = {each.model: labels[each.model].labels for each in wanted}
            self.supervisor.want(wanted, known)
        return [each.model for each in wanted]
