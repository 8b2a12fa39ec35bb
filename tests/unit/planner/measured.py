"""The measured starts with all that their plans need, and machines and flags to vary."""

from collections.abc import Mapping

from hypothesis import strategies as st

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import Described, describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.engines.vllm.history import history
from sparkwell.engines.vllm.rules import OLDEST, rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.hardware.machine import Machine
from sparkwell.planner.memory import Calibration, Memory, plan_memory
from sparkwell.planner.settings import resolve
from sparkwell.planner.starts import Start, load_starts, plan_start

CATALOG = load_catalog()
MODELS = {
    name: describe_recipe(CATALOG.get(name))
    for name in CATALOG.names
    if CATALOG.get(name).repo is not None
}
MACHINES = {
    name: find_machine(name) for name in ("dgx-spark", "dgx-spark-x2", "h100-80gb", "h200-141gb")
}
STARTS = {start.name + "@" + start.session.what: start for start in load_starts()}
FITTED = {name: start for name, start in STARTS.items() if start.session.fitted}
OTHERS = {name: start for name, start in STARTS.items() if not start.session.fitted}

models = st.sampled_from(sorted(MODELS)).map(MODELS.__getitem__)
machines = st.sampled_from(sorted(MACHINES)).map(MACHINES.__getitem__)
versions = st.sampled_from([str(each) for each in history().versions if each >= OLDEST])
utilizations = st.floats(0.3, 0.98)
contexts = st.integers(16, 40_960)
batches = st.fixed_dictionaries(
    {
        "max_num_batched_tokens": st.sampled_from((2048, 4096, 8192, 16_384, 32_768)),
        "max_num_seqs": st.sampled_from((1, 16, 64, 256, 1024)),
        "kv_cache_dtype": st.sampled_from(("auto", "fp8", "bfloat16")),
        "enforce_eager": st.booleans(),
        "enable_sleep_mode": st.booleans(),
    }
)


def planned(start: Start, calibration: Calibration | None = None) -> Memory:
    """What the planner says of a start."""
    machine = find_machine(start.session.machine)
    rules = rules_for(start.session.engine_version)
    return plan_start(start, MODELS[start.model], machine, rules, calibration=calibration)


def plan(
    described: Described,
    machine: Machine,
    flags: Mapping[str, FlagValue],
    version: str = "0.25.0",
    calibration: Calibration | None = None,
    warm: bool = False,
    beside_bytes: int = 0,
) -> Memory:
    """A plan from flags."""
    rules = rules_for(version)
    return plan_memory(
        described,
        machine,
        rules,
        resolve(flags, described, machine, rules),
        calibration=calibration,
        warm=warm,
        beside_bytes=beside_bytes,
    )
