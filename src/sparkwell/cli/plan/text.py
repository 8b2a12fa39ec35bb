"""A plan for people: memory as bars, speed beside its limit, and what would make it fit."""

from collections.abc import Iterable, Iterator, Mapping
from shlex import quote
from shutil import get_terminal_size

import click

from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.units import GIB, duration, file_size
from sparkwell.planner.engine_rules import EngineRules
from sparkwell.planner.memory import Memory
from sparkwell.planner.overhead import Overhead
from sparkwell.planner.plan import Plan
from sparkwell.planner.sleep import SOURCE as SLEEP_SOURCE
from sparkwell.planner.speed import BatchSpeed, Speed

BAR = 20
CAUSES = 3
WIDEST = 100
# Rows without a bar repeat what others have drawn.
_COLOURS = {
    "weights": "blue",
    "overhead": "yellow",
    "KV cache": "green",
    "system": "magenta",
    "headroom": "white",
}
_CAUSES = {
    "activations": "activations",
    "kernels": "kernels",
    "graphs": "CUDA graphs",
    "state": "sampler",
    "host": "processes",
    "page_cache": "page cache",
    "sleep": "hidden by sleep mode",
}


def page(plan: Plan, profile: str, *, explain: bool) -> str:
    """The whole answer."""
    blocks = [
        _headline(plan, profile),
        _memory(plan),
        _speed(plan.speed),
        _start(plan),
        *_advice(plan),
        _flags(plan, explain=explain),
    ]
    return "\n\n".join(block for block in blocks if block)


def _headline(plan: Plan, profile: str) -> str:
    q = plan.question
    verdict = click.style("fits", fg="green", bold=True)
    if not plan.fits:
        verdict = click.style("does not fit", fg="red", bold=True)
    engine = f"vLLM {q.rules.version}{_basis_of(q.rules)}"
    return f"{q.described.name} on {q.machine.name}, {engine}, profile {profile}: {verdict}"


def _basis_of(rules: EngineRules) -> str:
    """How well the version's memory rules are known, where no start of it was measured."""
    if rules.measured:
        return ""
    source = rules.source.partition(" (")[0]
    return " (from source)" if source.startswith("read in") else f" ({source})"


def _memory(plan: Plan) -> str:
    memory, machine = plan.memory, plan.question.machine
    each = " on each device" if memory.of_gpus > 1 else ""
    head = f"Memory, GiB of {_gib(memory.total)} that the engine sees{each} ({plan.question.basis})"
    rows = list(_rows(plan))
    if machine.unified and machine.system_bytes is not None:
        rows.append(("system", machine.system_bytes, "before the engine starts"))
    if memory.headroom is not None:
        floor = f"over the guard's floor of {machine.floor_bytes / GIB:.0f} GiB"
        rows.append(("headroom", memory.headroom, floor if machine.unified else "left free"))
    return "\n".join([click.style(head, bold=True), *(_row(memory, *row) for row in rows)])


def _rows(plan: Plan) -> Iterator[tuple[str, int, str]]:
    memory, settings = plan.memory, plan.settings
    given = settings.kv_cache_memory_bytes is not None
    share = "the KV cache was given" if given else f"utilization {settings.utilization:g}"
    yield "weights", memory.weights, ""
    yield "overhead", memory.overhead, _causes(memory.parts)
    yield "KV cache", memory.kv_cache, _cache(plan)
    yield "budget", memory.budget, share
    yield "outside", memory.outside, "CUDA context, and what the budget leaves out"
    if memory.sleep:
        yield "sleep", memory.sleep, f"sleep mode; {SLEEP_SOURCE}"


def _row(memory: Memory, name: str, size: int, note: str) -> str:
    filled = round(BAR * max(0, min(1, size / memory.total)))
    colour = _COLOURS.get(name)
    bar = ("█" * filled if colour else "").ljust(BAR)
    if size < 0:
        return click.style(f"  {name:<9}{_gib(size):>8}  {bar}  {note}".rstrip(), fg="red")
    drawn = click.style(bar, fg=colour) if note else click.style(bar.rstrip(), fg=colour)
    return f"  {name:<9}{_gib(size):>8}  {drawn}  {note}".rstrip()


def _causes(parts: Overhead | None) -> str:
    if parts is None:
        return "measured here"
    sizes = {title: getattr(parts, name) for name, title in _CAUSES.items()}
    shown = sorted(sizes.items(), key=lambda item: -abs(item[1]))
    large = [(title, size) for title, size in shown[:CAUSES] if abs(size) > 0.05 * GIB]
    return ", ".join(f"{title} {size / GIB:.1f}" for title, size in large)


def _cache(plan: Plan) -> str:
    memory = plan.memory
    if memory.kv_cache <= 0:
        return "nothing is left"
    times = f"{memory.max_concurrency:.2f} x {memory.context:,}"
    return f"{memory.kv_tokens:,} tokens, {memory.kv_per_token / 1024:.0f} KiB each; {times}"


def _speed(speed: Speed | None) -> str:
    if speed is None:
        return "Speed: unknown, as the memory's bandwidth is."
    head = f"Speed with {speed.context:,} tokens of context"
    single = (
        f"  one stream {speed.single_tokens_per_s:7.1f} tokens/s, "
        f"{speed.fraction_of_limit:.0%} of the {speed.roofline_tokens_per_s:.1f} that the "
        f"{speed.bound} allows"
    )
    batched = ", ".join(
        f"{each.tokens_per_s:,.0f} at {each.concurrency}" for each in _some(speed.batched[1:])
    )
    first = f"  first token {speed.ttft_s:6.2f} s after a prompt of {speed.prompt_tokens:,} tokens"
    lines = [click.style(head, bold=True), single]
    if batched:
        lines.append(f"  together        {batched}")
    lines += [first, _wrapped(f"({speed.efficiency.source})", "  ", "  ")]
    return "\n".join(lines)


def _some(entries: Iterable[BatchSpeed]) -> list[BatchSpeed]:
    """Four of a long list, its last one among them."""
    every = list(entries)
    return every if len(every) <= 4 else [*every[1:-1:2][:3], every[-1]]


def _start(plan: Plan) -> str:
    startup = plan.startup
    download = f"download {file_size(startup.download_bytes)}" if startup.download_bytes else ""
    cold = None if startup.cold_s is None else f"first start about {duration(startup.cold_s)}"
    warm = None if startup.warm_s is None else f"later ones {duration(startup.warm_s)}"
    parts = [part for part in (download, cold, warm) if part]
    return click.style("Start  ", bold=True) + "; ".join(parts)


def _advice(plan: Plan) -> Iterator[str]:
    if plan.problems:
        # All of them have the same cause; each is another way out.
        why = click.style(_wrapped(plan.problems[0].message), fg="red")
        yield "\n".join([why, *(item(each.remedy) for each in plan.problems if each.remedy)])
    lines = [item(f"{each.message} {each.remedy or ''}".rstrip()) for each in plan.warnings]
    lines += [item(each) for each in (*plan.question.corrections, *plan.question.described.notes)]
    if lines:
        yield "\n".join([click.style("Worth knowing", fg="yellow", bold=True), *lines])


def _flags(plan: Plan, *, explain: bool) -> str:
    q = plan.question
    head = click.style("Flags", bold=True)
    if not explain:
        return f"{head}\n{flag_lines(q.flags)}"
    rows = [
        f"  {name}={value}\n{_wrapped(q.reasons.get(name, 'Given.'), '      ', '      ')}"
        for name, value in q.flags.items()
    ]
    return "\n".join([head, *rows])


def flag_lines(flags: Mapping[str, FlagValue]) -> str:
    """NAME=VALUE as a shell takes it, as many in a line as fit; none is broken."""
    lines = [" "]
    for word in (quote(f"{name}={value}") for name, value in flags.items()):
        if len(lines[-1]) + 1 + len(word) > _width() and lines[-1] != " ":
            lines.append(" ")
        lines[-1] += f" {word}"
    return "\n".join(lines)


def _width() -> int:
    return min(WIDEST, get_terminal_size((WIDEST, 24)).columns)


def item(text: str) -> str:
    """A point of a list, wrapped as the terminal wants it."""
    return _wrapped(text, "  - ", "    ")


def _wrapped(text: str, first: str = "", later: str = "") -> str:
    return click.wrap_text(text, _width(), initial_indent=first, subsequent_indent=later)


def _gib(size: int) -> str:
    return f"{size / GIB:.2f}"
