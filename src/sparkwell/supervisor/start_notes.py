"""Starts, written down until an engine answers: so long it may take the machine down with it."""

from sparkwell.core.launch import LaunchSpec
from sparkwell.supervisor.aides import Intents


class StartNotes:
    """Has the intents of the starts on their way, each from before its launch to its outcome."""

    def __init__(self, intents: Intents) -> None:
        self._intents = intents
        self._open: dict[str, int] = {}
        self._launched: set[str] = set()

    def begin(self, spec: LaunchSpec) -> None:
        """The driver is about to be asked."""
        self._open[spec.instance] = self._intents.begin("start", spec.model, spec.instance)

    def launched(self, spec: LaunchSpec) -> None:
        """Its engine runs: one of ours, or one that an earlier daemon had started."""
        if spec.instance not in self._open:
            self.begin(spec)
        self._launched.add(spec.instance)

    def finish(self, instance: str, outcome: str) -> None:
        """The start has come to something; what is said later of it is not heard."""
        self._launched.discard(instance)
        intent = self._open.pop(instance, None)
        if intent is not None:
            self._intents.finish(intent, outcome)

    def leave(self) -> None:
        """The daemon ends, the machine does not go down: the next one finds what was launched."""
        for instance in list(self._launched):
            self.finish(instance, "left to the next daemon")
