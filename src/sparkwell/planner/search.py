"""Candidates for a profile: flags, with the memory and the speed that follow from them."""

from dataclasses import dataclass

from sparkwell.catalog.recipe import FlagValue
from sparkwell.planner.fit import (
    UTILIZATION,
    Case,
    Flags,
    fits,
    matching_utilization,
    safe_utilization,
)
from sparkwell.planner.ladders import (
    ANSWER_TOKENS,
    FEWEST,
    SEQUENCES,
    TYPICAL_TOKENS,
    holds,
    largest,
    sequences_for,
)
from sparkwell.planner.memory import Memory
from sparkwell.planner.settings import Settings
from sparkwell.planner.speed import (
    Speed,
    closed_loop_tokens_per_s,
    estimate_speed,
    fitting,
    served_model,
)
from sparkwell.planner.steps import Model
from sparkwell.planner.yarn import scaled_limit, scales_rope, scaling_for

# A prompt that is read in several steps: what a larger step saves shows in its time.
LONG_PROMPT = 8192
# A KV cache beyond this multiple of all that requests can fill only keeps old prefixes.
_MOST_USED = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """One set of flags and what it gives."""

    flags: dict[str, FlagValue]
    settings: Settings
    memory: Memory

    @property
    def fits(self) -> bool:
        """Whether it fits: a full sequence, the start-up check, the headroom."""
        return fits(self.memory)

    @property
    def wide_cache(self) -> bool:
        """Whether keys and values have 16 bits."""
        return self.settings.cache_type == "bf16"

    @property
    def usable_bytes(self) -> int:
        """The KV cache that requests can make use of: many times what all of them can fill."""
        tokens = self.settings.max_num_seqs * self.settings.max_model_len
        return _MOST_USED * tokens * self.memory.kv_per_token

    def holds(self, context: int, sequences: float) -> bool:
        """Whether its KV cache has room for so many sequences of ``context`` tokens."""
        return holds(self.memory.kv_tokens, context, sequences)


@dataclass(frozen=True, slots=True)
class Search:
    """What candidates have in common.

    ``base`` are the recipe's own flags that no profile computes, ``overrides`` the user's, which
    win over everything. ``ceiling`` is the highest share of the memory to try. ``scale`` allows
    contexts that need rope scaling.
    """

    case: Case
    base: Flags
    overrides: Flags
    ceiling: float
    scale: bool = False

    @property
    def longest(self) -> int:
        """The context to aim at, in tokens: the model's own, or with scaling what its makers allow.

        Flags that say something of the positions already are left as they are.
        """
        shape = self.case.described.shape
        reach = scaled_limit(shape)
        scaling = scaling_for(shape, self.case.rules, reach) if self.scale else None
        free = scaling is not None and scaling.flag not in {**self.base, **self.overrides}
        return reach if free else shape.native_context

    def at(self, tokens: int, sequences: int, context: int, cache: str) -> Candidate:
        """The candidate with these values, as far as the user leaves them open."""
        steps = self.overrides.get("max_num_batched_tokens", tokens)
        sequences = min(sequences, steps) if isinstance(steps, int) else sequences
        flags: dict[str, FlagValue] = {
            "max_model_len": context,
            "max_num_batched_tokens": tokens,
            "max_num_seqs": sequences,
            "kv_cache_dtype": cache,
            "enable_prefix_caching": True,
        }
        flags = {UTILIZATION: self.ceiling, **flags, **self.base, **self.overrides}
        return self._with_share(self._scaled(flags))

    def context(self, computed: int) -> int:
        """The user's max_model_len, else what was computed."""
        given = self.overrides.get("max_model_len")
        return given if isinstance(given, int) and given > 0 else computed

    def filled(self, tokens: int, cache: str, context: int, each: int, most: int) -> Candidate:
        """The candidate with the most sequences, up to ``most``, of which the cache holds ``each``.

        More sequences take some of the cache themselves, so the first guess may be too many.
        """
        candidate = self.at(tokens, FEWEST, context, cache)
        guess = sequences_for(candidate.memory.kv_tokens, each, most)
        while guess > FEWEST:
            candidate = self.at(tokens, guess, context, cache)
            if candidate.holds(each, guess) or "max_num_seqs" in self.overrides:
                return candidate
            guess = largest(SEQUENCES, guess - 1)
        return self.at(tokens, FEWEST, context, cache)

    def speed(self, candidate: Candidate, context: int, prompt: int) -> Speed | None:
        """The speed of a candidate; None where the machine's bandwidth is unknown."""
        model, settings = self._model(candidate), candidate.settings
        if model is None:
            return None
        longest = settings.max_model_len
        return estimate_speed(
            model,
            kv_cache_tokens=candidate.memory.kv_tokens,
            context=min(context, longest),
            prompt_tokens=min(prompt, longest),
            max_num_seqs=settings.max_num_seqs,
            max_num_batched_tokens=settings.max_num_batched_tokens,
        )

    def together(self, candidate: Candidate) -> float | None:
        """Tokens a second of all requests at full load, their prompts read in between.

        None where the machine's bandwidth is unknown.
        """
        model, settings = self._model(candidate), candidate.settings
        if model is None:
            return None
        length = min(TYPICAL_TOKENS, settings.max_model_len)
        answer = max(1, length * ANSWER_TOKENS // TYPICAL_TOKENS)
        return closed_loop_tokens_per_s(
            model,
            concurrency=max(1, fitting(settings.max_num_seqs, candidate.memory.kv_tokens, length)),
            prompt_tokens=max(1, length - answer),
            output_tokens=answer,
            chunk_tokens=settings.max_num_batched_tokens,
        )

    def _model(self, candidate: Candidate) -> Model | None:
        case = self.case
        return served_model(case.described, case.machine, candidate.flags, candidate.settings)

    def finished(self, candidate: Candidate) -> Candidate:
        """A smaller share where no requests can fill the KV cache, as with tiny models."""
        settings, memory = candidate.settings, candidate.memory
        given = settings.kv_cache_memory_bytes is not None or UTILIZATION in self.overrides
        idle = (memory.kv_cache - candidate.usable_bytes) * 100 // memory.total
        if given or idle < 1:
            return candidate
        share = round(settings.utilization - idle / 100, 2)
        flags = {**candidate.flags, UTILIZATION: share}
        return Candidate(flags, *self.case.plan(flags))

    def _with_share(self, flags: dict[str, FlagValue]) -> Candidate:
        """The candidate with a safe share, unless the user or the KV cache's bytes say which."""
        if UTILIZATION in self.overrides:
            share = flags[UTILIZATION]
        elif flags.get("kv_cache_memory_bytes") is not None:
            share = matching_utilization(self.case, flags)
        else:
            share = safe_utilization(self.case, flags, self.ceiling) or self.ceiling
        flags = {**flags, UTILIZATION: share}
        return Candidate(flags, *self.case.plan(flags))

    def _scaled(self, flags: dict[str, FlagValue]) -> dict[str, FlagValue]:
        tokens = flags["max_model_len"]
        if not self.scale or not isinstance(tokens, int) or scales_rope(flags):
            return flags
        scaling = scaling_for(self.case.described.shape, self.case.rules, tokens)
        return {scaling.flag: scaling.value, **flags} if scaling else flags
