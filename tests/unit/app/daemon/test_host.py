"""The daemon's two faces over a driver in memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.unit.catalog.overlays import overlay

import sparkwell
from sparkwell.admin.api import UpBody
from sparkwell.app.daemon.host import About, Host
from sparkwell.app.daemon.terms import TermsMaker
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.starter import OnShare, Start, Starter
from sparkwell.app.launching.ways import Way
from sparkwell.app.paths import find_paths
from sparkwell.app.served import Served
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.app.status.describing import Describer
from sparkwell.catalog import Recipe, load_catalog
from sparkwell.catalog.recipe import FlagValue
from sparkwell.catalog.tuned_files import write_tuned
from sparkwell.core.errors import ConflictError, EnvironmentFault, UnknownModelError, UsageError
from sparkwell.core.launch import ExitRecord, LaunchSpec
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.hardware.description import find_machine
from sparkwell.store import History, open_database
from sparkwell.supervisor.actor import Supervisor
from sparkwell.supervisor.journal import Journal
from sparkwell.supervisor.start import OnMark, StartWatch
from sparkwell.testing.environment import install_fake_environment
from sparkwell.testing.memory_driver import MemoryDriver


class Watch(StartWatch):
    """A start tells of its weights, then waits until the test lets it become ready."""

    async def until_ready(self, spec: LaunchSpec, on_mark: OnMark) -> None:
        on_mark(PhaseMark(Phase.WEIGHTS, 0.5))
        await GATES.setdefault(spec.instance, asyncio.Event()).wait()


GATES: dict[str, asyncio.Event] = {}


class Fetchers:
    """Nothing has to be fetched; ``refusal`` is what a check finds."""

    def __init__(self) -> None:
        self.refusal: Exception | None = None
        self.checked: list[str] = []

    async def check(self, recipe: Recipe, _way: Way, _wish: StartWish) -> None:
        self.checked.append(recipe.name)
        if self.refusal:
            raise self.refusal

    async def image(self, _image: str, _on_share: OnShare) -> None:
        raise AssertionError("nothing here runs in a container")

    async def weights(self, _recipe: Recipe, _wish: StartWish, _on_share: OnShare) -> Path:
        raise AssertionError("all weights are here")


class Ollama:
    """No model of Ollama is asked for."""

    async def held_bytes(self, _served: Served, _flags: Mapping[str, FlagValue]) -> int | None:
        raise AssertionError("nobody asked for a model in Ollama")

    def start(self, _served: Served, _wish: StartWish, _given: Mapping[str, str]) -> Start:
        raise AssertionError("nobody asked for a model in Ollama")

    async def must_be_here(self, _served: Served) -> None:
        raise AssertionError("nobody asked for a model in Ollama")

    async def tidy(self, _running: Sequence[str]) -> None:
        """There is no server."""


class Bench:
    def __init__(self, folder: Path, history: History, settings: Settings) -> None:
        GATES.clear()
        numbers = count(1)
        paths = find_paths({"SPARKWELL_HOME": str(folder)})
        install_fake_environment(paths.engines, "vllm-cpu")
        self.driver = MemoryDriver()
        self.history = history
        self.ended: list[bool] = []
        journal = Journal(time.time)
        self.supervisor = Supervisor(
            self.driver,
            journal,
            Watch(self.driver),
            new_id=lambda model: f"{model}-{next(numbers)}",
        )
        models = self.models = ModelService(paths, settings, load_catalog(), {"HOME": str(folder)})
        self.fetchers = Fetchers()
        self.host = Host(
            About("127.0.0.1", 8000, detached=True, started_at=time.time()),
            models,
            Starter(models, self.driver, self.fetchers, Ollama()),
            self.driver,
            self.supervisor,
            journal,
            Describer(models, self.driver, self.supervisor, history),
            TermsMaker(models, history.expected),
            self.ended.append,
        )

    async def up(self, *models: str, flags: tuple[str, ...] = (), **wish: Any) -> dict[str, Any]:
        return dict(await self.host.up(UpBody(models=models, flags=flags, **wish)))

    async def starting(self, *flags: str, model: str = "demo-qwen3") -> str:
        instance = str((await self.up(model, flags=flags))["instance"])
        await until(lambda: instance in GATES)
        return instance

    async def ready(self, *flags: str, model: str = "demo-qwen3") -> str:
        instance = await self.starting(*flags, model=model)
        GATES[instance].set()
        await until(lambda: self.host.served.resolve(model).state == "ready")
        return instance

    def argv(self, instance: str) -> tuple[str, ...]:
        spec = self.supervisor.spec(instance)
        assert spec is not None
        return spec.argv


async def until(condition: Callable[[], object]) -> None:
    for _ in range(200):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come true")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    with closing(open_database(tmp_path / "s.db")) as database:
        bench = Bench(tmp_path, History(database), Settings(start=("demo-llama", "demo-qwen3")))
        yield bench
        await bench.supervisor.close()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),  # all of IPv6, and nothing else
        ("", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("spark.local", "http://spark.local:8000"),
    ],
)
def test_the_url_is_one_that_works_here(host: str, url: str) -> None:
    assert About(host, 8000, detached=False, started_at=0).url == url
    secured = About(host, 8000, detached=False, started_at=0, certificate="/c.pem")
    assert secured.url == url.replace("http:", "https:")


async def test_health_through_a_life(bench: Bench) -> None:
    def health() -> tuple[bool, object, object]:
        able, state = bench.host.served.health()
        return able, state["state"], state["model"]

    assert health() == (True, "idle", None)
    instance = await bench.starting()
    assert health() == (True, "loading", "demo-qwen3")
    GATES[instance].set()
    await until(lambda: health() == (True, "ready", "demo-qwen3"))
    await bench.driver.end(instance, code=1)
    await until(lambda: health() == (False, "idle", "demo-qwen3"))
    assert "ended by itself while serving" in str(bench.host.served.health()[1]["error"])


async def test_health_while_stopping(bench: Bench) -> None:
    await bench.ready()
    bench.driver.stop_gate.clear()
    down = asyncio.create_task(bench.host.down(None))
    await until(lambda: bench.host.served.health()[1]["state"] == "switching")
    bench.driver.stop_gate.set()
    assert await down == {"stopped": ["demo-qwen3"]}


async def test_models_know_their_state_and_context(bench: Bench) -> None:
    assert [model.name for model in bench.host.served.listed()] == ["demo-llama", "demo-qwen3"]
    await bench.starting("max_model_len=512")
    model = bench.host.served.resolve("DEMO-qwen3")
    assert (model.name, model.state, model.context) == ("demo-qwen3", "starting", 512)
    with pytest.raises(UnknownModelError, match="There is no model 'gpt'"):
        bench.host.served.resolve("gpt")


async def test_version_and_status_of_an_idle_daemon(bench: Bench) -> None:
    status = bench.host.status()
    assert status["version"] == sparkwell.__version__
    assert (status["gateway"], status["detached"]) == ("http://127.0.0.1:8000", True)
    assert (status["instances"], status["requests_running"], status["event"]) == ([], 0, 0)


async def test_status_of_a_start(bench: Bench) -> None:
    instance = await bench.starting()
    [shown] = bench.host.status()["instances"]
    assert (shown["id"], shown["model"], shown["driver"]) == (instance, "demo-qwen3", "process")
    assert (shown["state"], shown["phase"], shown["phase_title"]) == (
        "starting",
        "weights",
        "loading weights",
    )
    assert list(shown["phases"]) == ["prepare", "launch", "weights"]
    assert (shown["container"], shown["image"], shown["requests_running"]) == (None, None, 0)
    assert 0 < shown["percent"] < 100
    assert shown["left_s"] > 0
    assert (shown["start_s"], shown["error"], shown["last_lines"]) == (None, None, [])


async def test_what_this_machine_has_seen_is_what_is_expected(bench: Bench) -> None:
    instance = await bench.starting()
    spec = bench.supervisor.spec(instance)
    assert spec is not None
    bench.history.add(spec, {Phase.LAUNCH: 0.0, Phase.WEIGHTS: 1000.0}, 0.0)
    [shown] = bench.host.status()["instances"]
    assert (shown["percent"], shown["left_s"]) == (50.0, 500.0)


async def test_status_of_a_crash_shows_the_last_lines(bench: Bench) -> None:
    instance = await bench.ready()
    await bench.driver.say(instance, "boom")
    await bench.driver.end(instance, code=1)
    await until(lambda: not bench.host.served.health()[0])
    [shown] = bench.host.status()["instances"]
    assert (shown["state"], shown["last_lines"]) == ("failed", ["boom"])


async def test_a_start_with_tuned_flags_that_fails_says_how_to_go_back(bench: Bench) -> None:
    here = bench.models.planning.__dict__["here"] = find_machine("cpu")
    made = overlay(
        recipe="demo-qwen3", machine=here.name, total_bytes=here.total_bytes, version="0.32.0",
        flags={"max_num_seqs": 3},
    )  # fmt: skip
    write_tuned(bench.models.paths.tuned, made)
    instance = str((await bench.up("demo-qwen3", profile="tuned-throughput"))["instance"])
    await until(lambda: instance in GATES)
    argv = bench.argv(instance)
    assert argv[argv.index("--max-num-seqs") + 1] == "3"
    [shown] = bench.host.status()["instances"]
    assert (shown["state"], shown["hint"]) == ("starting", None)
    await bench.driver.end(instance, code=1)
    await until(lambda: bench.host.status()["instances"][0]["state"] == "failed")
    [shown] = bench.host.status()["instances"]
    assert shown["hint"] == (
        "It was started with tuned flags; `sparkwell up demo-qwen3 --profile balanced` goes back "
        "to those before."
    )


async def test_a_start_without_them_says_nothing_of_it(bench: Bench) -> None:
    instance = await bench.starting()
    await bench.driver.end(instance, code=1)
    await until(lambda: bench.host.status()["instances"][0]["state"] == "failed")
    assert bench.host.status()["instances"][0]["hint"] is None


async def test_up_takes_flags(bench: Bench) -> None:
    instance = await bench.starting("--max-num-seqs=4", "enforce_eager=false")
    argv = bench.argv(instance)
    assert argv[argv.index("--max-num-seqs") + 1] == "4"
    assert "--no-enforce-eager" in argv


async def test_up_refuses_before_anything_happens(bench: Bench) -> None:
    with pytest.raises(UsageError, match="has no flag"):
        await bench.up("demo-qwen3", flags=("nonsense_flag=1",))
    with pytest.raises(UnknownModelError):
        await bench.up("gpt")
    with pytest.raises(EnvironmentFault, match="vllm is not installed"):
        await bench.up("qwen3-8b-fp8")
    with pytest.raises(UnknownModelError):
        await bench.up("demo-qwen3", "gpt")
    assert bench.host.status()["instances"] == []
    assert bench.driver.launched == []


async def test_several_models_are_served_at_once(bench: Bench) -> None:
    await bench.ready()
    await bench.ready(model="demo-llama")
    status = bench.host.status()
    assert [each["model"] for each in status["instances"]] == ["demo-qwen3", "demo-llama"]
    able, state = bench.host.served.health()
    assert (able, state["state"]) == (True, "ready")
    assert state["models"] == {"demo-qwen3": "ready", "demo-llama": "ready"}
    assert await bench.host.down("demo-qwen3") == {"stopped": ["demo-qwen3"]}
    assert bench.host.served.resolve("demo-llama").state == "ready"


async def test_all_that_the_settings_name_is_started_one_by_one(bench: Bench) -> None:
    begun = await bench.up()
    assert [each["model"] for each in begun["instances"]] == ["demo-llama", "demo-qwen3"]
    first, second = (each["instance"] for each in begun["instances"])
    await until(lambda: first in GATES)
    assert bench.driver.launched == [first]
    GATES[first].set()
    await until(lambda: bench.driver.launched == [first, second])


async def test_what_runs_beside_counts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.ready()
    [shown] = bench.host.status()["instances"]
    assert shown["held_bytes"] > 1_000_000_000
    machine = bench.models.planning.here
    small = replace(machine, total_bytes=int(1.5 * shown["held_bytes"]))
    monkeypatch.setitem(bench.models.planning.__dict__, "here", small)
    with pytest.raises(ConflictError, match=r"demo-llama does not fit .* beside demo-qwen3") as no:
        await bench.up("demo-llama")
    assert "`sparkwell down demo-qwen3` makes room" in str(no.value.hint)
    assert (await bench.up("demo-llama", force=True))["new"]


async def test_a_model_of_ollama_is_not_everybodys_to_ask_for(bench: Bench) -> None:
    with pytest.raises(UnknownModelError, match=r"ollama/llama3\.2") as caught:
        bench.host.served.resolve("ollama/llama3.2")
    assert "`sparkwell up ollama/llama3.2`" in str(caught.value.hint)


async def test_what_a_check_finds_fails_the_start(bench: Bench) -> None:
    bench.fetchers.refusal = EnvironmentFault("The port is taken.", hint="End that program.")
    instance = (await bench.up("demo-qwen3"))["instance"]
    await bench.supervisor.settled(instance)
    [shown] = bench.host.status()["instances"]
    assert (shown["state"], shown["error"]) == ("failed", "The port is taken")
    assert shown["hint"] == "End that program."
    assert bench.driver.launched == []


async def test_the_profile_that_runs_may_be_asked_for_by_name_and_no_other(bench: Bench) -> None:
    instance = await bench.ready()
    again = await bench.up("demo-qwen3", profile="balanced")
    assert (again["instance"], again["new"]) == (instance, False)
    with pytest.raises(ConflictError, match="with other flags"):
        await bench.up("demo-qwen3", profile="latency")


async def test_restart_keeps_the_flags(bench: Bench) -> None:
    first = await bench.ready("max_num_seqs=4", "enforce_eager=false")
    argv = bench.argv(first)
    again = str((await bench.host.restart(None))["instance"])
    assert again != first
    await until(lambda: again in bench.driver.launched)
    assert bench.argv(again)[-3:] == argv[-3:]
    assert "--no-enforce-eager" in bench.argv(again)
    assert bench.driver.stopped == [first]


async def test_an_up_that_changed_nothing_does_not_change_the_flags(bench: Bench) -> None:
    first = await bench.ready("max_num_seqs=4")
    assert (await bench.up("demo-qwen3"))["instance"] == first
    again = str((await bench.host.restart("demo-qwen3"))["instance"])
    argv = bench.argv(again)
    assert argv[argv.index("--max-num-seqs") + 1] == "4"


async def test_restart_of_nothing(bench: Bench) -> None:
    with pytest.raises(UsageError, match="No model runs"):
        await bench.host.restart(None)


async def test_down_of_what_does_not_run(bench: Bench) -> None:
    assert await bench.host.down(None) == {"stopped": []}
    with pytest.raises(UsageError, match="demo-llama does not run"):
        await bench.host.down("demo-llama")


async def test_old_runs_are_forgotten_when_a_new_one_begins(bench: Bench) -> None:
    for _ in range(Settings().engines.keep_logs + 2):
        await bench.ready()
        await bench.host.down("demo-qwen3")
    await bench.starting()
    assert len(bench.driver.ended()) == Settings().engines.keep_logs


async def test_shutting_down_is_passed_on(bench: Bench) -> None:
    bench.host.shut_down(stop_engines=True)
    assert bench.ended == [True]


async def test_events_are_the_journals(bench: Bench) -> None:
    await bench.starting()
    async for event in bench.host.events(0):
        assert (event.kind, event.model) == ("instance.starting", "demo-qwen3")
        break


async def test_up_of_one_that_may_still_run_sees_to_its_end_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What kept it from being ended may be over; a second one beside it must not start."""
    first = await bench.ready()
    stop = bench.driver.stop

    async def broken(_instance: str, _grace_s: float | None = None) -> ExitRecord:
        raise EnvironmentFault("the disk is full")

    monkeypatch.setattr(bench.driver, "stop", broken)
    with pytest.raises(EnvironmentFault, match="may still run"):
        await bench.host.down("demo-qwen3")
    with pytest.raises(EnvironmentFault, match="may still run"):
        await bench.up("demo-qwen3")
    assert [each.spec.instance for each in await bench.driver.running()] == [first]
    monkeypatch.setattr(bench.driver, "stop", stop)
    second = await bench.ready()
    assert [each.spec.instance for each in await bench.driver.running()] == [second]
