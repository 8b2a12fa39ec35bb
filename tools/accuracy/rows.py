"""A measured start beside its plans, and how errors are written."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from fit_overhead import Case, cases, without
from sparkwell.core.units import GIB
from sparkwell.planner.memory import Memory
from sparkwell.planner.settings import Settings, resolve

NONE = "not known"


@dataclass(frozen=True, slots=True)
class Row:
    """One start with its plans: as the planner is, and without the start's model."""

    case: Case
    settings: Settings
    planned: Memory
    left_out: Memory

    @property
    def tokens(self) -> int:
        """Measured."""
        return self.case.start.kv_tokens

    @property
    def error(self) -> float:
        """Of the tokens, of the planner as it is."""
        return self.planned.kv_tokens / self.tokens - 1

    @property
    def left_out_error(self) -> float:
        """Of the tokens, with the model left out."""
        return self.left_out.kv_tokens / self.tokens - 1

    @property
    def weights_error(self) -> float | None:
        """Of the weights; None where they were not measured."""
        weights = self.case.start.weights_bytes
        return None if weights is None else self.planned.weights / weights - 1


def rows() -> list[Row]:
    """All starts; the fit without a model is made once for each model."""
    every = cases()
    fits = {model: without(model, every) for model in {case.start.model for case in every}}
    return [
        Row(case, settings_of(case), case.plan(), case.plan(fits[case.start.model]))
        for case in every
    ]


def settings_of(case: Case) -> Settings:
    """What the start's flags mean."""
    return resolve(case.start.flags, case.described, case.machine, case.rules)


def percent(share: float | None, digits: int = 2) -> str:
    """With its sign; what rounds to 0 has none."""
    if share is None:
        return NONE
    text = f"{100 * share:+.{digits}f}"
    return f"{text.lstrip('+-') if float(text) == 0 else text} %"


def typical(errors: Sequence[float]) -> str:
    """The median without sign."""
    return percent(median(abs(each) for each in errors)).lstrip("+")


def largest(errors: Sequence[float]) -> str:
    """The one farthest from 0, with its sign."""
    return percent(max(errors, key=abs))


FLAGS_HEAD = ("model", "utilization", "batched tokens", "sequences", "KV", "else")


def flags(row: Row) -> tuple[str, ...]:
    """What tells the start from others."""
    start, settings = row.case.start, row.settings
    asked = str(start.flags.get("kv_cache_dtype", "auto"))
    kind = f"{settings.cache_type} by auto" if settings.cache_type == "fp8" != asked else None
    return (
        start.model,
        f"{settings.utilization:.2f}",
        f"{settings.max_num_batched_tokens:,}",
        f"{settings.max_num_seqs:,}",
        kind or settings.cache_type,
        ", ".join(remarks(row)),
    )


def remarks(row: Row) -> Iterator[str]:
    """What is unusual about a start."""
    start, settings = row.case.start, row.settings
    if start.warm:
        yield "compiled code kept"
    if start.runner == "v1":
        yield "first model runner forced"
    if settings.eager:
        yield "`enforce_eager`"
    if settings.sleep_mode:
        yield "sleep mode"
    if "compilation_config" in start.flags:
        yield "7 graph sizes"


def gib(count: int) -> str:
    """Bytes with two digits."""
    return f"{count / GIB:.2f} GiB"


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    every = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in every)
