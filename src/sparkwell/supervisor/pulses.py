"""Looking after engines that serve: whether they still generate."""

import asyncio
from collections.abc import Callable
from functools import partial

from sparkwell.core.launch import LaunchSpec
from sparkwell.supervisor import messages
from sparkwell.supervisor.canary import Pulse
from sparkwell.supervisor.liveness import Liveness, Rules
from sparkwell.supervisor.tasks import Tasks


class Pulses:
    """One pulse for each engine that serves; without ``rules`` nobody looks.

    ``serving`` counts the leases of an instance; ``tell`` takes the event of one that hangs.
    """

    def __init__(
        self,
        tasks: Tasks,
        rules: Rules | None,
        *,
        serving: Callable[[str], int],
        tell: Callable[[messages.Hung], None],
    ) -> None:
        self._tasks = tasks
        self._rules = rules
        self._serving = serving
        self._tell = tell
        self._felt: dict[str, asyncio.Task[None]] = {}
        self._known: dict[str, Liveness] = {}

    def feel(self, spec: LaunchSpec) -> None:
        """Look after it from now on."""
        if self._rules:
            watching = self._tasks.spawn(self._watch_over(spec, self._rules))
            self._felt[spec.instance] = watching

    def let_be(self, instance: str) -> None:
        """Nobody looks any more whether it hangs: it is about to leave, or has gone."""
        self._known.pop(instance, None)
        if watching := self._felt.pop(instance, None):
            watching.cancel()

    def silent_s(self, instance: str) -> float | None:
        """Seconds since it last gave a sign of generating, where a canary came to nothing since."""
        known = self._known.get(instance)
        if known is None or not known.misses:
            return None
        return asyncio.get_running_loop().time() - known.alive_s

    async def _watch_over(self, spec: LaunchSpec, rules: Rules) -> None:
        pulse = Pulse(spec, partial(self._serving, spec.instance), rules)
        reason = await pulse.until_hung(partial(self._known.__setitem__, spec.instance))
        self._tell(messages.Hung(spec.instance, reason))
