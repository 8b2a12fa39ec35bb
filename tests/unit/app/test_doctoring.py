"""What the doctor judges: whose log it is, and what is about another model."""

import time
from pathlib import Path

import pytest

from sparkwell.app.diagnosing.diagnosis import diagnose, look_at_log
from sparkwell.app.diagnosing.model_of_log import BEGINNING, model_of
from sparkwell.catalog import load_catalog
from sparkwell.checks.host_parts import System
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot

CATALOG = load_catalog()
HUB = "/opt/hf/hub/models--Qwen--Qwen3-8B-FP8/snapshots/220b46e3b2180893580a4454f21f22d3ebb187d3"
NO_BLOCKS = "ValueError: No available memory for the cache blocks. Try increasing"


@pytest.mark.parametrize(
    ("line", "model"),
    [
        ("non-default args: {'model': 'Qwen/Qwen3-8B-FP8', 'port': 8000}", "qwen3-8b-fp8"),
        ("non-default args: {'model_tag': 'Qwen/Qwen3-32B'}", "qwen3-32b"),
        (f"Initializing a V1 LLM engine (v0.10.2) with config: model='{HUB}', x", "qwen3-8b-fp8"),
        ("non-default args: {'model': '/models/qwen3-32b-fp8'}", "qwen3-32b-fp8"),
        ("+ vllm serve Qwen/Qwen3-32B-FP8 --port 8000", "qwen3-32b-fp8"),
        ("python -m vllm.entrypoints.openai.api_server --model=qwen/qwen3-32b", "qwen3-32b"),
        ("args: {'model': '/m/x', 'served_model_name': ['qwen3-32b']}", "qwen3-32b"),
        ("non-default args: {'model': 'somebody/else'}", None),
        ("Starting to load the language model qwen3-32b-ish", None),
        ("vllm serve --help", None),
    ],
)
def test_a_log_names_its_model_when_it_begins(line: str, model: str | None) -> None:
    assert model_of(digest([line], "a.log"), CATALOG) == model


def test_only_the_beginning_of_a_log_names_it() -> None:
    """Far below it may be a request's words."""
    later = [*["INFO quiet"] * BEGINNING, "vllm serve Qwen/Qwen3-32B"]
    lines = digest(later, "a.log").lines
    whole = LogDigest("a.log", (*lines[:1] * BEGINNING, lines[-1]))
    assert model_of(whole, CATALOG) is None


def test_evidence_has_the_files_name_not_its_path(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"{NO_BLOCKS}\n")
    found = diagnose(look_at_log(tmp_path / "a.log", CATALOG))
    assert found.only_log is not None
    assert found.findings[0].evidence[0].startswith("a.log, line 1: ")


def test_a_files_name_never_gets_into_a_command(tmp_path: Path) -> None:
    """Remedies are typed into a shell."""
    file = tmp_path / "$(touch x).log"
    args = "non-default args: {'model': '/x', 'max_num_seqs': 64, 'enforce_eager': True}"
    steady = (
        "(APIServer pid=1) INFO 11-21 00:{:02}:{:02} [loggers.py:273] Engine 000: Avg prompt "
        "throughput: 10.0 tokens/s, Avg generation throughput: 3.0 tokens/s, Running: 1 reqs, "
        "Waiting: 0 reqs, GPU KV cache usage: 1.0%, Prefix cache hit rate: 0.0%"
    )
    lines = [args, *(steady.format(*divmod(10 * at, 60)) for at in range(60)), NO_BLOCKS]
    file.write_text("\n".join(lines))
    found = diagnose(look_at_log(file, CATALOG)).findings
    assert {"kv-cache-none", "slow-single-stream"} <= {each.id for each in found}
    for finding in found:
        assert finding.about == file.name
        assert not any("touch" in (each.command or "") for each in finding.remedies)


def test_with_a_model_others_are_left_out() -> None:
    logs = tuple(
        LogDigest(f"{model}-1", digest([NO_BLOCKS], "x").lines, instance=f"{model}-1", model=model)
        for model in ("a", "b")
    )
    runs = tuple(Run(f"{model}-1", model, "failed", error="it ended") for model in ("a", "b"))
    both = Snapshot(time.time(), "t", system=System(), logs=logs, runs=runs)
    assert {each.about for each in diagnose(both).findings} >= {"a", "b"}
    assert {each.about for each in diagnose(both, "a").findings} - {None} == {"a"}
