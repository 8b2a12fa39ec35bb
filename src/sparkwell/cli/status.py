"""`sparkwell status`."""

import json

import click

from sparkwell.cli.client import Json, run, told_by_daemon
from sparkwell.cli.context import Context, json_option, pass_context
from sparkwell.cli.top.figures import figures_of, figures_words, machine_words, plain_words
from sparkwell.cli.top.finding_words import first_advice, first_command, title, to_show
from sparkwell.cli.top.words import (
    BECOMING_STATES,
    SERVING_STATES,
    guard_words,
    memory_words,
    plain,
    queue_words,
    serving,
    stopwatch,
    switch_detail,
    switch_title,
)
from sparkwell.core.units import duration

LABELS = {"error": "Error   ", "warning": "Warning "}
NOTE = "Note    "


@click.command(short_help="Show the daemon, the model and how far it is.")
@json_option
@pass_context
def status(context: Context, as_json: bool) -> None:
    """Show the daemon, what it serves and how it goes, how far a start or a switch is.

    At the end stand the findings: what is amiss, and what to type about it.
    """
    current = run(told_by_daemon(context, "status"))
    click.echo(json.dumps(current) if as_json else _text(current))


def _text(current: Json) -> str:
    daemon = (
        f"Sparkwell {current['version']}, process {current['pid']}, "
        f"up for {duration(current['uptime_s'])}"
    )
    lines = [daemon, f"Gateway  {current['gateway']}/v1", *_recovering(current)]
    instances = [line for entry in current["instances"] for line in _instance(entry)]
    none = ["Model    none; `sparkwell up MODEL` starts one"]
    rest = (
        *(*_restarts(current), *_switching(current)),
        *(*_memory(current), *_machine(current), *_findings(current)),
    )
    return "\n".join([*lines, *(instances or none), *rest])


def _recovering(current: Json) -> list[str]:
    """Said while the daemon is still taking over: what it shows is then not all that runs."""
    if not current.get("recovering"):
        return []
    return ["Daemon   taking over what an earlier one left; `up` and `down` wait until it has"]


def _restarts(current: Json) -> list[str]:
    """How often models were started again after a failure, lately."""
    counts = (current.get("restarts") or {}).items()
    return [f"Restarts {model}: {count} in the last hour" for model, count in counts]


def _switching(current: Json) -> list[str]:
    """The switch under way and the queue; nothing where there is none."""
    lines = [_queued(entry) for entry in current.get("queue") or ()]
    if switch := current.get("switch"):
        detail = switch_detail(switch, current["instances"], current.get("memory"))
        since = f", {stopwatch(switch['since_s'])} so far" if switch.get("since_s") else ""
        step = f"{switch.get('step')}: {detail}" if detail else str(switch.get("step"))
        lines.insert(0, f"Switch   {switch_title(switch)}{since}, {step}")
    return lines


def _queued(entry: Json) -> str:
    return f"Queue    {entry['model']}: {queue_words(entry)}"


def _memory(current: Json) -> list[str]:
    """Memory and guard, where the daemon says anything of them."""
    memory, guard = memory_words(current.get("memory")), current.get("guard")
    words = [*memory, *([guard_words(guard)] if guard else [])]
    return [f"Memory   {', '.join(words)}"] if words else []


def _machine(current: Json) -> list[str]:
    words = plain_words(machine_words(current.get("machine")))
    return [f"Machine  {', '.join(words)}"] if words else []


def _findings(current: Json) -> list[str]:
    """What is amiss, the worst first, each with what to do about it."""
    lines = []
    for finding in to_show(current.get("findings")):
        command, advice = first_command(finding), first_advice(finding)
        lines.append(f"{LABELS.get(str(finding.get('severity')), NOTE)} {title(finding)}")
        lines += [f"         `{command}`"] if command else [f"         {advice}"] if advice else []
    return lines


def _instance(entry: Json) -> list[str]:
    lines = [f"Model    {entry['model']}: {_state(entry)}"]
    if entry.get("expectation") and entry["state"] in BECOMING_STATES:
        lines.append(f"         {plain(entry['expectation'])}")
    lines.append(f"Engine   {entry['engine']} {entry['engine_version']} ({_where(entry)})")
    lines += _figures(entry)
    if entry["error"]:
        lines.append(f"Error    {entry['error']}")
        lines += [f"         {line}" for line in (entry["hint"] or "").splitlines()]
        if entry["log"]:
            lines.append(f"         `sparkwell logs {entry['model']}` shows the log")
    return lines


def _figures(entry: Json) -> list[str]:
    """How it does. The gateway's count of requests is said only where the engine tells none."""
    figures, count = figures_of(entry), serving(entry)
    lines = []
    if count is not None and figures.get("running") is None:
        lines.append(f"Requests {count} running")
    if words := figures_words(figures):
        lines.append(f"Figures  {', '.join(words)}")
    if entry.get("figures_problem") and entry["state"] in SERVING_STATES:
        lines.append(f"Figures  not measured: {plain(entry['figures_problem'])}")
    return lines


def _where(entry: Json) -> str:
    if not entry["container"]:
        return str(entry["driver"])
    return f"{entry['driver']}, container {entry['container']}"


def _state(entry: Json) -> str:
    state = str(entry["state"])
    if state not in BECOMING_STATES:
        return f"{state}, pinned" if entry.get("pinned") else state
    percent = "" if entry["percent"] is None else f", {entry['percent']:.0f} %"
    left = "" if entry["left_s"] is None else f", about {duration(entry['left_s'])} left"
    return f"{state} ({entry['phase_title']}{percent}{left})"
