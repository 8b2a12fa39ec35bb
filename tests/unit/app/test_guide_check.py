"""The guides' claims are judged by figures that are computed, and the verdicts are as foreseen."""

from pathlib import Path

import pytest

from sparkwell.app.guides.check import check, claims_about, in_words
from sparkwell.app.guides.figures import Figures, known_figures
from sparkwell.app.paths import find_paths
from sparkwell.app.planning.planning import Planning
from sparkwell.catalog import load_catalog
from sparkwell.catalog.guide_claims import Check, Claim, load_guides

CLAIMS = [claim for guide in load_guides() for claim in guide.claims]
COMPUTED = [claim for claim in CLAIMS if claim.check]


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    home: Path = tmp_path_factory.mktemp("home")
    return Figures(Planning(find_paths({"HOME": str(home)}), load_catalog(), {}))


@pytest.mark.parametrize("claim", COMPUTED, ids=lambda claim: claim.id)
def test_the_computed_verdict_is_the_expected_one(claim: Claim, figures: Figures) -> None:
    checked = check(claim, figures)
    assert checked.verdict == claim.expected, f"{claim.says}; computed: {checked.says}"


def test_every_figure_of_a_claim_can_be_computed() -> None:
    assert {claim.check.figure for claim in COMPUTED if claim.check} <= known_figures()


def test_a_verdict_that_was_read_keeps_its_words(figures: Figures) -> None:
    claim = next(claim for claim in CLAIMS if claim.verdict == "outdated")
    checked = check(claim, figures)
    assert (checked.verdict, checked.says) == ("outdated", claim.sparkwell_says)


def test_a_plans_document_has_the_claims_about_its_model(figures: Figures) -> None:
    entries = claims_about("llama33-70b-fp8", figures)
    weights = next(entry for entry in entries if entry["claim"] == "llama33-70b.weights")
    assert weights["verdict"] == "wrong"
    assert weights["sparkwell_says"] == "72.7 GB"
    assert {"claim", "guide_says", "sparkwell_says", "verdict", "why"} <= weights.keys()
    nemo = claims_about("mistral-nemo-12b-fp8", figures)
    assert "qwen3-8b.nemo-weights" in [entry["claim"] for entry in nemo]


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "not known"), (271_360, "271,360 GB"), (72.66, "72.7 GB"), (6.2, "6.20 GB")],
)
def test_figures_in_words(value: float | None, said: str) -> None:
    assert in_words(value, Check(figure="weights_gb", recipe="a", low=1, high=1, unit="GB")) == said
