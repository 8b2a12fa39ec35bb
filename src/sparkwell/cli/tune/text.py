"""What `sparkwell tune` says: the trials, what was found, whether the gain holds."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from sparkwell.bench.tables import UNKNOWN
from sparkwell.cli.finding_text import plain
from sparkwell.cli.table import table, wrapped_table
from sparkwell.cli.tune.check import check_table
from sparkwell.core.units import duration
from sparkwell.tune.apart import told
from sparkwell.tune.values import changed

if TYPE_CHECKING:
    from sparkwell.app.tuning.document import Tuning
    from sparkwell.tune.goal import Goal
    from sparkwell.tune.trial import Trial

LOG_LINES = 10


def text(tuning: "Tuning") -> str:
    """A tuning for a person."""
    parts = (_trials(tuning), _first_log(tuning), _gains(tuning), _outcome(tuning))
    return "\n\n".join([_head(tuning), *chain.from_iterable(parts)])


def _head(tuning: "Tuning") -> str:
    where = (
        "" if tuning.place is None else f"\non {tuning.place.title}, vLLM {tuning.place.version}"
    )
    slo = _slo(tuning.slo)
    clients = f"{tuning.clients[-1]:,} clients at once"
    name = click.style(tuning.model, bold=True)
    return f"{name} for {tuning.goal}{slo}, {clients}{where}: {duration(tuning.spent_s)}"


def _slo(slo: Mapping[str, Any] | None) -> str:
    known = {name: value for name, value in (slo or {}).items() if value is not None}
    said = ", ".join(f"{name.removesuffix('_s')} ≤ {value:g} s" for name, value in known.items())
    return f" ({said})" if said else ""


def _trials(tuning: "Tuning") -> Iterator[str]:
    tried = [each for each in tuning.trials if each.started or each.number == 0]
    if tried:
        head = ("TRIAL", "START", "CAME", "WHAT DIFFERS FROM BEFORE")
        yield wrapped_table(head, [_trial(each, tuning) for each in tried])
    ruled_out = len(tuning.trials) - len(tried)
    if ruled_out:
        yield f"{ruled_out} more were ruled out by the plan, without a start."


def _trial(trial: "Trial", tuning: "Tuning") -> list[str]:
    start = UNKNOWN if trial.start_s is None else duration(trial.start_s)
    what = "\n".join([differing(trial, tuning.before), *_remarks(trial)])
    return [str(trial.number), start, _came(trial, tuning.aim), what]


def differing(trial: "Trial", before: "Trial | None") -> str:
    """The values of a trial that are others than before."""
    if before is None or trial.number == before.number:
        return "the flags from before"
    found = changed(trial.values, before.values)
    parts = (f"{name}={UNKNOWN if value is None else value}" for name, value in found.items())
    return ", ".join(parts) or "nothing"


def _came(trial: "Trial", goal: "Goal") -> str:
    if trial.end in ("failed", "refused"):
        return click.style(trial.end, fg="red")
    return told(trial, goal) or UNKNOWN


def _remarks(trial: "Trial") -> Iterator[str]:
    if share := trial.said.partition(", ")[2]:
        yield f"({share})"
    if trial.end in ("failed", "refused"):
        yield (trial.why or "").partition("\n")[0]
    elif trial.end == "pruned":
        yield "(given up after the first repeat)" if trial.value is not None else f"({trial.why})"
    elif not trial.kept:
        yield f"(SLO kept by {trial.near or 0:.0%})"


def _first_log(tuning: "Tuning") -> Iterator[str]:
    """Of flags from before that do not serve: nothing else is known then."""
    if tuning.before is None and tuning.trials and (log := tuning.trials[0].lines):
        yield "\n".join(["The end of its log:", *(f"  {plain(each)}" for each in log[-LOG_LINES:])])


def _gains(tuning: "Tuning") -> Iterator[str]:
    outcome = tuning.outcome
    if outcome is not None and outcome.gains:
        repeats = "" if outcome.repeats is None else f", {outcome.repeats} repeats of each"
        yield f"The check{repeats}:\n" + check_table(outcome.gains)


def _outcome(tuning: "Tuning") -> Iterator[str]:
    outcome = tuning.outcome
    if outcome is None:
        waits = tuning.before is None and tuning.trials
        first = "the flags from before have to serve first; then " if waits else ""
        yield f"Not finished: {first}the same command with --resume goes on."
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
