"""Which deed each effect asks for."""

from sparkwell.supervisor import messages
from sparkwell.supervisor.box import Box
from sparkwell.supervisor.deeds import Deeds
from sparkwell.supervisor.room import holding
from sparkwell.supervisor.runs import Runs
from sparkwell.supervisor.start import Timeline
from sparkwell.supervisor.tasks import Tasks


class Hands:
    """Begins deeds; how they end comes back as events."""

    def __init__(self, deeds: Deeds, runs: Runs, tasks: Tasks) -> None:
        self._deeds = deeds
        self._runs = runs
        self._tasks = tasks

    def begin(self, effect: messages.Effect, box: Box, now: float) -> None:
        """Begin what an effect asks for; ``now`` is the box's time."""
        match effect:
            case messages.Prepare(instance=instance):
                self._runs.begin(instance, now)
                self._tasks.spawn(self._deeds.preparing.prepare(effect, beside(box, instance)))
            case messages.Launch(instance=instance):
                self._deeds.expect_launch(instance)
                self._tasks.spawn(self._deeds.launch(instance))
            case messages.Follow(instance=instance, asleep=asleep):
                self._runs.timelines[instance] = Timeline(observed=False)
                self._tasks.spawn(self._deeds.live(instance, asleep=asleep))
            case messages.PutToSleep(instance=instance, back_end=back_end):
                self._tasks.spawn(self._deeds.sleep(instance, back_end))
            case messages.Wake(instance=instance, back_end=back_end):
                self._runs.began[instance] = now
                self._tasks.spawn(self._deeds.wake(instance, back_end))
            case messages.Terminate(instance=instance):
                self._tasks.spawn(self._deeds.terminate(instance))
            case messages.Settle(instance=instance, model=model):
                self._tasks.spawn(self._deeds.settle(instance, model))


def beside(box: Box, instance: str) -> dict[str, int]:
    """What others hold by their plans, in bytes by model; those that nobody can size left out."""
    others = [each for each in holding(box) if each.id != instance]
    return {each.model: held for each in others if (held := each.now_held_bytes) is not None}
