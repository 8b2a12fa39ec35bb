"""How it goes, in the document of status: figures of each instance, and what is wrong now."""

from collections.abc import Mapping
from typing import Any

from sparkwell.app.watching.watching import Watching
from sparkwell.checks.box import BoxState, FailedModel, look_at
from sparkwell.core.findings import Finding


def with_figures(status: Mapping[str, Any], watching: Watching) -> dict[str, Any]:
    """The document with ``machine``, ``findings``, and the ``figures`` of each instance."""
    watching.glance()
    known = watching.figures()
    instances = [
        {
            **each,
            "figures": known["figures"].get(each["id"]),
            "figures_problem": known["problems"].get(each["id"]),
        }
        for each in status["instances"]
    ]
    told = findings_of(status, watching)
    return {
        **status,
        "instances": instances,
        "machine": known["machine"],
        "findings": [each.to_json() for each in told],
    }


def findings_of(status: Mapping[str, Any], watching: Watching) -> tuple[Finding, ...]:
    """What is wrong now: of the box as a whole first, then of each model that serves."""
    return (*look_at(box_state(status)), *watching.findings())


def box_state(status: Mapping[str, Any]) -> BoxState:
    """The box as the document of status tells it."""
    memory, guard = status.get("memory") or {}, status.get("guard") or {}
    failed = [each for each in status.get("instances", ()) if each.get("state") == "failed"]
    return BoxState(
        failed=tuple(
            FailedModel(
                model=each["model"],
                error=each.get("error") or "nobody knows why",
                hint=each.get("hint"),
                last_lines=tuple(each.get("last_lines") or ()),
            )
            for each in failed
        ),
        guard_wanted=bool(guard.get("enabled")),
        guarded=guard.get("running"),
        protected=guard.get("protected"),
        cannot_end=tuple((guard.get("cannot_end") or {}).items()),
        available_bytes=memory.get("available_bytes"),
        floor_bytes=memory.get("floor_bytes"),
        restarts=tuple((status.get("restarts") or {}).items()),
        open_to_all=status.get("open_to_all"),
        keys_lost=status.get("keys_lost"),
    )
