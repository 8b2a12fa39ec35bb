"""What the checks of a serving model look at: a window of readings, its flags, its plan."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.findings import Finding, Remedy


@dataclass(frozen=True, slots=True)
class Window:
    """Readings of one engine over the last minutes; None where nothing tells.

    ``samples`` were taken in ``seconds``. Shares are 0 to 1: ``busy`` of the samples in which a
    request ran, ``kv_used_mean`` and ``kv_used_max`` of the KV cache over those samples,
    ``gpu_used`` of the GPU's time over them, ``prefix_hit`` of the prompt tokens that the prefix
    cache had. ``running`` and ``waiting`` are means over the busy samples, ``running_max`` the
    largest. ``requests`` ended in the window and ``prompt_tokens`` is the mean of their prompts;
    ``ttft_p95_s`` is of the last minute. ``preemptions`` are those of the window.
    ``single_tokens_per_s`` is the decode speed of a lone request: only samples with one running.
    ``output_tokens_per_s`` is that of all together over the busy samples. ``waiting_thirds`` are
    the means of those that wait in the first, middle and last third of the busy samples.
    """

    samples: int
    seconds: float
    busy: float | None = None
    running: float | None = None
    running_max: float | None = None
    waiting: float | None = None
    kv_used_mean: float | None = None
    kv_used_max: float | None = None
    preemptions: float | None = None
    prefix_hit: float | None = None
    gpu_used: float | None = None
    requests: float | None = None
    prompt_tokens: float | None = None
    ttft_p95_s: float | None = None
    single_tokens_per_s: float | None = None
    output_tokens_per_s: float | None = None
    waiting_thirds: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Slowed:
    """What makes an engine slow by its own words: what it said, why that slows it, what to do."""

    evidence: str
    cause: str
    remedy: Remedy


@dataclass(frozen=True, slots=True)
class Planned:
    """What the plan says; None where it does not.

    ``tokens_per_s`` is that of all together at the window's concurrency, ``ttft_s`` that of a
    lone prompt of the window's mean length. ``headroom_bytes`` stay over the guard's floor, or
    unused on a GPU with memory of its own.
    """

    kv_cache_tokens: int | None = None
    max_concurrency: float | None = None
    single_tokens_per_s: float | None = None
    tokens_per_s: float | None = None
    ttft_s: float | None = None
    headroom_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class PlanChange:
    """What the plan says of the same start with one flag changed."""

    fits: bool
    planned: Planned


@dataclass(frozen=True, slots=True)
class Repeats:
    """How often prompts began, or ended, as one before did: shares of ``prompts``, 0 to 1."""

    prompts: int
    head: float
    tail: float


@dataclass(frozen=True, slots=True)
class Serving:
    """One model that serves, as the checks see it.

    ``model`` is the recipe's name, by which the limits know their exceptions. ``flags`` are those
    in force, by the engine's names with underscores. ``what_if`` has, for the names that
    ``serving_changes.changes`` gives, what the plan says of the change. ``slowed_by`` is what its
    log says that makes it slow.
    """

    model: str
    window: Window
    engine: str = "vllm"
    flags: Mapping[str, FlagValue] = field(default_factory=dict)
    planned: Planned = field(default_factory=Planned)
    what_if: Mapping[str, PlanChange] = field(default_factory=dict)
    repeats: Repeats | None = None
    slowed_by: tuple[Slowed, ...] = ()

    def number(self, flag: str) -> float | None:
        """A flag's value where it is a number; None where it is not set, or no number."""
        value = self.flags.get(flag)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class ServingCheck:
    """One check: ``id`` names the trouble, ``asks`` is the question that it answers.

    ``look`` says nothing where the window has not enough evidence, or a figure is unknown.
    """

    id: str
    asks: str
    look: Callable[[Serving], Iterable[Finding]]
