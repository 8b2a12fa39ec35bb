"""How one version of an engine divides the memory, as facts that a planner can count with.

The engines room says which rules a version has (``sparkwell.engines.vllm.rules``); this module
says what a rule is. Everything here is for one GPU and a model of text.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from sparkwell.core.units import GIB

Runner = Literal["v1", "v2"]
V2Default = Literal["none", "listed-unquantized", "listed", "dense", "all"]

_LARGE_BYTES = 70 * GIB
_VERY_LARGE_BYTES = 160 * GIB
_SMALL = (2048, 256)


class BatchDefaults(NamedTuple):
    """What the API server uses where the flags are not set; see EngineRules.defaults_for."""

    batched_tokens: int
    sequences: int


@dataclass(frozen=True, slots=True)
class EngineRules:
    """The memory rules of one engine version.

    ``measured``: a start of this version was measured; the others are read from its source.
    ``free_memory``: what counts as free on an integrated GPU: what CUDA says ("cuda", so the page
    cache counts as used) or the system's MemAvailable ("available"). ``startup_check``: a start
    needs free >= total x utilization, also with the KV cache given in bytes. ``counts_graphs``:
    an estimate of the CUDA graphs can leave the KV budget; graphs_leave_budget says for which
    models. ``block_tokens`` is the KV block where the flag is not set.
    ``default_batched_tokens`` and ``default_sequences`` are those of a GPU of 70 GiB or more.
    ``auto_kv_follows_checkpoint``: KV dtype "auto" becomes FP8 where a ModelOpt checkpoint says
    so. ``fp8_kv_on_gb10``: an FP8 KV cache works there with no more settings (vLLM 0.10 goes back
    to its old engine). ``tokens_round``: the KV tokens that the engine reports are whole blocks, or
    int(concurrency x max_model_len). ``kv_cache_memory_bytes``: the flag exists.
    ``rope_config_key`` is the key of the scaling within ``hf_overrides``; under
    "rope_parameters" the model's rope_theta belongs into the same object.

    ``counts_resident``: all that stays in memory before the KV cache leaves the budget; older
    versions count weights, the activations' peak and what is not PyTorch's, so that the
    sampler's state and the runner's buffers come on top of total x utilization.
    ``sleep_gains_kv``: with sleep mode the loader's freed scratch is not seen as free, and the KV
    cache becomes larger by it: measured 2.3 GiB for 9 GiB of weights, not computed.

    ``fuses_quantization``: compiled code joins an activation with its quantization; the trial run
    then holds both, and after compiling a second copy of the embedding.

    ``v2_default`` says for which models the second model runner is taken: none, those in
    ``v2_architectures`` (where they are not quantized), dense ones and those, or all. Where
    ``v2_counts_graphs`` is false that runner's graph estimate is 0.
    """

    engine: str
    version: str
    measured: bool
    default_utilization: float
    free_memory: Literal["cuda", "available"]
    startup_check: bool
    counts_graphs: bool
    block_tokens: int
    default_batched_tokens: int
    default_sequences: int
    auto_kv_follows_checkpoint: bool
    fp8_kv_on_gb10: bool | None
    tokens_round: Literal["blocks", "concurrency"]
    kv_cache_memory_bytes: bool
    rope_scaling_flag: Literal["rope_scaling", "hf_overrides"]
    chunked_prefill_default: bool
    prefix_caching_default: bool
    source: str
    rope_config_key: Literal["rope_scaling", "rope_parameters"] = "rope_scaling"
    counts_resident: bool = False
    sleep_gains_kv: bool = False
    v2_default: V2Default = "none"
    v2_architectures: tuple[str, ...] = ()
    v2_counts_graphs: bool = False
    very_large_batched_tokens: int | None = None
    gb10_counts_as_small: bool = False
    graph_step_above_256: int = 8
    graphs_take_batched_tokens: bool = False
    graphs_take_sequences: bool = False
    fuses_quantization: bool = True

    def defaults_for(self, machine_is_gb10: bool, total_bytes: int) -> BatchDefaults:
        """Batched tokens and sequences of the API server on a GPU of ``total_bytes``.

        The engine lowers the sequences to the batched tokens where those are set lower. An A100
        counts as small whatever it has; its name is not asked for here.
        """
        if self.very_large_batched_tokens is not None and total_bytes >= _VERY_LARGE_BYTES:
            return BatchDefaults(self.very_large_batched_tokens, self.default_sequences)
        small = total_bytes < _LARGE_BYTES or (machine_is_gb10 and self.gb10_counts_as_small)
        if small:
            return BatchDefaults(*_SMALL)
        return BatchDefaults(self.default_batched_tokens, self.default_sequences)

    def runner(self, architecture: str, *, moe: bool, quantized: bool) -> Runner:
        """The model runner for an architecture by its name in config.json, "Qwen3ForCausalLM".

        Models that are neither dense nor mixtures of experts (Mamba, hybrids) and rare features
        (n-gram speculation, custom logits processors) can get the other one.
        """
        listed = architecture in self.v2_architectures
        chosen = {
            "none": False,
            "listed-unquantized": listed and not quantized and not moe,
            "listed": listed,
            "dense": listed or not moe,
            "all": True,
        }[self.v2_default]
        return "v2" if chosen else "v1"

    def graphs_leave_budget(self, architecture: str, *, moe: bool, quantized: bool) -> bool:
        """Whether the estimate of the CUDA graphs leaves the KV budget of such a model."""
        runner = self.runner(architecture, moe=moe, quantized=quantized)
        return self.counts_graphs and (runner == "v1" or self.v2_counts_graphs)

    def graph_sizes(self, max_num_seqs: int, batched_tokens: int | None = None) -> tuple[int, ...]:
        """The batch sizes, in tokens, that CUDA graphs are captured for, ascending.

        The largest is about min(2 x sequences, 512), and no more than the batched tokens where
        those are given. Without speculation, which multiplies the sequences.
        """
        limit = batched_tokens if batched_tokens is not None else 512
        most = min(2 * max_num_seqs, 512, limit)
        sizes = {1, 2, 4, *range(8, min(most, 255) + 1, 8)}
        sizes |= set(range(256, most + 1, self.graph_step_above_256))
        if self.graphs_take_batched_tokens and batched_tokens is not None:
            sizes.add(batched_tokens)
        if self.graphs_take_sequences:
            sizes.add(max_num_seqs)
        return tuple(sorted(size for size in sizes if size <= most))
