"""What starts that were seen say of the next one; most of it on logs of our own runs."""

import itertools
import json
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sparkwell.app.paths import Paths, find_paths
from sparkwell.app.planning.calibration import NEWEST, NOTHING, Known, calibration, calibration_for
from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import Described, describe_recipe
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.launch import Endpoint, LaunchSpec
from sparkwell.core.units import GIB
from sparkwell.engines.vllm import read_line, rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.planner.memory import Memory, plan_memory
from sparkwell.planner.settings import resolve
from sparkwell.planner.starts import Start as MeasuredStart
from sparkwell.planner.starts import load_starts
from sparkwell.store import StartRecord, Starts, open_database
from sparkwell.store.record import memory_flags, start_record

LOGS = Path(__file__).parents[3] / "fixtures" / "logs"
MODEL = "qwen3-8b-fp8"
H100 = find_machine("h100-80gb")
RULES = rules_for("0.25.0")
CATALOG = load_catalog()
DESCRIBED = describe_recipe(CATALOG.get(MODEL))

Flags = Mapping[str, FlagValue]
GUIDE: Flags = {
    "gpu_memory_utilization": 0.9,
    "max_model_len": 32_768,
    "max_num_batched_tokens": 16_384,
    "max_num_seqs": 64,
    "enable_prefix_caching": True,
    "load_format": "dummy",
}
SLEEP: Flags = {
    "max_model_len": 32_768,
    "max_num_batched_tokens": 16_384,
    "max_num_seqs": 512,
    "enable_sleep_mode": True,
    "load_format": "dummy",
}
MANY: Flags = {**GUIDE, "max_num_batched_tokens": 2048, "max_num_seqs": 1024}
"""Measured on the same H100 too: 444,272 tokens cold, 446,208 warm, at 8,192 tokens of context."""


def facts_of(log: str) -> dict[str, float]:
    """The figures that the supervisor gathers from a log, the latest of each name."""
    text = (LOGS / f"vllm-0.25.0-h100-{MODEL}-{log}.log").read_bytes().decode("utf-8", "replace")
    marks = (read_line(line) for line in re.split(r"[\r\n]+", text))
    return {name: value for mark in marks if mark for name, value in mark.facts}


def record_of(facts: Mapping[str, float], flags: Flags, instance: str = "q-1") -> StartRecord:
    labels = {"device": "cuda", "flags": json.dumps(dict(flags))}
    spec = LaunchSpec(instance, MODEL, "vllm", "0.25.0", (), Endpoint(port=1), labels=labels)
    record = start_record(spec, facts, H100, CATALOG.get(MODEL), 5.0)
    assert record is not None
    return record


def recorded(log: str, flags: Flags = GUIDE, **changes: object) -> StartRecord:
    return replace(record_of(facts_of(log), flags), **changes)  # type: ignore[arg-type]


def measured(tokens: int, flags: Flags = GUIDE, **changes: object) -> StartRecord:
    """A start of which no more is known than the engine's whole blocks."""
    facts = {"weights_gib": 8.83, "gpu_blocks": tokens // 16, "block_tokens": 16.0}
    return replace(record_of(facts, flags), **changes)  # type: ignore[arg-type]


def known(
    records: list[StartRecord], flags: Flags = GUIDE, described: Described = DESCRIBED
) -> Known:
    settings = resolve(flags, described, H100, RULES)
    return calibration_for(records, described, H100, RULES, settings, flags)


def planned(records: list[StartRecord], flags: Flags = GUIDE, *, warm: bool = False) -> Memory:
    settings = resolve(flags, DESCRIBED, H100, RULES)
    found = known(records, flags).calibration
    return plan_memory(DESCRIBED, H100, RULES, settings, calibration=found, warm=warm)


def error(tokens: int, truth: int) -> float:
    return abs(tokens / truth - 1)


# ── the same flags ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("log", "flags", "tokens"),
    [
        ("cold-cache", GUIDE, 441_664),
        ("warm-cache", GUIDE, 442_032),
        ("sleep-mode", SLEEP, 470_192),
    ],
)
def test_a_start_that_was_seen_is_planned_to_the_block(log: str, flags: Flags, tokens: int) -> None:
    record = recorded(log, flags)
    assert known([record], flags).basis == "measured here"
    memory = planned([record], flags)
    assert memory.kv_tokens == tokens
    assert memory.weights == pytest.approx(8.83 * GIB, rel=1e-9)
    assert memory.budget == memory.weights + memory.overhead + memory.kv_cache
    assert memory.measured


@pytest.mark.parametrize(("seen", "next_one"), [("cold-cache", 442_032), ("warm-cache", 441_664)])
def test_a_warm_start_after_a_cold_one_and_the_other_way_round(seen: str, next_one: int) -> None:
    assert error(planned([recorded(seen)]).kv_tokens, next_one) < 0.002


def test_the_next_start_is_warm_when_one_was() -> None:
    """A first start compiles, which takes memory too; later ones find its code."""
    assert [recorded(log).warm for log in ("cold-cache", "warm-cache")] == [False, True]
    records = [recorded("warm-cache"), *[recorded("cold-cache")] * 4]
    assert planned(records).kv_tokens == 442_032


def test_blocks_from_metrics_are_as_good_as_the_log() -> None:
    assert planned([measured(441_664)]).kv_tokens == 441_664


def test_the_log_without_tokens_is_good_to_its_second_decimal() -> None:
    memory = planned([recorded("warm-cache", kv_cache_tokens=None)])
    assert error(memory.kv_tokens, 442_032) < 0.0002


def test_without_the_weights_the_kv_cache_is_as_exact() -> None:
    record = recorded("warm-cache", weights_bytes=None)
    assert planned([record]).kv_tokens == 442_032


def test_defaults_that_are_written_out_are_the_same_flags() -> None:
    written = {**GUIDE, "block_size": 16, "kv_cache_dtype": "auto", "tensor_parallel_size": 1}
    assert known([recorded("cold-cache")], written).basis == "measured here"


def test_the_median_of_the_newest_decides() -> None:
    older = [measured(430_000) for _ in range(3)]  # something else held memory then
    newest = [measured(tokens) for tokens in (442_032, 442_032, 442_032, 441_664, 400_000)]
    found = known([*newest, *older]).calibration
    assert found is not None
    assert found.starts == NEWEST
    assert planned([*newest, *older]).kv_tokens == 442_032


def test_of_two_starts_the_one_with_less_room_is_promised() -> None:
    assert planned([measured(442_032), measured(441_664)]).kv_tokens == 441_664


def test_a_start_of_another_boot_is_read_with_its_own_total() -> None:
    """MemTotal may differ by some pages; what the start spent does not."""
    total = H100.total_bytes - 64 * 1024**2
    less = int(64 * 1024**2 * 0.9) // 147_456 // 16 * 16
    record = measured(441_664 - less, total_bytes=total)
    assert error(planned([record]).kv_tokens, 441_664) < 0.0001


# ── other flags ─────────────────────────────────────────────────────────────────────────────


def test_starts_with_other_flags_correct_the_model() -> None:
    corrected = known([recorded("cold-cache")], MANY)
    assert corrected.basis == "modelled, corrected by starts with other flags"
    assert error(planned([recorded("cold-cache")], MANY).kv_tokens, 444_272) < 0.0005


def test_a_difference_is_carried_over_as_it_is() -> None:
    """Something on this machine takes 2 GiB that the model knows nothing of."""
    plain, lost = planned([], MANY), 2 * GIB
    seen = planned([]).kv_tokens - lost // 147_456
    memory = planned([measured(seen, warm=False)], MANY)
    assert plain.kv_cache - memory.kv_cache == pytest.approx(lost, abs=0.01 * GIB)


def test_the_same_flags_win_over_newer_starts_with_others() -> None:
    records = [measured(300_000, MANY), measured(441_664)]
    assert known(records).basis == "measured here"
    assert planned(records).kv_tokens == 441_664


def test_another_utilization_spends_the_same() -> None:
    eager = {**GUIDE, "enforce_eager": True}
    records = [measured(441_664, eager)]
    memory = planned(records, {**eager, "gpu_memory_utilization": 0.5})
    same = planned(records, eager)
    assert memory.weights + memory.overhead == same.weights + same.overhead


def test_new_flags_may_have_to_be_compiled_first() -> None:
    """So that the plan promises no more than a cold start gives."""
    half = {**GUIDE, "gpu_memory_utilization": 0.5}
    cold, warm = (planned([], half, warm=warm).overhead for warm in (False, True))
    seen = planned([recorded("warm-cache")])
    memory = planned([recorded("warm-cache")], half)
    rest = memory.weights + memory.overhead - seen.weights - seen.overhead
    assert rest == cold - warm > 0


def test_a_given_cache_is_planned_with_what_other_starts_spent() -> None:
    flags = {**GUIDE, "kv_cache_memory_bytes": 8 * GIB}
    found = known([recorded("cold-cache")], flags)
    assert found.basis == "modelled, corrected by starts with other flags"
    assert planned([recorded("cold-cache")], flags).kv_cache == 8 * GIB


# ── starts that say nothing of this one ─────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "other",
    [
        {"enable_sleep_mode": True},  # hides what no one has computed
        {"tensor_parallel_size": 2},
        {"pipeline_parallel_size": 2},
        {"quantization": "fp8"},
        {"cpu_offload_gb": 4},
        {"kv_cache_memory_bytes": 8 * GIB},
        {"num_gpu_blocks_override": 1000},
        {"kv_cache_dtype": "fp8_ds_mla"},
        {"max_num_seqs": "many"},
    ],
    ids=str,
)
def test_starts_that_do_not_compare(other: dict[str, FlagValue]) -> None:
    record = measured(300_000, {**GUIDE, **other})
    assert known([record]) == NOTHING


def test_the_same_unmodelled_flag_on_both_sides_compares() -> None:
    flags = {**GUIDE, "cpu_offload_gb": 4}
    assert known([measured(441_664, flags)], flags).basis == "measured here"


@pytest.mark.parametrize(
    "changes",
    [
        {"device": "cpu"},
        {"repo": "somebody/else"},
        {"revision": "abc"},
        {"flags": "no JSON"},
        {"flags": "[]"},
        {"kv_cache_tokens": None, "kv_cache_bytes": None},
    ],
    ids=str,
)
def test_records_that_do_not_count(changes: dict[str, object]) -> None:
    record = replace(recorded("cold-cache"), **changes)  # type: ignore[arg-type]
    assert known([record]) == NOTHING


def test_nothing_seen() -> None:
    assert known([]) == NOTHING == Known(None, "modelled")


def test_a_cpu_has_no_overhead_to_be_measured() -> None:
    """Its KV cache has the size that it was given."""
    machine = find_machine("cpu")
    settings = resolve({}, DESCRIBED, machine, RULES)
    records = [recorded("cold-cache", device="cpu")]
    assert calibration_for(records, DESCRIBED, machine, RULES, settings, {}) == NOTHING


# ── every start that was measured for the planner ───────────────────────────────────────────


def record_of_measured(start: MeasuredStart) -> StartRecord:
    recipe = CATALOG.get(start.model)
    machine, version = find_machine(start.session.machine), start.session.engine_version
    return StartRecord(
        instance=f"{start.session.date} {start.name}",
        machine=start.session.machine,
        total_bytes=start.session.total_bytes or machine.total_for(version),
        model=start.model,
        repo=recipe.repo,
        revision=recipe.revision,
        engine="vllm",
        engine_version=version,
        device="cuda",
        flags=memory_flags(start.flags),
        weights_bytes=start.weights_bytes,
        kv_cache_bytes=start.kv_bytes,
        kv_cache_tokens=start.kv_tokens,
        graphs_bytes=None,
        at=0.0,
        warm=start.warm,
    )


def errors(basis: str) -> list[float]:
    """Of every start's KV tokens, planned after one other start of the same model and machine.

    Both cold or both warm; a start whose model runner was forced had an environment of its own.
    """
    found = []
    every = [start for start in load_starts() if start.runner is None]
    for seen, start in itertools.product(every, every):
        session = start.session
        if (seen.model, seen.session.machine, seen.warm) != (
            start.model,
            session.machine,
            start.warm,
        ):
            continue
        if seen.session.engine_version != session.engine_version:
            continue
        described, rules = (
            describe_recipe(CATALOG.get(start.model)),
            rules_for(session.engine_version),
        )
        total = record_of_measured(start).total_bytes
        machine = replace(find_machine(session.machine), total_bytes=total, seen_totals=())
        settings = resolve(start.flags, described, machine, rules)
        records = [record_of_measured(seen)]
        given = calibration_for(records, described, machine, rules, settings, start.flags)
        if given.basis == basis and (basis == "measured here" or not start.warm):
            memory = plan_memory(described, machine, rules, settings, calibration=given.calibration)
            found.append(error(memory.kv_tokens, start.kv_tokens))
    return found


def test_all_measured_starts_are_planned_within_a_block_or_two_once_seen() -> None:
    found = errors("measured here")
    assert len(found) > 30
    assert max(found) < 0.0001


def test_between_measured_starts_with_other_flags_a_difference_carries_over() -> None:
    found = errors("modelled, corrected by starts with other flags")
    assert len(found) > 30
    assert max(found) < 0.001


# ── out of the store ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = find_paths({"SPARKWELL_HOME": str(tmp_path)})
    paths.make()
    return paths


def ask(paths: Paths) -> Known:
    settings = resolve(GUIDE, DESCRIBED, H100, RULES)
    return calibration(paths, DESCRIBED, H100, RULES, settings, GUIDE)


def store(paths: Paths, record: StartRecord) -> None:
    with closing(open_database(paths.store)) as connection:
        Starts(connection).add(record)


def test_a_stored_start_is_found_without_a_daemon(paths: Paths) -> None:
    store(paths, recorded("cold-cache"))
    before = sorted(paths.state.iterdir())
    assert ask(paths) == known([recorded("cold-cache")])
    assert sorted(paths.state.iterdir()) == before


@pytest.mark.parametrize(
    "change", [{"machine": "h100-80gb, 40.0 GiB"}, {"model": "m"}, {"engine_version": "0.24.0"}]
)
def test_a_start_of_another_kind_is_not(paths: Paths, change: dict[str, str]) -> None:
    store(paths, replace(recorded("cold-cache"), **change))  # type: ignore[arg-type]
    assert ask(paths) == NOTHING


def newer(file: Path) -> None:
    with closing(open_database(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


def broken(file: Path) -> None:
    file.write_bytes(b"this is no database" * 100)


def torn(file: Path) -> None:
    """A good beginning, then nonsense."""
    with closing(open_database(file)) as connection:
        Starts(connection).add(recorded("cold-cache"))
    file.write_bytes(file.read_bytes()[:4096] + b"\xff" * 8192)


def folder(file: Path) -> None:
    file.mkdir()


@pytest.mark.parametrize("spoil", [newer, broken, torn, folder])
def test_a_store_that_cannot_be_read_never_breaks_a_plan(
    paths: Paths, spoil: Callable[[Path], None]
) -> None:
    spoil(paths.store)
    assert ask(paths) == NOTHING


def test_a_locked_store_never_breaks_a_plan(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkwell.store.database._READING_PATIENCE_S", 0.01)
    store(paths, recorded("cold-cache"))
    with closing(open_database(paths.store)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        assert ask(paths) == NOTHING


def test_no_store_yet(tmp_path: Path) -> None:
    paths = find_paths({"SPARKWELL_HOME": str(tmp_path / "new")})
    assert ask(paths) == NOTHING
    assert not (tmp_path / "new").exists()


def test_flags_are_stored_as_they_are_compared() -> None:
    assert recorded("cold-cache").flags == memory_flags(GUIDE)
