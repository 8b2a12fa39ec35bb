"""Starts of models in Ollama: what they take, what is refused, and what is fetched first."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sparkwell.app.launching.flags import StartWish
from sparkwell.app.ollama.server import OllamaServer
from sparkwell.app.ollama.starts import OllamaStarts
from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning
from sparkwell.app.served import Served, served
from sparkwell.app.settings.config import ModelSettings, Settings
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import ConflictError, EnvironmentFault, UsageError
from sparkwell.core.phases import Phase, PhaseMark
from sparkwell.core.units import GIB
from sparkwell.drivers.ollama import Kept, OllamaDriver
from sparkwell.hardware.description import find_machine
from sparkwell.testing.fake_ollama.running import RunningOllama, running_ollama

CATALOG = load_catalog()
Make = Callable[..., OllamaStarts]


class Server(OllamaServer):
    """A container that is no container; counts its ends."""

    def __init__(self, *, fails: bool = False) -> None:
        self.stops = 0
        self._fails = fails

    async def stop(self) -> None:
        """End it."""
        self.stops += 1
        if self._fails:
            raise EnvironmentFault("It does not end.")


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOllama]:
    flags = ["--models", "qwen3:8b=5GB@40960", "--library", "llama3.2=2GB@131072"]
    with running_ollama(tmp_path_factory.mktemp("o"), *flags) as server:
        yield server


@pytest.fixture
def make(tmp_path: Path, ollama: RunningOllama) -> Make:
    def made(settings: Settings | None = None, server: OllamaServer | None = None) -> OllamaStarts:
        planning = Planning(find_paths({"HOME": str(tmp_path)}), CATALOG, {})
        planning.__dict__["here"] = find_machine("dgx-spark")
        driver = OllamaDriver(tmp_path / "i", port=ollama.port)
        kept = Kept({}, (str(tmp_path),))
        used = settings or Settings()
        return OllamaStarts(driver, server or Server(), planning, lambda: used, kept)

    return made


def named(name: str = "ollama/qwen3:8b") -> Served:
    return served(name, CATALOG)


async def test_a_start_loads_with_the_context_that_was_counted(make: Make) -> None:
    starts = make()
    held = await starts.held_bytes(named(), {"num_ctx": 8192})
    assert held is not None
    assert held > 5e9
    start = starts.start(named(), StartWish(), {"set": "[]"})
    spec = start.prepare("x")
    assert spec.served_model == "sparkwell/qwen3:8b-ctx8192"
    assert spec.labels["flags"] == '{"num_ctx": 8192}'
    assert spec.labels["held"] == str(held)
    assert spec.labels["set"] == "[]"
    assert await start.provide(lambda _: None) == spec


async def test_what_is_missing_is_pulled_by_the_server(make: Make, ollama: RunningOllama) -> None:
    starts = make()
    assert await starts.held_bytes(named("ollama/llama3.2"), {}) is None
    start = starts.start(named("ollama/llama3.2"), StartWish(), {})
    start.prepare("x")
    heard: list[PhaseMark] = []
    await start.provide(heard.append)
    assert {mark.phase for mark in heard} == {Phase.DOWNLOAD}
    assert ollama.ask("/fake/state")["pulls"] == ["llama3.2"]


async def test_the_hosts_context_counts_unless_the_wish_has_one(make: Make) -> None:
    settings = Settings(models={"ollama/qwen3:8b": ModelSettings(flags={"num_ctx": 4096})})
    for flags, expected in (({}, 4096), ({"num_ctx": 2048}, 2048)):
        starts = make(settings)
        await starts.held_bytes(named(), flags)
        spec = starts.start(named(), StartWish(), {}).prepare("x")
        assert spec.served_model == f"sparkwell/qwen3:8b-ctx{expected}"


async def test_a_context_that_the_model_has_not_is_said(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await make().held_bytes(named(), {"num_ctx": 131_072})
    assert "num_ctx is 40,960, not 131,072" in caplog.text


@pytest.mark.parametrize("flags", [{"seed": 1}, {"num_ctx": "many"}, {"num_ctx": True}], ids=str)
async def test_other_flags_are_refused(make: Make, flags: dict[str, int | str]) -> None:
    with pytest.raises(UsageError):
        await make().held_bytes(named(), flags)


@pytest.mark.parametrize(
    "wish",
    [StartWish(profile="latency"), StartWish(image="x:1"), StartWish(driver="compose", force=True)],
    ids=["profile", "image", "driver"],
)
async def test_what_only_a_recipe_has_is_refused(make: Make, wish: StartWish) -> None:
    starts = make()
    await starts.held_bytes(named(), {})
    with pytest.raises(UsageError, match=r"takes no --(profile|image|driver)") as caught:
        starts.start(named(), wish, {})
    assert "num_ctx" in str(caught.value.hint)


async def test_no_room_is_refused_unless_forced(make: Make) -> None:
    starts = make()
    await starts.held_bytes(named("ollama/qwen3:8b=60GiB"), {})
    beside = {"other": 100 * GIB}
    with pytest.raises(ConflictError, match="does not fit") as caught:
        starts.start(named(), StartWish(beside=beside), {})
    assert "sparkwell down other" in str(caught.value.hint)
    assert starts.start(named(), StartWish(beside=beside, force=True), {}).prepare("x")


async def test_the_budget_of_the_settings_holds_for_ollama_too(make: Make) -> None:
    settings = Settings.model_validate({"switching": {"budget_gib": 40}})
    starts = make(settings)
    large, small = named("ollama/qwen3:8b=41GiB"), named("ollama/qwen3:8b=30GiB")
    await starts.held_bytes(large, {})
    with pytest.raises(ConflictError, match=r"takes 41\.0 GiB, and 40\.0 GiB are there") as caught:
        starts.start(large, StartWish(), {})
    assert "switching.budget_gib leaves" in caught.value.message
    assert starts.start(large, StartWish(force=True), {}).prepare("x")
    await starts.held_bytes(small, {})
    assert starts.start(small, StartWish(beside={"other": 10 * GIB}), {}).prepare("y")
    with pytest.raises(ConflictError, match=r"beside other \(11\.0 GiB\).* and 29\.0 GiB are"):
        starts.start(small, StartWish(beside={"other": 11 * GIB}), {})


async def test_the_unknown_runs_alone_or_with_its_size(make: Make) -> None:
    starts, unknown = make(), named("ollama/nobody-knows")
    assert await starts.held_bytes(unknown, {}) is None
    assert starts.start(unknown, StartWish(), {}).prepare("x")
    with pytest.raises(ConflictError, match="Nobody here can tell"):
        starts.start(unknown, StartWish(beside={"other": GIB}), {})
    sized = named("ollama/nobody-knows=1GiB")
    assert await starts.held_bytes(sized, {}) == GIB
    assert starts.start(sized, StartWish(beside={"other": GIB}), {}).prepare("y")


async def test_the_last_model_takes_the_server_with_it(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server()
    starts = make(server=server)
    await starts.tidy(["demo-qwen3", "ollama/qwen3:8b"])
    assert server.stops == 0
    await starts.tidy(["demo-qwen3"])
    assert server.stops == 1
    with caplog.at_level(logging.WARNING):
        await make(server=Server(fails=True)).tidy([])
    assert "It does not end." in caplog.text
