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
    NotLaunched,
    Progressed,
    Tell,
    Terminate,
    Up,
)

CRASH = ExitRecord(code=1, signal=None, requested=False, ended_at=5.0, last_lines=("boom",))
STOP = ExitRecord(code=None, signal=15, requested=True, ended_at=5.0)

STARTING = Instance("i1", "m", State.STARTING, Phase.WEIGHTS, 0.5)
READY = Instance("i1", "m", State.READY, Phase.READY)
STOPPING = Instance("i1", "m", State.STOPPING, Phase.WEIGHTS, 0.5)
GIVEN_UP = replace(STOPPING, error="no token")  # a start that failed, on its way out
FAILED = Instance("i1", "m", State.FAILED, Phase.WEIGHTS, 0.5, "no token")

BOXES: dict[str, Box] = {
    "empty": Box(),
    "starting": Box(STARTING),
    "ready": Box(READY),
    "stopping": Box(STOPPING),
    "given up": Box(GIVEN_UP),
    "failed": Box(FAILED),
}
EVENTS: dict[str, Event] = {
    "up same": Up("m", "i2"),
    "up other": Up("n", "i2"),
    "down": Down(),
    "adopted": Adopted("n", "i2"),
    "progressed": Progressed("i1", PhaseMark(Phase.COMPILE, 0.1)),
    "progressed back": Progressed("i1", PhaseMark(Phase.INIT, 0.9)),
    "answered": Answered("i1"),
    "not launched": NotLaunched("i1", "no uv"),
    "failed": Failed("i1", "no token"),
    "ended": Ended("i1", CRASH),
    "late": Ended("i0", CRASH),
}

NEW_M = Instance("i2", "m", State.STARTING)
NEW_N = Instance("i2", "n", State.STARTING)
SAME = "same"  # nothing changes, nothing is done
REFUSED = "refused"  # ConflictError, nothing changes

_begin_m = (NEW_M, ["Launch i2", "instance.starting"])
_begin_n = (NEW_N, ["Launch i2", "instance.starting"])
_adopt_n = (NEW_N, ["Follow i2", "instance.adopted"])
_stop = ["instance.stopping", "Terminate i1"]

Outcome = str | tuple[Instance | None, list[str]]
TABLE: dict[str, dict[str, Outcome]] = {
    "empty": {
        "up same": _begin_m,
        "up other": _begin_n,
        "adopted": _adopt_n,
    },
    "starting": {
        "up other": REFUSED,
        "down": (STOPPING, _stop),
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
        "up other": REFUSED,
        "down": (replace(READY, state=State.STOPPING), _stop),
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
        "up same": REFUSED,
        "up other": REFUSED,
        "adopted": _adopt_n,
        "not launched": (
            replace(STOPPING, state=State.FAILED, error="no uv"),
            ["instance.failed"],
        ),
        "ended": (None, ["instance.stopped"]),
    },
    "given up": {
        "up same": REFUSED,
        "up other": REFUSED,
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
    wanted = (before.instance, []) if isinstance(expected, str) else expected
    assert (after.instance, [in_words(effect) for effect in effects]) == wanted


def test_every_told_instance_is_as_it_is_afterwards() -> None:
    for box in BOXES.values():
        for event in EVENTS.values():
            try:
                after, effects = step(box, event)
            except ConflictError:
                continue
            told = [effect.instance for effect in effects if isinstance(effect, Tell)]
            assert all(one == after.instance for one in told if after.instance)


def test_a_stop_that_was_asked_for_tells_how_it_ended() -> None:
    _, effects = step(Box(STOPPING), Ended("i1", STOP))
    told = effects[0]
    assert isinstance(told, Tell)
    assert told.message == "m has stopped"
    assert told.instance.record == STOP


def test_words_of_a_conflict() -> None:
    with pytest.raises(ConflictError) as busy:
        step(Box(READY), Up("n", "i2"))
    assert str(busy.value) == (
        "m is ready, and one model runs at a time: n was not started. "
        "Run `sparkwell down`, then `sparkwell up n`."
    )
    with pytest.raises(ConflictError) as stopping:
        step(Box(STOPPING), Up("m", "i2"))
    assert str(stopping.value) == (
        "m is still stopping, so m cannot start yet. Try again in a moment."
    )


def test_who_is_ready() -> None:
    assert ready_instance(Box(READY), "m") is READY


@pytest.mark.parametrize(
    ("box", "model", "words"),
    [
        ("empty", "m", "The model m is not loaded. Run `sparkwell up m`."),
        (
            "ready",
            "n",
            "The model n is not loaded. m is: run `sparkwell down`, then `sparkwell up n`.",
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
            "The model m failed: no token. "
            "`sparkwell logs m` shows why, `sparkwell up m` tries again.",
        ),
        ("failed", "n", "The model n is not loaded. Run `sparkwell up n`."),
    ],
)
def test_who_is_not_ready_is_told_what_to_do(box: str, model: str, words: str) -> None:
    with pytest.raises(NotReadyError) as caught:
        ready_instance(BOXES[box], model)
    assert str(caught.value) == words


# ── random walks ────────────────────────────────────────────────────────────────────────────


class World:
    """What a driver would know: which instances have processes. Events come late and twice."""

    def __init__(self) -> None:
        self.box = Box()
        self.ids: list[str] = []
        self.alive: set[str] = set()
        self.terminated: set[str] = set()

    def send(self, event: Event) -> None:
        before = self.box
        try:
            after, effects = step(before, event)
        except ConflictError:
            assert before.busy
            assert self.box is before
            return
        self._phases_go_forward(before, after)
        self._late_events_change_nothing(before, after, event)
        self.box = after
        for effect in effects:
            self._carry_out(effect)
        self._one_at_a_time()

    def _carry_out(self, effect: object) -> None:
        if isinstance(effect, Launch):
            assert effect.instance not in self.ids
            assert not self.alive
            self.ids.append(effect.instance)
            self.alive.add(effect.instance)
        elif isinstance(effect, Terminate):
            assert self.box.instance is not None
            assert effect.instance == self.box.instance.id
            assert effect.instance not in self.terminated
            self.terminated.add(effect.instance)

    def _phases_go_forward(self, before: Box, after: Box) -> None:
        old, new = before.instance, after.instance
        if old and new and old.id == new.id:
            assert not new.phase.is_before(old.phase)

    def _late_events_change_nothing(self, before: Box, after: Box, event: Event) -> None:
        if isinstance(event, Up | Down | Adopted):
            return
        current = before.instance
        if current is None or current.id != event.instance or not current.holds_the_machine:
            assert after == before

    def _one_at_a_time(self) -> None:
        assert len(self.alive) <= 1
        if self.alive:
            assert self.box.busy
            assert self.box.instance is not None
            assert self.box.instance.id in self.alive
        else:
            assert not self.box.busy


ACTIONS = ["up m", "up n", "down", "mark", "answer", "fail", "refuse", "end", "late"]
walks = st.lists(st.tuples(st.sampled_from(ACTIONS), st.sampled_from(list(Phase))), max_size=40)


@given(walks)
def test_invariants_of_any_walk(walk: list[tuple[str, Phase]]) -> None:
    world = World()
    for number, (action, phase) in enumerate(walk):
        match action:
            case "up m" | "up n":
                world.send(Up(action[-1], f"i{number}"))
            case "down":
                world.send(Down())
            case "late" if len(world.ids) > 1:
                world.send(Ended(world.ids[-2], CRASH))
                world.send(Answered(world.ids[-2]))
            case _:
                to_the_running_one(world, action, phase)


def to_the_running_one(world: World, action: str, phase: Phase) -> None:
    current = next(iter(world.alive), None)
    match action:
        case "mark" if current:
            world.send(Progressed(current, PhaseMark(phase, 0.5)))
        case "answer" if current:
            world.send(Answered(current))
        case "fail" if current:
            world.send(Failed(current, "no token"))
        case "refuse" | "end" if current:
            world.alive.clear()
            ended = Ended(current, CRASH)
            world.send(NotLaunched(current, "no") if action == "refuse" else ended)
            world.send(ended)  # and once more, late


@given(walks)
def test_after_the_end_nothing_holds_the_machine(walk: list[tuple[str, Phase]]) -> None:
    box = Box()
    for number, (action, phase) in enumerate(walk):
        event: Event = Down() if action == "down" else Up("m", f"i{number}")
        if box.instance and action in ("mark", "answer"):
            mark = Progressed(box.instance.id, PhaseMark(phase))
            event = mark if action == "mark" else Answered(box.instance.id)
        try:
            box, _ = step(box, event)
        except ConflictError:
            continue
    if box.instance:
        box, _ = step(box, Ended(box.instance.id, CRASH))
    assert not box.busy
