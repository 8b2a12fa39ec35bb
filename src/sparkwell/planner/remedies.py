"""What would make a plan fit: every remedy is planned again, and only those that fit are said."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner.fit import (
    UTILIZATION,
    Case,
    Flags,
    largest_safe_utilization,
    safe_utilization,
    takes_fp8_cache,
    utilization_ceiling,
)
from sparkwell.planner.ladders import BATCHED_TOKENS, SEQUENCES, most_context
from sparkwell.planner.online import in_format
from sparkwell.planner.yarn import longest_with, scales_rope

Change = dict[str, FlagValue]
_SMALLEST_CONTEXT = 1024


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to know: what is the matter, what to do, and the flags that do it.

    ``flags`` are empty where no flag helps. ``id`` is stable.
    """

    id: str
    message: str
    remedy: str
    flags: dict[str, FlagValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A plan that does not fit: the flags, ``why`` in words, and what there is to turn to.

    ``share_alone`` says that another share mends it; then no other change needs one.
    """

    case: Case
    flags: Flags
    why: str
    siblings: Mapping[str, str]
    others: tuple[Machine, ...]
    share_alone: bool = False

    def advice(self, name: str, remedy: str, change: Change | None = None) -> Advice:
        """A remedy for it."""
        return Advice(name, self.why, remedy, change or {})

    def with_change(self, change: Change) -> Change | None:
        """The change, with a safe share where it takes one; None where it does not help."""
        if self.case.fits({**self.flags, **change}):
            return change
        if self.share_alone:
            return None
        share = largest_safe_utilization(self.case, {**self.flags, **change})
        return None if share is None else {**change, UTILIZATION: share}


def remedies(trouble: Trouble) -> tuple[Advice, ...]:
    """All that helps, the mildest first; several changes together where no single one helps.

    Other models and machines come up only where one would have to give up context or quality.
    """
    shared = list(_share(trouble))
    trouble = replace(trouble, share_alone=bool(shared))
    mild = [*shared, *_steps(trouble), *_sequences(trouble)]
    dear = [*_context(trouble), *_cache(trouble)] or ([] if mild else list(_together(trouble)))
    beside = list(_alone(trouble))
    if mild:
        return (*mild, *dear, *beside)
    rest = [found for way in (_gpus, _sibling, _machine) for found in way(trouble)]
    return (*dear, *beside, *rest)


def _share(trouble: Trouble) -> Iterator[Advice]:
    share = largest_safe_utilization(trouble.case, trouble.flags)
    if share is not None:
        change: Change = {UTILIZATION: share}
        yield trouble.advice("utilization", f"Set {UTILIZATION} to {share:.2f}.", change)


def _steps(trouble: Trouble) -> Iterator[Advice]:
    now = trouble.case.plan(trouble.flags)[0].max_num_batched_tokens
    fewer = [each for each in reversed(BATCHED_TOKENS) if each < now]
    yield from _first(trouble, "batched-tokens", "max_num_batched_tokens", fewer)


def _sequences(trouble: Trouble) -> Iterator[Advice]:
    now = trouble.case.plan(trouble.flags)[0].max_num_seqs
    fewer = [each for each in reversed(SEQUENCES) if each < now]
    yield from _first(trouble, "sequences", "max_num_seqs", fewer)


def _cache(trouble: Trouble) -> Iterator[Advice]:
    """FP8 keys and values, where they run well and are not there yet."""
    case = trouble.case
    wide = case.plan(trouble.flags)[0].cache_type == "bf16"
    if wide and takes_fp8_cache(case.machine, case.rules):
        change = trouble.with_change({"kv_cache_dtype": "fp8"})
        if change:
            price = "what that loses in quality is not measured here"
            yield trouble.advice(
                "fp8-kv-cache", f"{_set(change)}: half the bytes; {price}.", change
            )


def _context(trouble: Trouble, more: Change | None = None) -> Iterator[Advice]:
    """The longest context of which one sequence fits."""
    flags = {**trouble.flags, **(more or {})}
    case, settings = trouble.case, trouble.case.plan(flags)[0]
    ceiling = utilization_ceiling(case.machine, case.rules)
    share = safe_utilization(case, flags, ceiling) or settings.utilization
    for used in sorted({min(share, settings.utilization), share}):
        room = case.plan({**flags, UTILIZATION: used})[1].kv_tokens
        context = most_context(room, min(settings.max_model_len, _window(case, flags)))
        change = trouble.with_change({**(more or {}), "max_model_len": context})
        if change and _SMALLEST_CONTEXT <= context < settings.max_model_len:
            yield trouble.advice("context", f"{_set(change)}.", change)
            return


def _window(case: Case, flags: Flags) -> int:
    """The longest context to advise, in tokens: none that needs what the flags do not say."""
    shape = case.described.shape
    return longest_with(shape, flags) if scales_rope(flags) else shape.native_context


def _together(trouble: Trouble) -> Iterator[Advice]:
    """Small steps, then FP8 keys and values too, with the context that they leave."""
    case = trouble.case
    small: Change = {"max_num_batched_tokens": BATCHED_TOKENS[0], "max_num_seqs": SEQUENCES[1]}
    changes = [small]
    if takes_fp8_cache(case.machine, case.rules):
        changes.append({**small, "kv_cache_dtype": "fp8"})
    for change in changes:
        whole = trouble.with_change(change)
        if whole:
            yield trouble.advice("together", f"{_set(whole)}.", whole)
            return
        for found in _context(trouble, change):
            yield replace(found, id="together")
            return


def _alone(trouble: Trouble) -> Iterator[Advice]:
    beside = trouble.case.beside_bytes
    change = _somehow(replace(trouble.case, beside_bytes=0), trouble.flags) if beside else None
    if change is not None:
        said = f"Stop what holds {beside / GIB:.1f} GiB beside it"
        yield trouble.advice("alone", f"{said}{_and_set(change)}.", change)


def _gpus(trouble: Trouble) -> Iterator[Advice]:
    case = trouble.case
    if case.plan(trouble.flags)[0].gpus > 1:
        return
    heads = case.described.shape.num_attention_heads
    counts = [each for each in (2, 4, 8, 16) if each <= case.machine.gpus and heads % each == 0]
    yield from _first(trouble, "more-gpus", "tensor_parallel_size", counts)


def _sibling(trouble: Trouble) -> Iterator[Advice]:
    """The same model in a format with fewer bits, the most bits that fit."""
    case, own = trouble.case, trouble.case.described.quantization.weight_bits
    known = [(in_format(case.described, name), repo) for name, repo in trouble.siblings.items()]
    smaller = [(each, repo) for each, repo in known if each and each.quantization.weight_bits < own]
    flags = {name: value for name, value in trouble.flags.items() if name != "quantization"}
    for described, repo in sorted(smaller, key=lambda pair: -pair[0].quantization.weight_bits):
        change = _somehow(replace(case, described=described, calibration=None), flags)
        if change is not None:
            bits = described.quantization.weight_bits
            size = described.parts.total / GIB
            said = f"Take {repo}{_and_set(change)}: {bits} bits, {size:.1f} GiB of weights."
            yield trouble.advice("quantized-repository", said, change)
            return


def _machine(trouble: Trouble) -> Iterator[Advice]:
    """The smallest other machine that takes these flags."""
    others = [each for each in trouble.others if each.device == "cuda"]
    for machine in sorted(others, key=lambda each: (each.total_bytes * each.gpus, each.name)):
        case = trouble.case.on(machine)
        change = _somehow(case, trouble.flags)
        if change is None and machine.gpus > 1:
            change = _somehow(case, trouble.flags, {"tensor_parallel_size": machine.gpus})
        if change is not None:
            said = f"On {machine.name} ({machine.title}) it fits{_and_set(change, 'with')}."
            yield trouble.advice("other-machine", said, change)
            return


def _first(trouble: Trouble, name: str, flag: str, values: Iterable[int]) -> Iterator[Advice]:
    """The first value of a flag that helps."""
    for value in values:
        change = trouble.with_change({flag: value})
        if change:
            yield trouble.advice(name, f"{_set(change)}.", change)
            return


def _somehow(case: Case, flags: Flags, change: Change | None = None) -> Change | None:
    """The change with which it fits there, with another share if it takes one, else None."""
    whole = {**flags, **(change or {})}
    if case.fits(whole):
        return change or {}
    share = largest_safe_utilization(case, whole)
    return None if share is None else {**(change or {}), UTILIZATION: share}


def _set(change: Change) -> str:
    """The change as an instruction."""
    return f"Set {_listed(change, 'to')}"


def _and_set(change: Change, before: str = "and set") -> str:
    """The change as an addition to an instruction, nothing where there is none."""
    return f" {before} {_listed(change, 'at' if before == 'with' else 'to')}" if change else ""


def _listed(change: Change, to: str) -> str:
    parts = [f"{name} {to} {_value(value)}" for name, value in change.items()]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _value(value: FlagValue) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
