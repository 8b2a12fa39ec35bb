"""The guides' claims beside Sparkwell's figures: computed ones are judged, others were read."""

from collections.abc import Iterable
from dataclasses import dataclass

from sparkwell.app.guides.figures import Figures
from sparkwell.app.planning.planning import Planning
from sparkwell.catalog.guide_claims import Check, Claim, Verdict, claims_for
from sparkwell.planner.plan import Plan

_YES_NO = ("fits", "fits_contexts", "flag_exists")


@dataclass(frozen=True, slots=True)
class Checked:
    """A claim and what becomes of it; ``says`` is Sparkwell's own figure or fact, in words."""

    claim: Claim
    says: str
    verdict: Verdict

    @property
    def as_json(self) -> dict[str, object]:
        """The entry in the plan's document."""
        claim = self.claim
        return {
            "claim": claim.id,
            "guide": claim.document,
            "lines": [place.line for place in claim.places],
            "label": claim.label,
            "guide_says": claim.says,
            "sparkwell_says": self.says,
            "verdict": self.verdict,
            "why": claim.why,
        }


def check(claim: Claim, figures: Figures) -> Checked:
    """Judge one claim."""
    if claim.check is None:
        return Checked(claim, claim.sparkwell_says or "", claim.verdict or "cannot tell")
    value = figures.value(claim.check.figure, claim.check.model_dump(exclude_none=True))
    return Checked(claim, in_words(value, claim.check), claim.check.verdict(value))


def check_all(claims: Iterable[Claim], figures: Figures) -> list[Checked]:
    """Judge them in their order."""
    return [check(claim, figures) for claim in claims]


def claims_about(recipe: str, figures: Figures) -> list[dict[str, object]]:
    """The checked claims about a recipe, for the plan's document."""
    return [checked.as_json for checked in check_all(claims_for(recipe), figures)]


def claims_of(planning: Planning, plan: Plan) -> list[dict[str, object]]:
    """The same about the model of a plan."""
    return claims_about(plan.question.described.name, Figures(planning))


def in_words(value: float | None, check: Check) -> str:
    """A figure as people read it, with its unit."""
    if value is None:
        return "not known"
    if check.figure in _YES_NO:
        return "yes" if value else "no"
    return f"{_rounded(value)} {check.unit}".strip()


def _rounded(value: float) -> str:
    if value >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
