"""What others may see of the box, and of what is known of its instances beside their state."""

from collections.abc import Callable, Mapping

from sparkwell.core.launch import LaunchSpec, Running
from sparkwell.supervisor.box import Box, Instance, State
from sparkwell.supervisor.runs import Runs
from sparkwell.supervisor.start import Timeline
from sparkwell.supervisor.uses import Uses

_COMING = (State.STARTING, State.WAKING)
_MOVING = (*_COMING, State.STOPPING, State.SLEEPING)


class View:
    """For showing and asking. Whoever wants a change asks the owner of the box for it."""

    def __init__(self, box: Box, runs: Runs, clock: Callable[[], float]) -> None:
        self._latest = box
        self._uses = Uses()
        self._runs = runs
        self._clock = clock

    @property
    def _box(self) -> Box:
        """The box, with the leases that were counted beside it."""
        if self._uses:
            self._latest = self._uses.into(self._latest)
        return self._latest

    @_box.setter
    def _box(self, box: Box) -> None:
        self._latest = box

    @property
    def now(self) -> float:
        """The box's time: monotonic seconds."""
        return self._clock()

    # ── the box ─────────────────────────────────────────────────────────────────────────────

    @property
    def box(self) -> Box:
        """The whole state, as a value."""
        return self._box

    @property
    def mark(self) -> object:
        """Another object when more has changed than how many leases are out."""
        return self._latest

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All that live, and for each model the run that failed last."""
        return self._box.instances

    @property
    def requests_running(self) -> int:
        """Leases that are out now."""
        return sum(each.serving for each in self._box.instances)

    def of(self, model: str) -> Instance | None:
        """The instance of a model, or the one that failed last."""
        return self._box.of(model)

    def get(self, instance: str) -> Instance | None:
        """The instance of that id, unless it is long gone."""
        return self._box.get(instance)

    def lives(self, model: str) -> bool:
        """Whether an instance of a model is there."""
        return _is_there(self._box.of(model))

    def holds(self, instance: str) -> bool:
        """Whether processes of an instance may still be there."""
        return _is_there(self._box.get(instance))

    def has_begun(self, model: str) -> bool:
        """Whether a model's start, or its waking, has begun, or is over."""
        current = self._box.of(model)
        return current is not None and current.state in (*_COMING, State.READY)

    def is_moving(self, instance: str) -> bool:
        """Whether an instance is on its way from one state to another."""
        current = self._box.get(instance)
        return current is not None and (current.state in _MOVING or current.cut)

    # ── its runs ────────────────────────────────────────────────────────────────────────────

    def timeline(self, instance: str) -> Timeline | None:
        """When an instance entered its phases, in Unix seconds."""
        return self._runs.timelines.get(instance)

    def spec(self, instance: str) -> LaunchSpec | None:
        """What an instance of this daemon was launched with."""
        return self._runs.specs.get(instance)

    def last_line(self, instance: str) -> str | None:
        """What an engine that starts said last; None where none is followed, or it is silent."""
        return self._runs.said.get(instance)

    def given(self, model: str) -> Mapping[str, str]:
        """The labels of a model's last run, unless a person has stopped it since: else none."""
        return self._runs.last.get(model, {})

    def process(self, instance: str) -> Running | None:
        """What its driver said of an instance when it was started, or found."""
        return self._runs.processes.get(instance)

    def began(self, instance: str) -> float | None:
        """When its start, or its waking, began, in the box's time; None for an adopted one."""
        return self._runs.began.get(instance)


def _is_there(instance: Instance | None) -> bool:
    return instance is not None and instance.holds_the_machine
