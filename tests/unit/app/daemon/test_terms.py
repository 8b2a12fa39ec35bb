"""On which terms models are served: sizes that a start keeps to, and what the settings say."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from sparkwell.app.daemon import back_ends
from sparkwell.app.daemon.terms import TermsMaker
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.presence import Presence
from sparkwell.app.launching.ways import Way, Ways
from sparkwell.app.paths import find_paths
from sparkwell.app.served import lost
from sparkwell.app.service import Availability, ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import Recipe, load_catalog
from sparkwell.catalog.ollama import OllamaName
from sparkwell.core.errors import ConflictError, EnvironmentFault, NotReadyError, SparkwellError
from sparkwell.core.launch import BACK_END, HELD, Endpoint, ExitRecord, LaunchSpec
from sparkwell.core.phases import Phase
from sparkwell.core.units import GIB
from sparkwell.drivers.environments import Installed
from sparkwell.engines.vllm.sleep import RESIDUE_BYTES
from sparkwell.hardware.description import find_machine
from sparkwell.planner.shares import free_bytes
from sparkwell.planner.sleep import GAINED_BYTES, RELOADED_BYTES, pinned_bytes
from sparkwell.supervisor import messages
from sparkwell.supervisor.box import Box, Request, State
from sparkwell.supervisor.machine import step
from sparkwell.supervisor.terms import BackEnd

CATALOG = load_catalog()
GPU_MODELS = [each.name for each in CATALOG if each.serve.environment == "vllm"]
SEEN = {Phase.LAUNCH: 10.0, Phase.WEIGHTS: 60.0}
Make = Callable[..., "Bench"]


class Seen(Presence):
    """Says what a test wants, and counts who asks."""

    def __init__(self) -> None:
        self.answers: dict[str, bool | None] = {}
        self.asked: list[str] = []

    def image(self, name: str) -> bool | None:
        return self._answer(name)

    def model(self, name: OllamaName) -> bool | None:
        return self._answer(str(name))

    def _answer(self, name: str) -> bool | None:
        self.asked.append(name)
        return self.answers.get(name, True)


class Bench:
    """A machine with all weights and images; vLLM runs in containers."""

    def __init__(self, folder: Path, hardware: str, **settings: Any) -> None:
        paths = find_paths({"SPARKWELL_HOME": str(folder)})
        paths.make()
        self.models = ModelService(
            paths, Settings.model_validate(settings), CATALOG, {"HOME": str(folder)}
        )
        self.machine = find_machine(hardware)
        self.models.planning.__dict__["here"] = self.machine
        self.way = Way("0.25.0", "cuda", image="x/y:1")
        self.presence = Seen()
        self.terms = TermsMaker(self.models, lambda *_of_what: SEEN, self.presence)

    @property
    def total(self) -> int:
        return self.terms.budget.total_bytes or 0

    def recipe(self, name: str) -> Recipe:
        return CATALOG.get(name)

    def held(self, name: str, beside: int, wish: StartWish = StartWish()) -> int:  # noqa: B008
        """What a start beside that takes."""
        crowded = replace(wish, beside={"others": beside} if beside else {})
        held = self.models.choose_flags(self.recipe(name), self.way, crowded).held_bytes
        assert held is not None
        return held


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    def made(hardware: str = "h100-80gb", **settings: Any) -> Bench:
        bench = Bench(tmp_path, hardware, **settings)
        monkeypatch.setattr(
            ModelService, "availability", lambda *_of_what: Availability(tmp_path, bench.way)
        )
        monkeypatch.setattr(Ways, "way", lambda *_of_what: bench.way)
        monkeypatch.setattr(back_ends, "host_total_bytes", lambda: 126 * GIB)
        return bench

    return made


def served(bench: Bench, name: str = "qwen3-8b-fp8") -> Any:
    return bench.models.served(name)


# ── sizes: what the box grants, a start must get along with ─────────────────────────────────


@pytest.mark.parametrize("hardware", ["dgx-spark", "h100-80gb"])
@pytest.mark.parametrize("name", GPU_MODELS)
def test_a_model_starts_beside_whatever_leaves_it_its_least(
    make: Make, hardware: str, name: str
) -> None:
    """And takes no more then than is left: the box would end it for that."""
    bench = make(hardware)
    terms = bench.terms.of_here(served(bench, name))
    assert terms.least_bytes is not None
    assert terms.most_bytes is not None
    assert terms.least_bytes <= terms.most_bytes <= bench.total
    room = bench.total - terms.least_bytes
    for beside in {0, room // 3, 2 * room // 3, room}:
        assert bench.held(name, beside) + beside <= bench.total, beside


def test_the_least_is_near_the_least(make: Make) -> None:
    """Else a model would be made to leave that could have stayed."""
    bench = make()
    terms = bench.terms.of_here(served(bench))
    assert terms.least_bytes is not None
    with pytest.raises(SparkwellError):
        bench.held("qwen3-8b-fp8", bench.total - terms.least_bytes + 2 * bench.total // 64)
    assert (terms.most_bytes or 0) > 3 * terms.least_bytes


def test_flags_that_a_person_had_given_count(make: Make) -> None:
    """They are given again: with a long context it does not get along with so little."""
    bench = make()
    usual = bench.terms.of_request(served(bench))
    wish = StartWish(flags={"max_model_len": 40960, "max_num_seqs": 64, "kv_cache_dtype": "auto"})
    long = bench.terms.of_request(served(bench), wish)
    assert (long.least_bytes or 0) > (usual.least_bytes or 0)
    assert bench.held("qwen3-8b-fp8", bench.total - (long.least_bytes or 0), wish)


def test_a_share_of_ones_own_is_not_lowered(make: Make) -> None:
    own = {"qwen3-8b-fp8": {"flags": {"gpu_memory_utilization": 0.5}}}
    bench = make(models=own)
    terms = bench.terms.of_here(served(bench))
    assert terms.least_bytes == terms.most_bytes
    assert terms.most_bytes == pytest.approx(0.5 * bench.machine.total_bytes, rel=0.02)
    given = make().terms
    wish = StartWish(flags={"gpu_memory_utilization": 0.5})
    assert given.of_here(served(bench), wish).least_bytes == terms.least_bytes


def test_sizes_are_planned_once_until_a_start_has_shown_more(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make()
    asked: list[StartWish] = []
    choose = bench.models.choose_flags

    def counting(recipe: Recipe, way: Way, wish: StartWish) -> Any:
        asked.append(wish)
        return choose(recipe, way, wish)

    monkeypatch.setattr(bench.models, "choose_flags", counting)
    first = bench.terms.of_here(served(bench))
    plans = len(asked)
    assert bench.terms.of_here(served(bench)) == first
    assert bench.terms.of_request(served(bench)) == first
    assert len(asked) == plans
    bench.terms.forget("another")
    bench.terms.of_here(served(bench))
    assert len(asked) == plans
    bench.terms.forget("qwen3-8b-fp8")
    bench.terms.of_here(served(bench))
    assert len(asked) == 2 * plans


def test_it_is_planned_as_it_will_be_started(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make(switching={"back_end": "sleep-1"})
    chosen: list[Mapping[str, object]] = []
    choose = bench.models.choose_flags

    def noting(recipe: Recipe, way: Way, wish: StartWish) -> Any:
        found = choose(recipe, way, wish)
        chosen.append(found.flags)
        return found

    monkeypatch.setattr(bench.models, "choose_flags", noting)
    bench.terms.of_here(served(bench))
    assert len(chosen) > 1
    assert all(each["enable_sleep_mode"] is True for each in chosen)


@pytest.mark.parametrize(("level", "more"), [(1, GAINED_BYTES), (2, GAINED_BYTES + RELOADED_BYTES)])
def test_what_sleep_mode_holds_more_is_in_the_sizes(make: Make, level: int, more: int) -> None:
    own = {"qwen3-8b-fp8": {"flags": {"gpu_memory_utilization": 0.7}}}
    cold = make(models=own).terms.of_here(served(make()))
    bench = make(models=own, switching={"back_end": f"sleep-{level}"})
    assert bench.terms.of_here(served(bench)).most_bytes == (cold.most_bytes or 0) + more


def test_what_never_fits_is_said_at_once(make: Make) -> None:
    bench = make()
    wish = StartWish(flags={"max_model_len": 131072})
    with pytest.raises(ConflictError, match="does not fit"):
        bench.terms.of_request(served(bench, "llama33-70b-fp8"), wish)


def test_on_a_processor_the_plan_is_the_size(make: Make) -> None:
    bench = make("cpu")
    bench.way = Way("0.25.0", "cpu", image="x/y:1")
    terms = bench.terms.of_here(served(bench, "demo-qwen3"))
    assert terms.least_bytes == terms.most_bytes is not None


def test_a_model_of_a_processor_beside_a_gpu_cannot_be_sized(make: Make) -> None:
    bench = make()
    bench.way = Way("0.25.0", "cpu", image="x/y:1")
    terms = bench.terms.of_here(served(bench, "demo-qwen3"))
    assert (terms.least_bytes, terms.most_bytes) == (None, None)


# ── the budget ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("hardware", ["dgx-spark", "h100-80gb"])
def test_the_budget_is_what_the_system_leaves(make: Make, hardware: str) -> None:
    bench = make(hardware)
    assert bench.total == free_bytes((), bench.machine)


def test_the_settings_lower_it_and_do_not_raise_it(make: Make) -> None:
    assert make(switching={"budget_gib": 40}).total == 40 * GIB
    assert make(switching={"budget_gib": 4000}).total == make().total


def test_a_start_keeps_to_the_budget(make: Make) -> None:
    """The box ends what takes more."""
    bench = make("dgx-spark", switching={"budget_gib": 40})
    terms = bench.terms.of_here(served(bench))
    assert (terms.most_bytes or 0) <= 40 * GIB
    room = 40 * GIB - (terms.least_bytes or 0)
    for beside in (0, room // 2, room):
        assert bench.held("qwen3-8b-fp8", beside) + beside <= 40 * GIB
    with pytest.raises(ConflictError, match=r"switching\.budget_gib leaves"):
        bench.terms.of_here(served(bench, "qwen3-32b"))


# ── beside each other ───────────────────────────────────────────────────────────────────────

SMALL = ("llama31-8b-fp8", "qwen3-8b-fp8")


def test_two_small_models_that_are_asked_for_in_turn_come_to_fit(make: Make) -> None:
    """Each would take all that is free, and so keep the other one out."""
    bench = make("dgx-spark")
    a, b = (served(bench, name) for name in SMALL)
    alone = bench.terms.of_request(a)
    assert alone == bench.terms.of_here(a)
    second, first = bench.terms.of_request(b), bench.terms.of_request(a)
    assert (second.most_bytes or 0) + (first.most_bytes or 0) <= bench.total
    for terms in (first, second):
        assert (terms.most_bytes or 0) > (terms.least_bytes or 0) + bench.total // 4
    assert bench.terms.of_here(b) != second  # a person's, and what comes back, are as they were


def test_the_second_of_them_starts_beside_the_first(make: Make) -> None:
    bench = make("dgx-spark")
    a, b = (served(bench, name) for name in SMALL)
    box, at = Box(budget=bench.terms.budget, seed="s"), 0.0
    for number, each in enumerate((a, b, a)):  # b takes a's place, and leaves it room
        at += 1000.0
        asked = Request(number, each.name, at, at + 1800.0, bench.terms.of_request(each))
        box, _ = step(box, messages.Asked(asked), at)
        box, _ = step(box, messages.Settled(asked.model), at)
        for gone in [one for one in box.instances if one.state is State.STOPPING]:
            record = ExitRecord(0, None, requested=True, ended_at=at)
            box, _ = step(box, messages.Ended(gone.id, record), at)
            box, _ = step(box, messages.Settled(gone.id), at)
        now = box.of(each.name)
        assert now is not None
        box, _ = step(box, messages.Prepared(now.id, now.held_bytes), at)
        box, _ = step(box, messages.Answered(now.id), at + 70.0)
        box, _ = step(box, messages.Released(now.id), at + 71.0)
    assert [(one.model, one.state) for one in box.instances] == [
        (b.name, State.READY),
        (a.name, State.READY),
    ]


# ── who asks ────────────────────────────────────────────────────────────────────────────────


def test_requests_may_be_kept_from_starting_anything(make: Make) -> None:
    bench = make(switching={"on_demand": False})
    with pytest.raises(NotReadyError, match="on_demand is false") as refused:
        bench.terms.of_request(served(bench))
    assert refused.value.hint == "Run `sparkwell up qwen3-8b-fp8`."
    assert bench.terms.of_here(served(bench), by_person=True)


def test_a_request_for_one_that_comes_or_sleeps_is_not_refused(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing has to be started for it, so nothing can speak against that."""
    bench = make(switching={"on_demand": False})
    lacking = Availability(None, bench.way, "The weights are not here.", "Pull them.")
    monkeypatch.setattr(ModelService, "availability", lambda *_of_what: lacking)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Mock(free=0))
    bench.presence.answers["x/y:1"] = False
    terms = bench.terms.of_request(served(bench), coming=True)
    assert (terms.least_bytes, terms.idle_s) == (None, 1800.0)
    with pytest.raises(NotReadyError):
        bench.terms.of_request(served(bench))


def test_one_that_comes_has_its_sizes_where_they_are_known(make: Make) -> None:
    """Should it end, it is started again: and not as one that nobody can size."""
    bench = make(switching={"on_demand": False})
    sizes = bench.terms.of_here(served(bench))
    assert bench.terms.of_request(served(bench), coming=True) == sizes


def test_a_full_disk_is_said_before_anybody_leaves(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make()
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Mock(free=0))
    with pytest.raises(NotReadyError, match="a start needs"):
        bench.terms.of_request(served(bench))


def test_what_is_not_here_is_not_fetched_while_others_make_room(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make()
    lacking = Availability(None, bench.way, "The weights are not here.", "Pull them.")
    monkeypatch.setattr(ModelService, "availability", lambda *_of_what: lacking)
    for wish in (StartWish(), StartWish(image="x/y:2")):
        with pytest.raises(NotReadyError, match="The weights are not here") as refused:
            bench.terms.of_request(served(bench), wish)
        assert refused.value.hint == "Pull them."


def test_a_way_that_was_asked_for_is_looked_at(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make()

    def way(_ways: Ways, _recipe: Recipe, driver: str | None = None, _image: object = None) -> Way:
        if driver == "process":
            raise EnvironmentFault("vllm is not installed.")
        return bench.way

    monkeypatch.setattr(Ways, "way", way)
    assert bench.terms.of_request(served(bench), StartWish(driver="compose"))
    with pytest.raises(EnvironmentFault, match="vllm is not installed"):
        bench.terms.of_request(served(bench), StartWish(driver="process"))


@pytest.mark.parametrize(
    ("usual", "own", "request_s", "person_s"),
    [
        (1800.0, None, 1800.0, None),
        (0.0, None, None, None),
        (1800.0, 60.0, 60.0, 60.0),
        (1800.0, 0.0, None, None),
    ],
)
def test_how_long_it_may_be_idle_depends_on_who_started_it(
    make: Make, usual: float, own: float | None, request_s: float | None, person_s: float | None
) -> None:
    models = {} if own is None else {"qwen3-8b-fp8": {"idle_s": own}}
    bench = make(switching={"idle_s": usual}, models=models)
    model = served(bench)
    assert bench.terms.of_request(model).idle_s == request_s
    assert bench.terms.of_here(model, by_person=True).idle_s == person_s
    assert bench.terms.of_person(model, 7).idle_s == person_s


def test_what_the_settings_say_of_a_model(make: Make) -> None:
    bench = make(models={"qwen3-8b-fp8": {"pinned": True, "priority": 7}})
    for terms in (bench.terms.of_request(served(bench)), bench.terms.of_person(served(bench), 5)):
        assert (terms.pinned, terms.priority) == (True, 7)
    assert bench.terms.of_request(served(bench)).start_s == 70.0
    assert bench.terms.of_person(served(bench), 5).most_bytes == 5


def test_nobody_can_size_a_model_of_ollama(make: Make) -> None:
    bench = make(models={"ollama/llama3.2": {"idle_s": 5, "pinned": True}})
    terms = bench.terms.of_request(served(bench, "ollama/llama3.2"))
    assert (terms.least_bytes, terms.back_end, terms.idle_s) == (None, BackEnd.COLD, 5)
    assert terms.pinned


def test_a_model_of_ollama_that_is_not_here_is_refused_before_anybody_leaves(make: Make) -> None:
    bench = make(models={"ollama/llama3.2": {"idle_s": 5}})
    bench.presence.answers["ollama/llama3.2"] = False
    with pytest.raises(NotReadyError, match="is not on this machine") as refused:
        bench.terms.of_request(served(bench, "ollama/llama3.2"))
    assert refused.value.hint == "`sparkwell pull ollama/llama3.2` fetches it."


def test_an_image_that_is_not_here_is_refused_before_anybody_leaves(make: Make) -> None:
    bench = make()
    bench.presence.answers["x/y:1"] = False
    for ask in (bench.terms.of_request, bench.terms.of_switch):
        with pytest.raises(NotReadyError, match="image x/y:1 is not on this machine") as refused:
            ask(served(bench), StartWish())
        assert refused.value.hint == "`docker pull x/y:1` fetches it."


def test_where_nobody_can_tell_the_start_finds_out(make: Make) -> None:
    """A Docker that hangs holds up nobody who needs none of its images."""
    bench = make()
    bench.presence.answers |= {"x/y:1": None, "ollama/llama3.2": None}
    assert bench.terms.of_request(served(bench))
    assert bench.terms.of_switch(served(bench), StartWish())
    assert bench.terms.of_request(served(bench, "ollama/llama3.2"))


def test_a_process_needs_no_image(make: Make) -> None:
    bench = make()
    installed = Installed("vllm", "vllm", "cuda", "0.25.0", "/e", "/e/bin/python", "")
    bench.way = Way("0.25.0", "cuda", environment=installed)
    assert bench.terms.of_request(served(bench))
    assert bench.presence.asked == []


def test_what_comes_back_after_a_reboot_may_fetch_its_image(make: Make) -> None:
    """Nobody leaves for it, and nobody waits."""
    bench = make()
    bench.presence.answers["x/y:1"] = False
    assert bench.terms.of_here(served(bench), by_person=True)
    assert bench.presence.asked == []


# ── sleep, and what was found running ───────────────────────────────────────────────────────


def test_what_one_holds_that_sleeps(make: Make) -> None:
    own = {"qwen3-8b-fp8": {"back_end": "sleep-1"}}
    assert make(models=own).terms.of_here(served(make())).asleep_bytes == RESIDUE_BYTES
    spark = make("dgx-spark", models=own)
    weights = spark.recipe("qwen3-8b-fp8").weights_bytes
    asleep = RESIDUE_BYTES + pinned_bytes(weights)
    assert spark.terms.of_here(served(spark)).asleep_bytes == asleep
    assert make("dgx-spark").terms.of_here(served(spark)).asleep_bytes == 0


def spec(labels: Mapping[str, str]) -> LaunchSpec:
    return LaunchSpec("i", "qwen3-8b-fp8", "vllm", "1", (), Endpoint(uds="/x"), labels=labels)


def test_one_that_was_found_sleeps_only_if_it_was_started_so(make: Make) -> None:
    bench = make(models={"qwen3-8b-fp8": {"back_end": "sleep-1"}})
    able = bench.terms.of_spec(served(bench), spec({BACK_END: "sleep-1", HELD: "7"}))
    assert (able.back_end, able.least_bytes, able.most_bytes) == (BackEnd.SLEEP_1, 7, 7)
    unable = bench.terms.of_spec(served(bench), spec({HELD: "7"}))
    assert (unable.back_end, unable.asleep_bytes) == (BackEnd.COLD, 0)


def test_one_that_was_found_sleeps_as_it_was_started(make: Make) -> None:
    bench = make(models={"qwen3-8b-fp8": {"back_end": "sleep-2"}})
    terms = bench.terms.of_spec(served(bench), spec({BACK_END: "sleep-1"}))
    assert terms.back_end is BackEnd.SLEEP_1


def test_one_that_the_catalog_has_lost(make: Make) -> None:
    terms = make("dgx-spark").terms.of_spec(lost("gone"), spec({HELD: "7", BACK_END: "sleep-1"}))
    assert (terms.back_end, terms.most_bytes) == (BackEnd.SLEEP_1, 7)
    assert terms.asleep_bytes is None  # on unified memory that depends on its weights


def test_a_way_to_sleep_of_a_later_version_is_no_way(make: Make) -> None:
    bench = make()
    found = bench.terms.of_spec(served(bench), spec({BACK_END: "sleep-9"}))
    assert found.back_end is BackEnd.COLD


def test_a_setting_that_the_engine_cannot_follow_counts_as_cold(make: Make) -> None:
    bench = make(models={"qwen3-8b-fp8": {"back_end": "sleep-2"}})
    bench.way = Way("0.10.2", "cuda", image="x/y:1")
    assert bench.terms.of_person(served(bench), 7).back_end is BackEnd.COLD
