"""Is a model that serves well? The guides' interpretation of its figures, as checks.

Pure: readings, flags and plans come in as values. ``changes`` (serving_changes.py) says which plans
are wanted for the remedies; ``settled`` (serving_settled.py) keeps findings from flapping.
"""

from dataclasses import replace

from sparkwell.checks import (
    serving_cache,
    serving_latency,
    serving_prefix,
    serving_queue,
    serving_speed,
)
from sparkwell.checks.serving_parts import Serving, ServingCheck
from sparkwell.core.findings import Finding

CHECKS: tuple[ServingCheck, ...] = (
    *serving_cache.CHECKS,
    *serving_latency.CHECKS,
    *serving_speed.CHECKS,
    *serving_prefix.CHECKS,
    *serving_queue.CHECKS,
)


def interpret(serving: Serving) -> tuple[Finding, ...]:
    """All findings of one model, good news too, in the order of the checks."""
    found = (finding for check in CHECKS for finding in check.look(serving))
    return tuple(replace(each, about=serving.model) for each in found)
