"""The overlay that a tuning ends with. Pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sparkwell.app.tuning.document import Outcome, Tuning
from sparkwell.bench.figures import Slo
from sparkwell.catalog.tuned import Evidence, Row, Tuned
from sparkwell.catalog.tuned import Slo as KeptSlo
from sparkwell.core.errors import UsageError
from sparkwell.core.figure_names import FIGURES
from sparkwell.planner.profile_names import DEFAULT
from sparkwell.tune.trial import Trial

NOTES = ("Prompts were random tokens of an exact length, answers ended at their length.",)
DUMMY = ("load_format", "dummy")
HOSTS_OWN = frozenset({"download_dir", "trust_remote_code"})
DUMMIES = "The weights were dummies: memory and speed should be those of the real ones."


def overlay(tuning: Tuning) -> Tuned:
    """Of a tuning whose winner was checked; UsageError where there is none."""
    outcome = tuning.outcome
    gains = () if outcome is None else outcome.gains
    winner = _trial(tuning, None if outcome is None else outcome.winner)
    if winner is None or tuning.before is None or tuning.place is None or not gains:
        raise UsageError(
            f"{tuning.id} has found no flags that were checked, so there is nothing to apply.",
            hint=f"`sparkwell tune show {tuning.id}` says what came of it.",
        )
    place, measured = tuning.place, [each for each in tuning.trials if each.started]
    return Tuned(
        recipe=tuning.model, goal=tuning.goal, slo=_slo(tuning.aim.slo),
        machine=place.machine, title=place.title, gpus=place.gpus, total_bytes=place.total_bytes,
        engine="vllm", version=place.version,
        flags=kept_flags(winner.flags), before=kept_flags(tuning.before.flags),
        before_profile=tuning.profile or DEFAULT,
        evidence=Evidence(
            date=datetime.fromtimestamp(tuning.began, UTC).date(), command=tuning.command,
            trials=len(measured), sparkwell=tuning.sparkwell,
            rows=tuple(_row(each) for each in gains),
            notes=_notes(winner, outcome),
        ),
    )  # fmt: skip


def _trial(tuning: Tuning, number: int | None) -> Trial | None:
    return next((each for each in tuning.trials if each.number == number), None)


def kept_flags(flags: Mapping[str, Any] | None) -> dict[str, Any]:
    """The flags that bear on speed, for whoever has this machine.

    Weights that are dummies are for measuring alone; where weights lie, and whether code that comes
    with them may run, is for each host to say.
    """
    kept = {name: value for name, value in (flags or {}).items() if name not in HOSTS_OWN}
    return {name: value for name, value in kept.items() if (name, value) != DUMMY}


def _notes(winner: Trial, outcome: Outcome | None) -> tuple[str, ...]:
    dummies = (DUMMIES,) if DUMMY in (winner.flags or {}).items() else ()
    if outcome is None:
        return (*NOTES, *dummies)
    return (*NOTES, *dummies, *_doubts(outcome.gains), *outcome.notes)


def _slo(slo: Slo | None) -> KeptSlo | None:
    if slo is None:
        return None
    return KeptSlo(ttft_s=slo.ttft_s, tpot_s=slo.tpot_s, e2e_s=slo.e2e_s)


def _row(gain: Mapping[str, Any]) -> Row:
    told = gain["ratio"]
    return Row(
        workload=gain["workload"], tuned_on=gain["tuned_on"], figure=gain["figure"],
        before=_finite(gain["before"]), after=_finite(gain["after"]),
        ratio=_told(told, "value"), low=_told(told, "low"), high=_told(told, "high"),
    )  # fmt: skip


def _told(ratio: Mapping[str, Any] | None, part: str) -> float | None:
    value = None if ratio is None else ratio[part]
    return None if value is None else _finite(value)


def _doubts(gains: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where the flags found are worse, or not shown to be better."""
    return [
        f"{workload}: {verdict}: {', '.join(FIGURES.get(each, each) for each in figures)}"
        for (workload, verdict), figures in _grouped(gains).items()
        if verdict != "better"
    ]


def _grouped(gains: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for each in gains:
        found.setdefault((each["workload"], each["verdict"]), []).append(each["figure"])
    return found


def _finite(value: float | None) -> float | None:
    """To five digits: more would claim what no measurement has."""
    known = value is not None and math.isfinite(value)  # a file has None for what has no limit
    return float(f"{value:.5g}") if known else None
