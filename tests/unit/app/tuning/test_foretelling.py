"""What the plan says of flags before a start with them."""

from pathlib import Path

import pytest
from tests.unit.app.tuning.simulated import BEFORE, H100, VERSION
from tests.unit.bench.test_measured_pace import case, run

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning
from sparkwell.app.tuning.foretelling import Plans
from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Workload
from sparkwell.catalog import load_catalog
from sparkwell.store.benchmarks import save
from sparkwell.tune.goal import Goal
from sparkwell.tune.knobs import Value

MODEL = "qwen3-8b-fp8"


def plans(home: Path) -> Plans:
    planning = Planning(find_paths({"SPARKWELL_HOME": str(home)}), load_catalog(), {})
    planning.__dict__["here"] = H100
    return Plans(planning, MODEL, VERSION, BEFORE)


def measured_here(home: Path) -> Plans:
    """With a kept run of the flags from before whose steps were half as long as modelled."""
    flags = plans(home).plan({}).question.flags
    machine = {"name": H100.name, "gpus": H100.gpus}
    name, versions = f"20261120-000000-{MODEL}-guide", {"engine_version": VERSION}
    kept = run(case(1, 0.5), run=name, machine=machine, versions=versions, flags=dict(flags))
    save(find_paths({"SPARKWELL_HOME": str(home)}).benchmarks, kept)
    found = plans(home)
    assert found.plan({}).question.pace.step_at(1) == pytest.approx(0.5)
    return found


@pytest.mark.parametrize("name", ["throughput", "latency"])
@pytest.mark.parametrize(
    "other", [{"attention_backend": "FLASH_ATTN"}, {"attention_backend": "FLASHINFER"}]
)
def test_what_was_measured_of_the_flags_from_before_is_not_held_against_others(
    tmp_path: Path, name: str, other: dict[str, Value]
) -> None:
    """Runs correct the plan of just such flags: others would seem to be slower by that."""
    found, asked = measured_here(tmp_path), Case("w", Workload(512, 256), 16, 16)
    goal = Goal(name, None, (16,))  # type: ignore[arg-type]
    before, after = found.foretold(goal, asked, {}), found.foretold(goal, asked, other)
    assert before.value is not None
    assert after.value == before.value
