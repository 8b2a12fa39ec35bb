"""A report that was sent in, held against the planner as it is today. Pure."""

from collections.abc import Mapping
from typing import Any

from sparkwell.app.verifying.figures import Figure, figures
from sparkwell.app.verifying.gathered import Started
from sparkwell.app.verifying.report import DESCRIBED, MACHINE
from sparkwell.catalog import Catalog
from sparkwell.catalog.described import Described, describe_recipe
from sparkwell.core.errors import DocumentError
from sparkwell.engines.vllm import rules_for
from sparkwell.planner.plan import Plan, make_plan
from sparkwell.planner.question import Question

Json = Mapping[str, Any]


def planned_again(report: Json, catalog: Catalog) -> Plan:
    """The plan of the report's start, made today; raises DocumentError where it has no question.

    A model that the catalog has, with the same repository, is taken as the catalog has it now.
    """
    asked = report["question"]
    if asked is None:
        raise DocumentError(
            "This report has no plan, so nothing can be planned again.",
            hint="Its `failed` says at which step it ended.",
        )
    try:
        described = DESCRIBED.validate_python(asked["described"])
        machine = MACHINE.validate_python(report["machine"])
        question = Question(
            described=_as_known(described, catalog),
            machine=machine,
            rules=rules_for(asked["engine_version"]),
            flags=dict(asked["flags"]),
            sleep_level=asked["sleep_level"],
        )
    except (KeyError, TypeError, ValueError) as error:  # pydantic's are such
        raise DocumentError(
            f"What this report says of model or machine is not understood: {error}.",
            hint="It may be of a newer Sparkwell.",
        ) from None
    return make_plan(question)


def figures_again(report: Json, catalog: Catalog) -> list[Figure]:
    """What was measured then, beside what is planned today."""
    measured = report["measured"]
    started = Started(**measured["start"])
    return figures(planned_again(report, catalog), started, measured["bench"])


def _as_known(described: Described, catalog: Catalog) -> Described:
    recipe = catalog.find(described.name)
    if recipe is None:
        return described
    known = describe_recipe(recipe)
    same = (known.repo, known.revision) == (described.repo, described.revision)
    return known if same else described
