"""Switches, written down before anybody leaves: a new daemon has to know who left for whom."""

from sparkwell.supervisor.aides import Intents
from sparkwell.supervisor.box import Box, Leaving, Switch
from sparkwell.supervisor.messages import Tell
from sparkwell.supervisor.runs import Runs

_OUTCOMES = {
    "switch.done": "done",
    "switch.failed": "failed",
    "switch.called_off": "called off",
}
Facts = dict[str, object]


class SwitchNotes:
    """Has the intent of the switch under way."""

    def __init__(self, intents: Intents, runs: Runs) -> None:
        self._intents = intents
        self._runs = runs
        self._open: int | None = None
        self._noted: tuple[str, tuple[Leaving, ...]] | None = None
        self._facts: Facts = {}

    def hear(self, tell: Tell, box: Box) -> None:
        """Take note of a switch that begins or ends."""
        if tell.kind == "switch.begin" and box.switch:
            self._facts = dict(tell.data)
            self._write(box.switch, box)
        elif tell.kind in _OUTCOMES:
            self._finish(_OUTCOMES[tell.kind])

    def see(self, box: Box) -> None:
        """Take note of what changes without a word.

        It is over when a person has stopped its model. Others may have to leave, too, and one
        that a person has stopped since does not come back.
        """
        if box.switch is None:
            self._finish("called off")
        elif self._noted != (box.switch.to, box.switch.leaving):
            self._write(box.switch, box)

    def _write(self, switch: Switch, box: Box) -> None:
        """The new one is written before the old one is finished: one of them is always there."""
        before = self._open
        names = [each.model for each in switch.leaving]
        self._facts = {**self._facts, "from": names, "wishes": self._wishes(switch, box)}
        self._open = self._intents.begin("switch", switch.to, None, self._facts)
        self._noted = (switch.to, switch.leaving)
        if before is not None:
            self._intents.finish(before, "written anew")

    def _finish(self, outcome: str) -> None:
        if self._open is not None:
            self._intents.finish(self._open, outcome)
            self._open, self._noted, self._facts = None, None, {}

    def _wishes(self, switch: Switch, box: Box) -> Facts:
        """With what those that leave were started: whoever brings them back has to know."""
        known = self._facts.get("wishes")
        before = known if isinstance(known, dict) else {}
        wishes: Facts = {}
        for each in switch.leaving:
            instance = box.of(each.model)
            if spec := self._runs.specs.get(instance.id if instance else ""):
                wishes[each.model] = {"kept": each.kept, "labels": dict(spec.labels)}
            elif each.model in before:  # it has gone, and nobody knows its spec any more
                wishes[each.model] = {**before[each.model], "kept": each.kept}
            elif (labels := self._runs.last.get(each.model)) is not None:  # an earlier daemon's
                wishes[each.model] = {"kept": each.kept, "labels": dict(labels)}
        return wishes
