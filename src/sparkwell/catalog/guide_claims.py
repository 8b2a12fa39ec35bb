"""What the hand-written guides state, claim by claim, and how each claim is judged.

``guides/`` has one YAML file for each guide and ``contradictions.yaml``. A claim is judged in one
of two ways: a ``check`` names a figure that is computed, and the range in which the claim holds;
a ``verdict`` was reached by reading the source that it names. The guides are not part of the
package, so each file says how many lines its guide has; a claim names the lines it stands in.
"""

from bisect import bisect_right
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, StringConstraints, TypeAdapter, model_validator

from sparkwell.catalog.recipe import FlagValue, Name, Part, Sentence
from sparkwell.core.documents import parse_document

SHIPPED = Path(__file__).parent / "guides"
CONTRADICTIONS = "contradictions.yaml"
SNAPSHOT = SHIPPED / "guides.json"

ClaimId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$", max_length=80)]
Verdict = Literal["right", "wrong", "outdated", "cannot tell"]
Label = Literal["measured", "estimated", "stated", "recommended"]
# fmt: off
Topic = Literal[
    "memory", "speed", "load", "context", "flags", "image", "hardware", "metrics", "api",
    "caching", "graphs", "quality", "licence", "storage", "behaviour", "comparison",
]
Figure = Literal[
    "weights_gb", "weights_gib", "parameters", "kv_bytes_per_token", "kv_gib", "kv_gb",
    "kv_cache_tokens", "kv_cache_gib", "kv_cache_gb", "engine_total_gb", "overhead_gib",
    "max_concurrency", "single_tokens_per_s", "batched_tokens_per_s", "prefill_tokens_per_s",
    "ttft_s", "roofline_tokens_per_s", "download_gb", "load_s", "cold_s", "warm_s",
    "native_context", "extended_context", "flag_default", "flag_exists", "fits", "fits_contexts",
    "utilization_gib", "utilization_gb", "left_gib", "left_gb", "saved_share",
]
# fmt: on
_PLAN = "recipe flags"
_OF_SHARE = ("utilization_gib", "utilization_gb", "left_gib", "left_gb")
# What each figure needs to be computed; where nothing is said here, the recipe alone.
_NEEDS: Mapping[str, str] = {
    "kv_bytes_per_token": "recipe kv_dtype",
    "kv_gib": "recipe tokens kv_dtype",
    "kv_gb": "recipe tokens kv_dtype",
    "kv_cache_tokens": _PLAN,
    "kv_cache_gib": _PLAN,
    "kv_cache_gb": _PLAN,
    "engine_total_gb": _PLAN,
    "overhead_gib": _PLAN,
    "max_concurrency": _PLAN,
    "fits": _PLAN,
    "fits_contexts": "recipe context sequences kv_dtype",
    "batched_tokens_per_s": "recipe concurrency",
    "ttft_s": "recipe prompt_tokens",
    "flag_default": "flag engine_version",
    "flag_exists": "flag engine_version",
} | dict.fromkeys(_OF_SHARE, "utilization")
_MAY_HAVE: Mapping[str, str] = {
    "single_tokens_per_s": "context",
    "batched_tokens_per_s": "context most_concurrency",
}
_EVERY = frozenset({"figure", "low", "high", "unit", "tolerance", "hardware", "engine_version"})


class Check(Part):
    """A figure to compute, and the guide's range for it, ends included.

    ``flags`` are those of the recipe's guide, or that command line with some flags changed.
    ``context`` is what each sequence holds, in tokens; ``tolerance`` is a share of either end:
    what "about" may mean. ``parameters`` are counted one by one; ``fits`` is 1 or 0.
    ``most_concurrency`` is where a range of requests at once ends. ``saved_share`` is of the time
    to a first token whose prompt was cached; only measurements tell it.
    """

    figure: Figure
    recipe: Name | None = None
    flags: Literal["guide"] | dict[Name, FlagValue] | None = None
    hardware: Name = "dgx-spark"
    engine_version: str = "0.10.1.1"
    kv_dtype: Literal["bfloat16", "fp8"] | None = None
    tokens: PositiveInt | None = None
    context: PositiveInt | None = None
    sequences: PositiveInt | None = None
    concurrency: PositiveInt | None = None
    most_concurrency: PositiveInt | None = None
    prompt_tokens: PositiveInt | None = None
    flag: Name | None = None
    utilization: float | None = Field(default=None, gt=0, le=1)
    low: float
    high: float
    unit: str
    tolerance: float = Field(default=0.10, ge=0, lt=1)

    @model_validator(mode="after")
    def _can_be_computed(self) -> "Check":
        needed = frozenset(_NEEDS.get(self.figure, "recipe").split())
        allowed = needed | frozenset(_MAY_HAVE.get(self.figure, "").split()) | _EVERY
        if missing := needed - self.model_fields_set:
            raise ValueError(f"{self.figure} needs {', '.join(sorted(missing))} too")
        if foreign := self.model_fields_set - allowed:
            raise ValueError(f"{self.figure} does not take {', '.join(sorted(foreign))}")
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) is above high ({self.high})")
        return self

    def verdict(self, figure: float | None) -> Verdict:
        """What the computed ``figure``, in ``unit``, makes of the claim; unknown tells nothing."""
        if figure is None:
            return "cannot tell"
        low = self.low - abs(self.low) * self.tolerance
        high = self.high + abs(self.high) * self.tolerance
        return "right" if low <= figure <= high else "wrong"


class Place(Part):
    """A line of a guide, counted from 1, and the heading that it stands under."""

    line: PositiveInt
    section: str


class Claim(Part):
    """One thing that a guide states. ``recipes`` is empty when it is about the host.

    Either ``check`` and ``expected``, the verdict that the facts predict, or ``verdict``, with
    what Sparkwell says instead and the source of that. ``why`` explains the one or the other.
    ``beside`` is the range that measurements stand beside where the claim was judged by reading.
    """

    id: ClaimId
    document: str
    places: tuple[Place, ...] = Field(min_length=1)
    says: Sentence
    label: Label = "stated"
    topic: Topic
    recipes: tuple[Name, ...] = ()
    check: Check | None = None
    beside: Check | None = None
    expected: Verdict | None = None
    verdict: Verdict | None = None
    sparkwell_says: str | None = None
    why: Sentence
    source: Sentence | None = None

    @model_validator(mode="after")
    def _is_judged_one_way(self) -> "Claim":
        if (self.check is None) == (self.verdict is None):
            raise ValueError("set exactly one of check and verdict")
        if (self.check is None) != (self.expected is None):
            raise ValueError("expected belongs to a check, and every check has one")
        if self.verdict is not None and not (self.sparkwell_says and self.source):
            raise ValueError("a verdict needs sparkwell_says and source")
        if self.check is not None and self.beside is not None:
            raise ValueError("a check is beside measurements anyhow: leave beside out")
        return self

    @property
    def measurable(self) -> Check | None:
        """The range that a measurement is to be held against; None for what has none."""
        return self.check or self.beside


class Section(Part):
    """A heading of a guide: its line, its depth (1 is the title) and its text."""

    line: PositiveInt
    level: int = Field(ge=1, le=6)
    title: str


class Command(Part):
    """A shell command in a fenced block of a guide: its first line, without comments."""

    line: PositiveInt
    command: Sentence


class GuideDocument(Part):
    """One guide: its headings, its shell commands and its claims, by line.

    ``dated`` and ``engine_version`` are what the guide says of itself, None where it does not.
    """

    document: str
    title: str
    line_count: PositiveInt
    dated: str | None = None
    engine_version: str | None = None
    claims: tuple[Claim, ...]
    sections: tuple[Section, ...] = Field(min_length=1)
    commands: tuple[Command, ...]

    @model_validator(mode="before")
    @classmethod
    def _place_claims(cls, data: Any) -> Any:
        """Files give the lines of a claim; the sections follow from them."""
        try:
            heads = [(section["line"], section["title"]) for section in data["sections"]]
            placed = [_placed(claim, data["document"], heads) for claim in data["claims"]]
        except (TypeError, KeyError, AttributeError):
            return data  # not the right shape: the fields say what is wrong
        return {**data, "claims": placed}


class Contradiction(Part):
    """Claims that cannot all be right, and what is."""

    about: Sentence
    claims: tuple[ClaimId, ...] = Field(min_length=2)
    resolution: Sentence


class Contradictions(Part):
    """The file ``contradictions.yaml``."""

    contradictions: tuple[Contradiction, ...]


@cache
def load_guides() -> tuple[GuideDocument, ...]:
    """All guides, by name of their document; read once, when first asked for.

    From ``guides.json``, which tools/guide_claims.py writes: it is read in a tenth of the time.
    """
    return _GUIDES.validate_json(SNAPSHOT.read_bytes())


def read_guides() -> tuple[GuideDocument, ...]:
    """All guides from their YAML files; raises DocumentError with file, line and field."""
    files = sorted(file for file in SHIPPED.glob("*.yaml") if file.name != CONTRADICTIONS)
    return tuple(parse_document(_text(file), GuideDocument, str(file)) for file in files)


@cache
def load_contradictions() -> tuple[Contradiction, ...]:
    """Where the guides contradict each other or themselves; read once."""
    file = SHIPPED / CONTRADICTIONS
    return parse_document(_text(file), Contradictions, str(file)).contradictions


@cache
def claims_for(recipe_name: str | None) -> tuple[Claim, ...]:
    """The claims of all guides on the recipe of that name; those on the host for None."""
    return tuple(
        claim
        for guide in load_guides()
        for claim in guide.claims
        if (recipe_name in claim.recipes if recipe_name else not claim.recipes)
    )


_GUIDES = TypeAdapter(tuple[GuideDocument, ...])


def snapshot(guides: tuple[GuideDocument, ...]) -> bytes:
    """The guides as ``guides.json`` has them."""
    return _GUIDES.dump_json(guides, exclude_unset=True) + b"\n"


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _placed(claim: Any, document: str, heads: list[tuple[int, str]]) -> Any:
    """The claim with its document, and with places instead of bare lines."""
    rest = {key: value for key, value in claim.items() if key != "lines"}
    starts = [line for line, _ in heads]
    places = [
        {"line": line, "section": heads[max(bisect_right(starts, line) - 1, 0)][1]}
        for line in claim["lines"]
    ]
    return {**rest, "document": document, "places": places}
