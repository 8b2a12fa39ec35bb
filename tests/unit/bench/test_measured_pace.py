"""What was measured here corrects the next plan."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.bench.test_report import whole

from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning, Wish
from sparkwell.bench.beside import expected
from sparkwell.bench.measured_pace import pace
from sparkwell.bench.suites import Case
from sparkwell.bench.workload import Workload
from sparkwell.catalog import load_catalog
from sparkwell.catalog.recipe import FlagValue
from sparkwell.cli.main import cli
from sparkwell.hardware.description import find_machine
from sparkwell.planner.pace import AS_MODELLED, Pace
from sparkwell.planner.plan import Plan, make_plan
from sparkwell.store.benchmarks import save

MODEL, HERE, VERSION = "qwen3-8b-fp8", "dgx-spark", "0.10.1.1"
OUTPUT = int(whole()["cases"][0]["workload"]["output_tokens"])
FLAGS: dict[str, Any] = {"max_num_seqs": 64, "kv_cache_dtype": "auto"}


def as_kept(found: Pace) -> Any:
    """As a document has it that was written and read again."""
    return json.loads(json.dumps(asdict(found)))


def case(clients: int = 1, step: float = 1.0, first: float = 1.0, **changes: Any) -> dict[str, Any]:
    """A case whose steps took ``step`` times as long as the model says, and prompts no time."""
    planned = {
        "running": clients,
        "tokens_per_s": clients / 0.1,
        "tpot_s": 0.1,
        "ttft_s": 0.5,
        "pace": as_kept(AS_MODELLED),
    }
    measured = {
        "tpot_p50_s": {"mean": 0.1 * step},
        "ttft_p50_s": {"mean": 0.5 * first},
        "e2e_mean_s": {"mean": 0.1 * step * OUTPUT},
    }
    found = {"clients": clients, "failed": 0, "notes": [], "planned": planned, "measured": measured}
    return {**whole()["cases"][0], **found, **changes}


def run(*cases: dict[str, Any], **changes: Any) -> dict[str, Any]:
    about = {"machine": {"name": HERE, "gpus": 1}, "versions": {"engine_version": VERSION}}
    return {
        **whole(),
        **about,
        "flags": FLAGS,
        "model": MODEL,
        "at": 7.0,
        "cases": list(cases),
        **changes,
    }


def seen(*runs: dict[str, Any]) -> Pace:
    return pace(runs, find_machine(HERE), VERSION, FLAGS)


def test_steps_and_first_tokens_are_seen_apart() -> None:
    found = seen(run(case(1, 1.2, 0.8), case(16, 1.4, 3.0), case(64, 1.3, 9.0)))
    assert dict(found.steps) == pytest.approx({1: 1.2, 16: 1.4, 64: 1.3})
    assert (found.cases, found.at) == (3, 7.0)
    assert found.first == pytest.approx(0.8), "of one client alone"


def test_few_clients_and_many_are_corrected_apart() -> None:
    """A mixture of experts on an H200: 1.2 times the model's time with one, 0.7 with 64.

    One factor for all had promised 439 tokens/s to a single client, who got 236.
    """
    found = seen(run(case(1, 1.2), case(16, 0.8), case(64, 0.7)))
    assert [found.step_at(each) for each in (1, 16, 64)] == pytest.approx([1.2, 0.8, 0.7])
    assert found.step_at(4) == pytest.approx(1.0), "half of the way, by ratio"
    assert found.step_at(256) == pytest.approx(0.7), "as the nearest"
    assert seen(run(case(16, 0.8), case(64, 0.7))).step_at(1) == pytest.approx(0.8)
    twice = seen(run(case(1, 1.2)), run(case(1, 1.3), at=6.0), run(case(1, 1.9), at=5.0))
    assert dict(twice.steps) == pytest.approx({1: 1.3}), "the middle of all with as many"


def test_a_plan_that_was_corrected_by_clients_is_taken_back_by_clients() -> None:
    before = seen(run(case(1, 1.2), case(64, 0.5)))
    again = [case(1), case(64)]
    for each in again:
        each["planned"]["pace"] = as_kept(before)
    found = seen(run(*again))
    assert dict(found.steps) == pytest.approx({1: 1.2, 64: 0.5})


def test_what_a_short_prompt_takes_besides_is_fixed() -> None:
    """One H200: 41 ms where 29 were modelled, and 64 prompts together no later than modelled."""
    short = case(1)
    short["planned"]["ttft_s"] = 0.029
    short["measured"]["ttft_p50_s"] = {"mean": 0.041}
    found = seen(run(short))
    assert found.first == 1.0
    assert found.late_s == pytest.approx(0.012)
    both = seen(run(short, case(1, first=1.2)))
    assert both.first == pytest.approx(1.2), "a long prompt tells how fast they are read"
    assert both.late_s == pytest.approx(0.041 - 1.2 * 0.029)


def test_a_fixed_time_that_was_planned_is_not_counted_twice() -> None:
    corrected = case(1)
    corrected["planned"] |= {"ttft_s": 0.041, "pace": as_kept(Pace(late_s=0.012))}
    corrected["measured"]["ttft_p50_s"] = {"mean": 0.041}
    assert seen(run(corrected)).late_s == pytest.approx(0.012)


def test_nothing_measured_changes_nothing() -> None:
    assert seen() == AS_MODELLED
    assert AS_MODELLED.source is None


def test_a_plan_that_was_corrected_is_no_model() -> None:
    """Else every run would take back what the one before had found."""
    corrected = case(1, 1.0)
    corrected["planned"]["pace"] = as_kept(Pace(((1, 2.0),)))
    assert seen(run(corrected)).step_at(1) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"failed": 1},
        {"notes": ["The client itself woke late: …"]},
        {"planned": None},
        {"clients": None},
        {"measured": {}},
        {"measured": {"tpot_p50_s": {"mean": 9.0}, "ttft_p50_s": {"mean": 0.5}}},
    ],
)
def test_a_doubtful_case_tells_nothing(changes: dict[str, Any]) -> None:
    assert seen(run({**case(1, 1.2), **changes})) == AS_MODELLED


@pytest.mark.parametrize(
    "planned_by",
    [
        None, {}, "abc", {"step": 1.0, "first": 1.0},
        as_kept(AS_MODELLED) | {"model": 1},
        as_kept(AS_MODELLED) | {"steps": "abc"},
        as_kept(AS_MODELLED) | {"steps": [[16, 1.2], [16, 1.0]]},
        as_kept(AS_MODELLED) | {"steps": [[0, 1.2], [16, 1.0]]},
        as_kept(AS_MODELLED) | {"steps": [[16, 1.2], [1, 1.0]]},
        as_kept(AS_MODELLED) | {"first": 0.0}, as_kept(AS_MODELLED) | {"steps": [[1, 0.0]]},
    ],
)  # fmt: skip
def test_a_plan_of_another_model_of_speed_tells_nothing(planned_by: Any) -> None:
    """What that one missed may be mended: a first token of 81 ms would have become 135."""
    older = case(1, 1.5)
    older["planned"]["pace"] = planned_by
    assert seen(run(older)) == AS_MODELLED
    assert seen(run(older, case(16, 1.2))).step_at(16) == pytest.approx(1.2)


def with_prompts(clients: int, planned_s: float, took_s: float, **changes: Any) -> dict[str, Any]:
    """A case in whose rounds prompts were read besides, as long as planned or not."""
    found = case(clients, **changes)
    found["planned"]["tokens_per_s"] = clients * OUTPUT / (0.1 * OUTPUT + planned_s)
    found["measured"]["e2e_mean_s"]["mean"] += took_s
    found["measured"]["tpot_p50_s"]["mean"] += took_s / OUTPUT / 2
    return found


def test_prompts_that_were_read_between_tokens_are_in_no_step() -> None:
    """Plans count them apart: a correction by the mean time of a token counted them twice.

    64 clients of Qwen3-32B-FP8 on an H200: 17.4 ms a token, 15.9 without the prompts of others.
    """
    quarter_s = 0.1 * OUTPUT / 4
    assert seen(run(with_prompts(64, quarter_s, quarter_s, step=1.05))).step_at(
        64
    ) == pytest.approx(1.05)
    slow = with_prompts(64, quarter_s, quarter_s * 1.2, step=1.05)
    found = seen(run(case(1, first=1.2), slow))
    assert found.step_at(64) == pytest.approx(1.05), "one client told how fast prompts are read"
    slow["planned"]["pace"] = as_kept(Pace(first=1.2))
    slow["planned"]["tokens_per_s"] = 64 * OUTPUT / (0.1 * OUTPUT + quarter_s * 1.2)
    again = case(1, first=1.0)
    again["planned"]["pace"] = as_kept(Pace(first=1.2))
    found = seen(run(again, slow))
    assert found.first == pytest.approx(1.2)
    assert found.step_at(64) == pytest.approx(1.05), "what was planned so is not counted twice"


def test_one_client_waits_for_nobodys_prompts() -> None:
    one = with_prompts(1, 5.0, 5.0)
    one["measured"]["tpot_p50_s"] = {"mean": 0.102}
    one["measured"]["itl_p50_s"] = {"mean": 0.09}
    assert seen(run(one)).step_at(1) == pytest.approx(1.02), "not the usual gap: some are longer"


def test_where_reading_prompts_takes_most_of_the_time_nothing_is_told_of_steps() -> None:
    """Eight prompts of 23,744 tokens on an H200 take four fifths of a round."""
    long = with_prompts(8, 0.4 * OUTPUT, 0.4 * OUTPUT)
    found = seen(run(case(1, 0.97), long, case(16, 0.96)))
    assert dict(found.steps) == pytest.approx({1: 0.97, 16: 0.96})


@pytest.mark.parametrize("lacks", ["tokens_per_s", "tpot_s"])
def test_a_plan_that_says_too_little_tells_nothing_of_several(lacks: str) -> None:
    odd = case(8, 1.5)
    del odd["planned"][lacks]
    assert seen(run(odd)) == AS_MODELLED


def test_a_case_without_what_ran_tells_nothing() -> None:
    odd = case(1, 1.5)
    del odd["planned"]["running"]
    assert seen(run(odd)) == AS_MODELLED


def test_clients_that_had_to_wait_tell_nothing() -> None:
    crowded = case(256, 1.5)
    crowded["planned"]["running"] = 64
    assert seen(run(crowded)) == AS_MODELLED


def test_what_was_shortened_tells_as_much() -> None:
    assert seen(run(case(1, 1.5, notes=["Shortened: …"]))).step_at(1) == pytest.approx(1.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"broken": "the engine died"},
        {"machine": {"name": "another", "gpus": 1}},
        {"machine": {"name": HERE, "gpus": 2}},
        {"machine": {"name": HERE}},
        {"flags": None},
        {"versions": {"engine_version": "0.25.0"}},
    ],
)
def test_runs_of_something_else_tell_nothing(changes: dict[str, Any]) -> None:
    assert seen(run(case(1, 1.5), **changes)) == AS_MODELLED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("enforce_eager", True), ("kv_cache_dtype", "fp8"), ("tensor_parallel_size", 2),
        ("pipeline_parallel_size", 2), ("attention_backend", "FLASHINFER"), ("dtype", "float16"),
        ("quantization", "fp8"), ("speculative_config", '{"num_speculative_tokens": 2}'),
        ("compilation_config", '{"cudagraph_mode": "NONE"}'), ("max_cudagraph_capture_size", 256),
    ],
)  # fmt: skip
def test_a_run_with_flags_of_another_pace_tells_nothing(name: str, value: FlagValue) -> None:
    """Three runs without CUDA graphs, 2.2 times as slow, corrected every later plan by 2.09."""
    other = run(case(1, 2.2), flags={**FLAGS, name: value})
    assert seen(other, other, other) == AS_MODELLED
    like = run(case(1, 1.1))
    assert seen(other, other, other, like).step_at(1) == pytest.approx(1.1), (
        "nor do they crowd it out"
    )
    same = pace([other], find_machine(HERE), VERSION, other["flags"])
    assert same.step_at(1) == pytest.approx(2.2)


def test_flags_that_say_the_same_are_the_same() -> None:
    ours = {"compilation_config": '{"mode": 3, "cudagraph_mode": "FULL"}', "max_num_seqs": 8}
    said = {"cudagraph_mode": "FULL", "mode": 3}
    defaults = {"enforce_eager": False, "tensor_parallel_size": 1, "dtype": "auto"}
    theirs = run(case(1, 1.5), flags={**defaults, "compilation_config": said})
    found = pace([theirs], find_machine(HERE), VERSION, ours)
    assert found.step_at(1) == pytest.approx(1.5)


def test_the_newest_runs_count() -> None:
    runs = [run(case(1, 1.1), at=9.0 - each) for each in range(3)]
    assert seen(*runs, run(case(1, 4.0)), run(case(1, 4.0))).step_at(1) == pytest.approx(1.1)


# ── plans ───────────────────────────────────────────────────────────────────────────────────


def planned(home: Path, runs: Sequence[dict[str, Any]] = (), **wish: Any) -> Plan:
    paths = find_paths({"SPARKWELL_HOME": str(home)})
    for number, each in enumerate(runs):
        save(paths.benchmarks, {**each, "run": f"2026112{number}-000000-{MODEL}-guide"})
    planning = Planning(paths, load_catalog(), {})
    planning.__dict__["here"] = find_machine(HERE)  # a cached property
    return planning.plan(MODEL, Wish(version=VERSION, **wish))


def test_a_plan_says_what_was_measured_here(tmp_path: Path) -> None:
    before = planned(tmp_path / "a")
    after = planned(tmp_path / "b", [run(case(1, 1.25, 2.0), at=1_795_343_366.0)])
    assert before.speed is not None
    assert after.speed is not None
    assert after.speed.efficiency.source.startswith("measured here on 2026-11-2")
    ratio = before.speed.single_tokens_per_s / after.speed.single_tokens_per_s
    assert ratio == pytest.approx(1.25)
    assert after.speed.ttft_s / before.speed.ttft_s == pytest.approx(2.0)
    assert after.speed.roofline_tokens_per_s == before.speed.roofline_tokens_per_s


def test_sparkwell_plan_says_measured_here_for_such_flags_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the documents in the store to what the command prints."""
    monkeypatch.setenv("SPARKWELL_HOME", str(tmp_path))
    monkeypatch.setattr("sparkwell.hardware.detect.detect", lambda: find_machine(HERE))
    eager = {"enforce_eager": True}
    planned(tmp_path, [run(case(1, 2.2), flags={**FLAGS, **eager}) for _ in range(3)])
    words = ["plan", MODEL, "--engine-version", VERSION, "--json"]
    like, plain = (said(*words, *more) for more in (("--set", "enforce_eager=true"), ()))
    assert like["efficiency"]["source"].startswith("measured here on")
    assert "measured here" not in plain["efficiency"]["source"]
    described = said(*words, "--hardware", HERE)
    assert plain["single_tokens_per_s"] == described["single_tokens_per_s"]


def said(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.output)["speed"]
    return found


def test_another_machine_is_planned_as_modelled(tmp_path: Path) -> None:
    runs = [run(case(1, 1.25))]
    assert planned(tmp_path, runs, hardware=HERE).question.pace == AS_MODELLED


def test_a_file_that_is_no_run_is_passed_over(tmp_path: Path) -> None:
    folder = find_paths({"SPARKWELL_HOME": str(tmp_path)}).benchmarks
    folder.mkdir(parents=True)
    (folder / f"20270101-000000-{MODEL}-guide.json").write_text("{")
    assert planned(tmp_path, [run(case(1, 1.25))]).question.pace.step_at(1) == pytest.approx(1.25)


def test_expectations_are_corrected_alike_and_say_so(tmp_path: Path) -> None:
    one = Case("1 at once", Workload(512, 256), 3, clients=1)
    plan = planned(tmp_path, [run(case(1, 1.25, 2.0))])
    found = expected(plan, one)
    modelled = expected(make_plan(planned(tmp_path / "none").question), one)
    assert found is not None
    assert modelled is not None
    assert found.tpot_s / modelled.tpot_s == pytest.approx(1.25)
    assert found.pace.step_at(1) == pytest.approx(1.25)
    assert found.tpot_limit_s == modelled.tpot_limit_s


@pytest.mark.parametrize(
    ("machine", "flags"),
    [("h200-141gb", {"quantization": "fp8"}), ("dgx-spark-x2", {"tensor_parallel_size": 2})],
)
def test_a_run_as_fast_as_its_plan_corrects_nothing(
    tmp_path: Path, machine: str, flags: dict[str, FlagValue]
) -> None:
    """Else the next plan would promise more, or less, than an engine that kept to this one."""
    planning = Planning(find_paths({"HOME": str(tmp_path)}), load_catalog(), {})
    plan = planning.plan("qwen3-32b", Wish(hardware=machine, flags=flags))
    assert plan.speed is not None
    work = Workload(plan.speed.context - 128, 256)
    told = expected(plan, Case("1 at once", work, 3, clients=1))
    assert told is not None
    measured = {"tpot_p50_s": {"mean": 1 / plan.speed.single_tokens_per_s}}
    found = seen(run(case(1, planned=asdict(told), measured=measured)))
    assert found.cases == 1
    assert found.step_at(1) == pytest.approx(1.0)
