"""The first answer that makes a start a good one: a token, or a vector from who has no tokens."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from sparkwell.core.errors import EnvironmentFault
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.supervisor.start import StartWatch
from sparkwell.testing.memory_driver import MemoryDriver
from sparkwell.testing.running import RunningEngine, running_engine

Start = Callable[..., RunningEngine]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:

        def start_one(*flags: str, **script: object) -> RunningEngine:
            return stack.enter_context(running_engine(tmp_path, *flags, **script)).wait_ready()

        yield start_one


def spec(engine: RunningEngine, model: str = "org/model") -> LaunchSpec:
    uds = str(engine.uds)
    return LaunchSpec("i1", model, "vllm", "1", ("engine",), Endpoint(uds=uds), served_model=model)


@pytest.mark.parametrize("runner", ["generate", "pooling"])
async def test_it_comes(start: Start, runner: str) -> None:
    await StartWatch(MemoryDriver()).one_token(spec(start(f"--runner={runner}")))


async def test_a_model_that_the_engine_does_not_know_is_no_pooling_engine(start: Start) -> None:
    with pytest.raises(EnvironmentFault, match=r"refused the first request \(404\)"):
        await StartWatch(MemoryDriver()).one_token(spec(start(), "org/other"))
