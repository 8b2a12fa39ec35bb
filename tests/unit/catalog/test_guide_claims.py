"""What the guides state, as data: consistent in itself, and with the catalog."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.catalog import Recipe, load_catalog
from sparkwell.catalog.guide_claims import (
    SHIPPED,
    Check,
    Claim,
    GuideDocument,
    claims_for,
    load_contradictions,
    load_guides,
    read_guides,
)
from sparkwell.core.documents import parse_document
from sparkwell.core.errors import DocumentError
from sparkwell.core.units import GB, GIB

GUIDES = load_guides()
CLAIMS = [claim for guide in GUIDES for claim in guide.claims]
CHECKS = [(claim, claim.check) for claim in CLAIMS if claim.check]
RECIPES = {recipe.name: recipe for recipe in load_catalog()}
SPARK_BYTES = 119.67 * GIB  # as vLLM in the guides' image saw it

# Lines of each guide as it was read, and the prefix of its claims
DOCUMENTS = {
    "host-and-services.md": (268, "host"),
    "llama33-70b-fp8.md": (754, "llama33-70b"),
    "qwen3-30b-a3b-fp8.md": (631, "qwen3-30b-a3b"),
    "qwen3-32b.md": (422, "qwen3-32b"),
    "qwen3-8b-fp8.md": (501, "qwen3-8b"),
}

# No fewer than were found when the guides were read; a claim that goes missing shows here.
FEWEST = {
    "memory": 89,
    "speed": 52,
    "load": 19,
    "context": 25,
    "flags": 28,
    "image": 46,
    "hardware": 40,
    "metrics": 26,
    "api": 29,
    "caching": 12,
    "graphs": 2,
    "quality": 17,
    "licence": 9,
    "storage": 13,
    "behaviour": 36,
    "comparison": 44,
}

# Figures that follow from the catalog alone, without a plan
COUNTED: dict[str, Callable[[Recipe, Check], float | None]] = {
    "weights_gb": lambda recipe, _: recipe.weights_bytes / GB,
    "download_gb": lambda recipe, _: recipe.weights_bytes / GB,
    "parameters": lambda recipe, _: recipe.architecture.total_parameters,
    "native_context": lambda recipe, _: recipe.architecture.native_context,
    "extended_context": lambda recipe, _: recipe.architecture.extended_context,
    "kv_gb": lambda recipe, check: kv_bytes(recipe, check.tokens or 0) / GB,
}
SHARES: dict[str, Callable[[float], float]] = {
    "utilization_gb": lambda utilization: SPARK_BYTES * utilization / GB,
    "left_gb": lambda utilization: SPARK_BYTES * (1 - utilization) / GB,
}

CHECKED = {"figure": "weights_gb", "recipe": "qwen3-32b", "low": 60, "high": 70, "unit": "GB"}


def kv_bytes(recipe: Recipe, tokens: int) -> int:
    """Bytes of a BF16 KV cache: keys and values of every layer."""
    return 4 * recipe.architecture.num_hidden_layers * recipe.architecture.key_value_size * tokens


def guide(**changes: Any) -> str:
    """A guide of one claim, with some of the claim's fields changed; None leaves one out."""
    claim = {
        "id": "mine.weights",
        "lines": [3, 7],
        "says": "about 65 GB",
        "topic": "memory",
        "recipes": ["qwen3-32b"],
        "check": CHECKED,
        "expected": "right",
        "why": "It is 65.52 GB.",
    } | changes
    data = {
        "document": "mine.md",
        "title": "Mine",
        "line_count": 9,
        "claims": [{key: value for key, value in claim.items() if value is not None}],
        "sections": [
            {"line": 1, "level": 1, "title": "Mine"},
            {"line": 5, "level": 2, "title": "Memory"},
        ],
        "commands": [],
    }
    return yaml.safe_dump(data)


def only_claim(text: str) -> Claim:
    return parse_document(text, GuideDocument, "mine.yaml").claims[0]


def complaint(**changes: Any) -> str:
    with pytest.raises(DocumentError) as caught:
        only_claim(guide(**changes))
    return caught.value.message


def test_every_guide_is_there_with_its_length() -> None:
    assert {guide.document: guide.line_count for guide in GUIDES} == {
        document: lines for document, (lines, _) in DOCUMENTS.items()
    }


def test_ids_are_unique_and_say_their_guide() -> None:
    assert [
        name for name, times in Counter(claim.id for claim in CLAIMS).items() if times > 1
    ] == []
    for claim in CLAIMS:
        assert claim.id.split(".")[0] == DOCUMENTS[claim.document][1], claim.id


def test_claims_are_about_recipes_that_exist() -> None:
    named = {name for claim in CLAIMS for name in claim.recipes}
    checked = {check.recipe for _, check in CHECKS if check.recipe}
    assert named | checked <= set(RECIPES)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.document)
def test_every_line_is_one_of_the_guide(guide: GuideDocument) -> None:
    lines = [place.line for claim in guide.claims for place in claim.places]
    lines += [section.line for section in guide.sections]
    lines += [command.line for command in guide.commands]
    assert max(lines) <= guide.line_count
    assert [section.line for section in guide.sections] == sorted(
        section.line for section in guide.sections
    )


def test_places_name_the_section_above() -> None:
    places = only_claim(guide()).places
    assert [(place.line, place.section) for place in places] == [(3, "Mine"), (7, "Memory")]
    by_id = {claim.id: claim for claim in CLAIMS}
    assert [place.section for place in by_id["qwen3-32b.fp8-weights"].places] == [
        "Model Specifications",
        "Performance Characteristics",
        "Parameter Explanation (FP8 - Recommended)",
        "Key Metrics to Watch",
        "Version History",
    ]


def test_there_are_claims_on_every_topic() -> None:
    counts: Counter[str] = Counter(claim.topic for claim in CLAIMS)
    assert {topic: counts[topic] for topic in FEWEST if counts[topic] < FEWEST[topic]} == {}
    assert set(counts) == set(FEWEST)


def test_all_verdicts_and_labels_are_used() -> None:
    assert {claim.verdict or claim.expected for claim in CLAIMS} == {
        "right",
        "wrong",
        "outdated",
        "cannot tell",
    }
    assert len({claim.label for claim in CLAIMS}) == 4


def test_contradictions_name_claims_that_exist() -> None:
    ids = {claim.id for claim in CLAIMS}
    contradictions = load_contradictions()
    assert len(contradictions) >= 30
    for contradiction in contradictions:
        assert set(contradiction.claims) <= ids, contradiction.about
        assert len(set(contradiction.claims)) == len(contradiction.claims)


def test_claims_on_the_flags_of_a_guide_name_recipes_that_have_one() -> None:
    for claim, check in CHECKS:
        if check.flags is None:
            continue
        described = RECIPES[check.recipe or ""].guide
        assert described, claim.id
        if isinstance(check.flags, dict):
            assert set(check.flags) <= set(described.flags), claim.id


@pytest.mark.parametrize(
    ("claim", "check"),
    [pytest.param(claim, check, id=claim.id) for claim, check in CHECKS if check.figure in COUNTED],
)
def test_what_the_catalog_counts_is_what_is_expected(claim: Claim, check: Check) -> None:
    figure = COUNTED[check.figure](RECIPES[check.recipe or ""], check)
    assert check.verdict(figure) == claim.expected


@pytest.mark.parametrize(
    ("claim", "check"),
    [pytest.param(claim, check, id=claim.id) for claim, check in CHECKS if check.figure in SHARES],
)
def test_shares_of_the_machine_are_what_is_expected(claim: Claim, check: Check) -> None:
    assert check.verdict(SHARES[check.figure](check.utilization or 0)) == claim.expected


def test_claims_of_a_recipe_come_from_all_guides() -> None:
    claims = claims_for("qwen3-32b-fp8")
    assert {claim.document for claim in claims} == set(DOCUMENTS)
    assert all("qwen3-32b-fp8" in claim.recipes for claim in claims)
    assert claims_for("no-such-model") == ()


def test_claims_on_the_host_have_no_recipe() -> None:
    assert "host.bandwidth" in {claim.id for claim in claims_for(None)}
    assert not any(claim.recipes for claim in claims_for(None))


def test_guides_are_read_once() -> None:
    assert load_guides() is load_guides()
    assert claims_for("qwen3-32b") is claims_for("qwen3-32b")


def test_shell_commands_are_kept_with_their_line() -> None:
    by_document = {guide.document: guide for guide in GUIDES}
    commands = {item.line: item.command for item in by_document["qwen3-32b.md"].commands}
    assert commands[107] == "docker compose --profile fp8 up -d vllm-qwen3-32b-fp8"
    assert commands[251] == "curl -X POST http://localhost:8000/v1/completions"


def test_no_file_is_left_unread() -> None:
    assert len(list(SHIPPED.glob("*.yaml"))) == len(GUIDES) + 1
    assert {file.suffix for file in SHIPPED.iterdir()} == {".yaml", ".json"}


def test_a_claim_is_judged_in_exactly_one_way() -> None:
    assert "exactly one of check and verdict" in complaint(verdict="right")
    assert "exactly one of check and verdict" in complaint(check=None, expected=None)
    assert "every check has one" in complaint(expected=None)
    assert "needs sparkwell_says and source" in complaint(
        check=None, expected=None, verdict="wrong", sparkwell_says="65.52 GB"
    )


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"low": 71}, "low (71.0) is above high (70.0)"),
        ({"figure": "kv_gb"}, "kv_gb needs kv_dtype, tokens too"),
        ({"concurrency": 4}, "weights_gb does not take concurrency"),
        ({"figure": "weight_gb"}, "input should be"),
        ({"tolerence": 0.1}, "did you mean 'tolerance'"),
        ({"recipe": None}, "weights_gb needs recipe too"),
    ],
)
def test_a_check_that_cannot_be_computed_is_refused(check: dict[str, Any], said: str) -> None:
    changed = {key: value for key, value in (CHECKED | check).items() if value is not None}
    assert said in complaint(check=changed)


@pytest.mark.parametrize(
    "changes", [{"lines": []}, {"lines": [0]}, {"lines": ["x"]}, {"lines": 3}, {"colour": "red"}]
)
def test_a_claim_of_the_wrong_shape_is_refused(changes: dict[str, Any]) -> None:
    assert "mine.yaml:" in complaint(**changes)


def check_of(low: float, high: float, tolerance: float) -> Check:
    return Check.model_validate(CHECKED | {"low": low, "high": high, "tolerance": tolerance})


def test_a_figure_that_is_not_known_tells_nothing() -> None:
    assert check_of(1, 2, 0.1).verdict(None) == "cannot tell"
    assert check_of(1, 2, 0.1).verdict(0.0) == "wrong"


@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(0, 1e6),
    share=st.floats(0, 1),
    tolerance=st.floats(0, 0.9),
)
def test_a_figure_in_the_range_is_right(
    low: float, width: float, share: float, tolerance: float
) -> None:
    high = low + width
    assert check_of(low, high, tolerance).verdict(min(low + share * width, high)) == "right"


@given(low=st.floats(1, 1e6), tolerance=st.floats(0, 0.9))
def test_a_figure_beyond_the_tolerance_is_wrong(low: float, tolerance: float) -> None:
    check = check_of(low, low, tolerance)
    assert check.verdict(low * (1 + tolerance) * 1.001) == "wrong"
    assert check.verdict(low * (1 - tolerance) * 0.999) == "wrong"


def test_the_quick_copy_is_what_the_files_say() -> None:
    assert load_guides() == read_guides(), "run `make docs`"
