"""What `sparkwell tune` says: the trials, what was found, whether the gain holds."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from sparkwell.bench.tables import UNKNOWN
from sparkwell.cli.table import table
from sparkwell.core.units import duration
from sparkwell.tune.knobs import changed

if TYPE_CHECKING:
    from sparkwell.app.tuning.document import Tuning
    from sparkwell.tune.trial import Trial

_FIGURES = {
    "output_tokens_per_s": "output tokens/s", "goodput": "good requests/s",
    "e2e_p95_s": "whole answer p95, s",
}  # fmt: skip
_COLOURS = {"better": "green", "worse": "red"}
LONGEST_WHY = 90


def text(tuning: "Tuning") -> str:
    """A tuning for a person."""
    return "\n\n".join([_head(tuning), *_trials(tuning), *_gains(tuning), *_outcome(tuning)])


def _head(tuning: "Tuning") -> str:
    where = "" if tuning.place is None else f" on {tuning.place.title}, vLLM {tuning.place.version}"
    slo = _slo(tuning.slo)
    clients = f"{tuning.clients[-1]:,} clients at once"
    name = click.style(tuning.model, bold=True)
    return f"{name} for {tuning.goal}{slo}, {clients}{where}: {duration(tuning.spent_s)}"


def _slo(slo: Mapping[str, Any] | None) -> str:
    known = {name: value for name, value in (slo or {}).items() if value is not None}
    said = ", ".join(f"{name.removesuffix('_s')} ≤ {value:g} s" for name, value in known.items())
    return f" ({said})" if said else ""


def _trials(tuning: "Tuning") -> Iterator[str]:
    started = [each for each in tuning.trials if each.started]
    if started:
        head = ("TRIAL", "WHAT DIFFERS FROM BEFORE", "START", "CAME")
        yield table(head, [_trial(each, tuning.before) for each in started])
    ruled_out = len(tuning.trials) - len(started)
    if ruled_out:
        yield f"{ruled_out} more were ruled out by the plan, without a start."


def _trial(trial: "Trial", before: "Trial | None") -> list[str]:
    start = UNKNOWN if trial.start_s is None else duration(trial.start_s)
    return [str(trial.number), differing(trial, before), start, _came(trial)]


def differing(trial: "Trial", before: "Trial | None") -> str:
    """The values of a trial that are others than before."""
    if before is None or trial.number == before.number:
        return "the flags from before"
    found = changed(trial.values, before.values)
    parts = (f"{name}={UNKNOWN if value is None else value}" for name, value in found.items())
    return ", ".join(parts) or "nothing"


def _came(trial: "Trial") -> str:
    if trial.end == "failed":
        why = (trial.why or "").split("\n", 1)[0]
        return click.style(f"failed: {why[:LONGEST_WHY]}", fg="red")
    if trial.end == "pruned":
        return f"{trial.said}, given up after the first repeat"
    kept = "" if trial.kept else click.style(f", SLO kept by {trial.near or 0:.0%}", fg="yellow")
    return trial.said + kept


def _gains(tuning: "Tuning") -> Iterator[str]:
    outcome = tuning.outcome
    if outcome is not None and outcome.gains:
        head = ("WORKLOAD", "FIGURE", "BEFORE", "FOUND", "RATIO", "95 %", "VERDICT")
        yield "The check:\n" + table(head, [_gain(each) for each in outcome.gains])


def _gain(gain: Mapping[str, Any]) -> list[str]:
    told, verdict = gain["ratio"], gain["verdict"]
    known = told is not None and told["low"] is not None
    ends = f"{told['low']:.3f} to {told['high']:.3f}" if known else UNKNOWN
    return [
        gain["workload"] + (" (tuned on)" if gain["tuned_on"] else ""),
        _FIGURES.get(gain["figure"], gain["figure"]),
        f"{gain['before']:,.4g}", f"{gain['after']:,.4g}",
        UNKNOWN if told is None else f"{told['value']:.3f}", ends,
        click.style(verdict, fg=_COLOURS.get(verdict)),
    ]  # fmt: skip


def _outcome(tuning: "Tuning") -> Iterator[str]:
    outcome = tuning.outcome
    if outcome is None:
        yield "Not finished: the same command with --resume goes on."
        return
    yield click.style(outcome.said, bold=True)
    yield from (click.style("! ", fg="yellow") + each for each in outcome.notes)
    if outcome.overlay:
        use = f"sparkwell up {tuning.model} --profile tuned-{tuning.goal}"
        yield f"Kept as {outcome.overlay}. Use it: `{use}`."
        yield from _outweighed(tuning.model, outcome.outweighed)
    elif outcome.gains:
        yield f"Nothing was changed; `sparkwell tune apply {tuning.id}` takes it all the same."


def _outweighed(model: str, flags: Mapping[str, Any]) -> Iterator[str]:
    if flags:
        own = ", ".join(f"{name}: {value}" for name, value in flags.items())
        yield click.style("! ", fg="yellow") + (
            f"Your settings say {own} under models, {model}, flags, and win over the profile: "
            "take that out there."
        )


def listing(tunings: "list[Tuning]") -> str:
    """Tunings, numbered as they can be named."""
    if not tunings:
        return "No tuning was kept yet: `sparkwell tune MODEL --goal GOAL` makes one."
    rows = [
        (str(number), each.id, str(sum(trial.started for trial in each.trials)), _state(each))
        for number, each in enumerate(tunings, 1)
    ]
    return table(("", "TUNING", "TRIALS", ""), rows)


def _state(tuning: "Tuning") -> str:
    return "not finished" if tuning.outcome is None else tuning.outcome.said
