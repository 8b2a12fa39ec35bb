"""`sparkwell plan` and its like with tuned profiles: the evidence, and files that are left out."""

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from tests.unit.catalog.overlays import overlay

from sparkwell.app.paths import find_paths
from sparkwell.catalog.tuned_files import write_tuned
from sparkwell.cli.main import cli
from sparkwell.core.errors import UsageError

ASKED = ("qwen3-8b-fp8", "--hardware", "dgx-spark", "--engine-version", "0.25.0")
TUNED = ("--profile", "tuned-throughput")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this user's overlays are."""
    monkeypatch.setenv("SPARKWELL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    return find_paths({"SPARKWELL_HOME": str(tmp_path / "home")}).tuned


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, [*words])


def said(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return click.unstyle(result.stdout)


def evidence(page: str) -> str:
    return page.partition("\n\nEvidence\n")[2]


def test_the_evidence_stands_under_the_flags(folder: Path) -> None:
    write_tuned(folder, overlay())
    page = said("plan", *ASKED, *TUNED)
    assert "profile tuned-throughput: fits" in page
    assert evidence(page) == (
        "  512 in, 256 out, 256 clients (the flags were chosen by it)\n"
        "    output tokens/s  1,210 before, 1,525 now: x 1.26 (1.21 to 1.31)\n"
        "  4,096 in, 64 out, 32 clients\n"
        "    ttft_p95_s       2.5 before, 2.25 now: x 0.90\n"
        "  - Measured on 2026-11-22 in 24 trials by `sparkwell tune qwen3-8b-fp8 --goal\n"
        "    throughput`.\n"
        "  - Measured with the machine to itself.\n"
        "  - The way back is --profile balanced.\n"
    )


def test_a_figure_that_nobody_could_take_is_unknown(folder: Path) -> None:
    made = overlay().model_dump(exclude_none=True)
    made["evidence"]["rows"] = [
        {"workload": "8 in, 8 out", "tuned_on": False, "figure": "tpot_p95_s", "after": 0.0123}
    ]
    write_tuned(folder, overlay(**made))
    page = said("plan", *ASKED, *TUNED)
    assert "    tpot_p95_s  unknown before, 0.0123 now\n" in evidence(page)


def test_goodput_says_within_which_limits(folder: Path) -> None:
    write_tuned(folder, overlay(goal="goodput", slo={"ttft_s": 0.5, "tpot_s": 0.05}))
    page = said("plan", *ASKED, "--profile", "tuned-goodput")
    assert "Answers had to keep to: the first token within 0.5 s, each later" in evidence(page)


def test_what_is_set_beside_it_was_not_measured(folder: Path) -> None:
    write_tuned(folder, overlay())
    page = said("plan", *ASKED, *TUNED, "--set", "max_num_seqs=8", "--explain")
    assert "Otherwise here than when it was measured: max_num_seqs." in evidence(page)
    assert "You set it." in page
    assert "Measured on dgx-spark on 2026-11-22.\n" in page


def test_the_document_has_it_too(folder: Path) -> None:
    write_tuned(folder, overlay())
    document: Any = json.loads(said("plan", *ASKED, *TUNED, "--json"))
    assert document["tuned"] == overlay().model_dump(mode="json")
    assert json.loads(said("plan", *ASKED, "--json"))["tuned"] is None


def test_other_profiles_have_no_evidence(folder: Path) -> None:
    write_tuned(folder, overlay())
    assert "Evidence" not in said("plan", *ASKED)


def test_there_is_none_for_this_machine(folder: Path) -> None:
    write_tuned(folder, overlay(machine="h100-80gb"))
    refused = run("plan", *ASKED, *TUNED).exception
    assert isinstance(refused, UsageError)
    assert "tuned-throughput on h100-80gb with vLLM 0.25.0" in (refused.hint or "")


def test_it_can_be_compared_with_another_profile(folder: Path) -> None:
    write_tuned(folder, overlay())
    document: Any = json.loads(said("compare", *ASKED, *TUNED, "--profile", "balanced", "--json"))
    tuned, balanced = document["models"]
    assert tuned["plan"]["flags"] == overlay().flags
    assert balanced["plan"]["tuned"] is None


def test_a_file_that_is_not_right_is_told_where_recipes_are(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("recipe: qwen3-8b-fp8\ngoal: speed\n")
    result = run("models")
    assert re.search(r"Overlay left out: .*mine\.yaml:\d+: ", result.stderr)
    assert "mine.yaml:2: goal: input should be 'throughput'" in result.stderr
    (problem,) = json.loads(run("models", "--json").stdout)["problems"]
    assert "mine.yaml:2: goal: " in problem


def test_words_of_an_overlay_move_no_terminal(folder: Path) -> None:
    made = overlay()
    evidence = made.evidence.model_copy(update={"notes": ("\x1b]0;title\x07 a note",)})
    write_tuned(folder, made.model_copy(update={"evidence": evidence}))
    page = CliRunner().invoke(cli, ["plan", *ASKED, *TUNED]).stdout
    assert "a note" in page
    assert "\x1b]0;" not in page
