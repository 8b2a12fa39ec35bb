"""Every transition of the box: a table of all pairs, then random walks that hold invariants."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.core.errors import ConflictError, NotReadyError
from sparkwell.core.launch import ExitRecord
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.supervisor.box import Box, Instance, State
from sparkwell.supervisor.machine import ready_instance, step
from sparkwell.supervisor.messages import (
    Adopted,
    Answered,
    Down,
    Ended,
    Event,
    Failed,
    Follow,
    Launch,
    Lost,
    NotLaunched,
    Progressed,
    Tell,
    Terminate,
    Up,
    Withdrawn,
)

CRASH = ExitRecord(code=1, signal=None, requested=False, ended_at=5.0, last_lines=("boom",))
STOP = ExitRecord(code=None, signal=15, requested=True, ended_at=5.0)

STARTING = Instance("i1", "m", State.STARTING, Phase.WEIGHTS, 0.5)
READY = Instance("i1", "m", State.READY, Phase.READY)
STOPPING = Instance("i1", "m", State.STOPPING, Phase.WEIGHTS, 0.5)
GIVEN_UP = replace(STOPPING, error="no token")  # a start that failed, on its way out
FAILED = Instance("i1", "m", State.FAILED, Phase.WEIGHTS, 0.5, "no token")
LOST = replace(FAILED, lost=True)  # its driver could not end it

BOXES: dict[str, Box] = {
    "empty": Box(),
    "starting": Box((STARTING,)),
    "ready": Box((READY,)),
    "stopping": Box((STOPPING,)),
    "given up": Box((GIVEN_UP,)),
    "failed": Box((FAILED,)),
    "lost": Box((LOST,)),
}
EVENTS: dict[str, Event] = {
    "up same": Up("m", "i2"),
    "up other": Up("n", "i2"),
    "down": Down(),
    "down m": Down("m"),
    "down other": Down("n"),
    "adopted": Adopted("n", "i2"),
    "progressed": Progressed("i1", PhaseMark(Phase.COMPILE, 0.1)),
    "progressed back": Progressed("i1", PhaseMark(Phase.INIT, 0.9)),
    "answered": Answered("i1"),
    "withdrawn": Withdrawn("i1"),
    "not launched": NotLaunched("i1", "no uv"),
    "failed": Failed("i1", "no token"),
    "lost": Lost("i1", "no docker"),
    "ended": Ended("i1", CRASH),
    "late": Ended("i0", CRASH),
}


def lost(before: Instance) -> "Outcome":
    """What becomes of an instance whose driver cannot see to its end."""
    error = "its end could not be seen to: no docker"
    return replace(before, state=State.FAILED, error=error, lost=True), ["instance.failed"]


NEW_M = Instance("i2", "m", State.STARTING, Phase.PREPARE)
NEW_N = Instance("i2", "n", State.STARTING, Phase.PREPARE)
FOUND_N = Instance("i2", "n", State.STARTING)
SAME = "same"  # nothing changes, nothing is done
REFUSED = "refused"  # ConflictError, nothing changes

_begin_m = (NEW_M, ["Launch i2", "instance.starting"])
_begin_n = (NEW_N, ["Launch i2", "instance.starting"])
_adopt_n = (FOUND_N, ["Follow i2", "instance.adopted"])
_stop = ["instance.stopping", "Terminate i1"]

Outcome = str | tuple[Instance | None, list[str]]
"""What becomes of the box's instance, or of the new one beside it, and what has to be done."""
TABLE: dict[str, dict[str, Outcome]] = {
    "empty": {
        "up same": _begin_m,
        "up other": _begin_n,
        "adopted": _adopt_n,
    },
    "starting": {
        "lost": lost(STARTING),
        "up other": _begin_n,
        "down": (STOPPING, _stop),
        "down m": (STOPPING, _stop),
        "withdrawn": (None, ["instance.stopped"]),
        "adopted": _adopt_n,
        "progressed": (
            replace(STARTING, phase=Phase.COMPILE, fraction=0.1),
            ["instance.phase"],
        ),
        "answered": (READY, ["instance.ready"]),
        "not launched": (
            replace(STARTING, state=State.FAILED, error="no uv"),
            ["instance.failed"],
        ),
        "failed": (GIVEN_UP, _stop),
        "ended": (
            replace(
                STARTING,
                state=State.FAILED,
                error="the engine ended by itself while starting (exit code 1)",
                record=CRASH,
            ),
            ["instance.failed"],
        ),
    },
    "ready": {
        "lost": lost(READY),
        "up other": _begin_n,
        "down": (replace(READY, state=State.STOPPING), _stop),
        "down m": (replace(READY, state=State.STOPPING), _stop),
        "withdrawn": (None, ["instance.stopped"]),
        "adopted": _adopt_n,
        "not launched": (
            replace(READY, state=State.FAILED, error="no uv"),
            ["instance.failed"],
        ),
        "ended": (
            replace(
                READY,
                state=State.FAILED,
                error="the engine ended by itself while serving (exit code 1)",
                record=CRASH,
            ),
            ["instance.failed"],
        ),
    },
    "stopping": {
        "lost": lost(STOPPING),
        "withdrawn": (None, ["instance.stopped"]),
        "up same": REFUSED,
        "up other": _begin_n,
        "adopted": _adopt_n,
        "not launched": (None, ["instance.stopped"]),
        "ended": (None, ["instance.stopped"]),
    },
    "given up": {
        "lost": lost(GIVEN_UP),
        "down": (STOPPING, []),
        "down m": (STOPPING, []),
        "withdrawn": (None, ["instance.stopped"]),
        "up same": REFUSED,
        "up other": _begin_n,
        "adopted": _adopt_n,
        "not launched": (
            replace(GIVEN_UP, state=State.FAILED, error="no uv"),
            ["instance.failed"],
        ),
        "ended": (
            replace(GIVEN_UP, state=State.FAILED, record=CRASH),
            ["instance.failed"],
        ),
    },
    "failed": {
        "up same": _begin_m,
        "up other": _begin_n,
        "down": (None, []),
        "down m": (None, []),
        "adopted": _adopt_n,
    },
    "lost": {
        "up same": _begin_m,
        "up other": _begin_n,
        "down": (replace(STOPPING), _stop),
        "down m": (replace(STOPPING), _stop),
        "adopted": _adopt_n,
    },
}


def in_words(effect: object) -> str:
    if isinstance(effect, Tell):
        return effect.kind
    assert isinstance(effect, Launch | Follow | Terminate)
    return f"{type(effect).__name__} {effect.instance}"


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("box", BOXES)
def test_every_pair_of_state_and_event(box: str, event: str) -> None:
    before = BOXES[box]
    expected = TABLE[box].get(event, SAME)
    if expected == REFUSED:
        with pytest.raises(ConflictError):
            step(before, EVENTS[event])
        return
    after, effects = step(before, EVENTS[event])
    wanted = (before.of("m"), []) if isinstance(expected, str) else expected
    changed = after.of("n") or after.of("m")
    assert (changed, [in_words(effect) for effect in effects]) == wanted
    if changed and changed.model == "n":
        assert after.of("m") == before.of("m")  # who is there already does not notice


def test_every_told_instance_is_as_it_is_afterwards() -> None:
    for box in BOXES.values():
        for event in EVENTS.values():
            try:
                after, effects = step(box, event)
            except ConflictError:
                continue
            told = [effect.instance for effect in effects if isinstance(effect, Tell)]
            assert all(one == after.get(one.id) for one in told if after.get(one.id))


def test_a_stop_that_was_asked_for_tells_how_it_ended() -> None:
    _, effects = step(Box((STOPPING,)), Ended("i1", STOP))
    told = effects[0]
    assert isinstance(told, Tell)
    assert told.message == "m has stopped"
    assert told.instance.record == STOP


def test_words_of_a_conflict() -> None:
    with pytest.raises(ConflictError) as stopping:
        step(Box((STOPPING,)), Up("m", "i2"))
    assert str(stopping.value) == (
        "m is still stopping, so it cannot start yet. Try again in a moment."
    )


def test_who_is_ready() -> None:
    assert ready_instance(Box((READY,)), "m") is READY


@pytest.mark.parametrize(
    ("box", "model", "words"),
    [
        ("empty", "m", "The model m is not loaded. Run `sparkwell up m`."),
        (
            "ready",
            "n",
            "The model n is not loaded. Run `sparkwell up n`.",
        ),
        (
            "starting",
            "m",
            "The model m is starting (loading weights). "
            "Try again when `sparkwell status` says ready.",
        ),
        (
            "stopping",
            "m",
            "The model m is stopping (loading weights). "
            "Try again when `sparkwell status` says ready.",
        ),
        (
            "failed",
            "m",
            "The model m failed: no token. `sparkwell up m` tries again.",
        ),
        (
            "crashed",
            "m",
            "The model m failed: no token. "
            "`sparkwell logs m` shows why, `sparkwell up m` tries again.",
        ),
        ("failed", "n", "The model n is not loaded. Run `sparkwell up n`."),
    ],
)
def test_who_is_not_ready_is_told_what_to_do(box: str, model: str, words: str) -> None:
    with pytest.raises(NotReadyError) as caught:
        ready_instance({**BOXES, "crashed": Box((replace(FAILED, record=CRASH),))}[box], model)
    assert str(caught.value) == words


# ── random walks ────────────────────────────────────────────────────────────────────────────


class World:
    """What a driver would know: which instances have processes. Events come late and twice."""

    def __init__(self) -> None:
        self.box = Box()
        self.ids: list[str] = []
        self.alive: dict[str, str] = {}
        self.terminated: set[str] = set()

    def send(self, event: Event) -> None:
        before = self.box
        try:
            after, effects = step(before, event)
        except ConflictError:
            assert isinstance(event, Up)
            assert event.model in self.alive.values()
            assert self.box is before
            return
        self._phases_go_forward(before, after)
        self._others_are_left_alone(before, after, event)
        self.box = after
        for effect in effects:
            self._carry_out(effect)
        self._one_of_each_model()

    def _carry_out(self, effect: object) -> None:
        if isinstance(effect, Launch):
            assert effect.instance not in self.ids
            assert effect.model not in self.alive.values()
            self.ids.append(effect.instance)
            self.alive[effect.instance] = effect.model
        elif isinstance(effect, Terminate):
            assert self.box.get(effect.instance) is not None
            assert effect.instance not in self.terminated
            self.terminated.add(effect.instance)

    def _phases_go_forward(self, before: Box, after: Box) -> None:
        for old in before.instances:
            new = after.get(old.id)
            assert new is None or not new.phase.is_before(old.phase)

    def _others_are_left_alone(self, before: Box, after: Box, event: Event) -> None:
        """An event of an instance changes that one, and a late one nothing."""
        if isinstance(event, Up | Down | Adopted):
            return
        current = before.get(event.instance)
        if current is None or not current.holds_the_machine:
            assert after == before
        others = [each for each in before.instances if each.id != event.instance]
        assert [each for each in after.instances if each.id != event.instance] == others

    def _one_of_each_model(self) -> None:
        assert len(set(self.alive.values())) == len(self.alive)
        assert {each.id: each.model for each in self.box.live} == self.alive
        models = [each.model for each in self.box.instances]
        assert len(set(models)) == len(models)


ACTIONS = ["up", "down", "down all", "mark", "answer", "fail", "refuse", "withdraw", "end", "late"]
steps = st.tuples(st.sampled_from(ACTIONS), st.sampled_from("mno"), st.sampled_from(list(Phase)))
walks = st.lists(steps, max_size=40)


@given(walks)
def test_invariants_of_any_walk(walk: list[tuple[str, str, Phase]]) -> None:
    world = World()
    for number, (action, model, phase) in enumerate(walk):
        match action:
            case "up":
                world.send(Up(model, f"i{number}"))
            case "down" | "down all":
                world.send(Down(model if action == "down" else None))
            case "late" if len(world.ids) > 1:
                gone = [each for each in world.ids if each not in world.alive]
                for instance in gone:
                    world.send(Ended(instance, CRASH))
                    world.send(Answered(instance))
            case _:
                to_the_running_one(world, action, model, phase)


def to_the_running_one(world: World, action: str, model: str, phase: Phase) -> None:
    current = next((one for one, of in world.alive.items() if of == model), None)
    match action:
        case "mark" if current:
            world.send(Progressed(current, PhaseMark(phase, 0.5)))
        case "answer" if current:
            world.send(Answered(current))
        case "fail" if current:
            world.send(Failed(current, "no token"))
        case "refuse" | "withdraw" | "end" if current:
            del world.alive[current]
            ended = Ended(current, CRASH)
            ends: dict[str, Event] = {
                "refuse": NotLaunched(current, "no"),
                "withdraw": Withdrawn(current),
            }
            world.send(ends.get(action, ended))
            world.send(ended)  # and once more, late


@given(walks)
def test_after_the_end_nothing_holds_the_machine(walk: list[tuple[str, str, Phase]]) -> None:
    world = World()
    for number, (_, model, phase) in enumerate(walk):
        world.send(Up(model, f"i{number}"))
        world.send(Progressed(f"i{number}", PhaseMark(phase)))
    world.send(Down())
    for instance in list(world.alive):
        del world.alive[instance]
        world.send(Ended(instance, STOP))
    assert world.box == Box()
