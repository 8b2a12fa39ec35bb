"""What an engine's budget loses beside weights and KV cache: a model of vLLM's trial run.

vLLM runs the model once with ``max_num_batched_tokens`` tokens and one row of logits for each of
``max_num_seqs``, and takes the peak out of the budget, with what CUDA and Triton load and, for
some versions and models, an estimate of the CUDA graphs. The terms follow the tensors that are
alive at the peak; their counts were read off starts of vLLM 0.25.0 (docs/accuracy.md).
"""

from dataclasses import dataclass, fields

from sparkwell.catalog.described import Described
from sparkwell.core.units import GIB
from sparkwell.planner.engine_rules import EngineRules, Runner
from sparkwell.planner.settings import Settings

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Coefficients:
    """The numbers of the model, from the starts in planner/starts.yaml (tools/fit_overhead.py).

    Bytes for one token and one element of a width, where nothing else is said:
    ``hidden`` of the hidden size (residual and input, 2 bytes each), ``gate_up_act`` of the
    intermediate size (gate, up and product), ``quantized_act`` beside it where the product is
    quantized with one scale a tensor, ``qkv`` of all heads. ``first_*``: the first run after
    compiling holds a second copy of the embedding. ``moe_*`` belong to experts. ``logits_v1``
    and ``logits_v2`` are bytes for one logit, ``marlin_weight`` what repacking for the Marlin
    kernels adds to a weight, ``graph_mib`` MiB for one layer and batch size. The others are bytes.
    """

    hidden: float = 4.0
    gate_up_act: float = 6.0
    quantized_act: float = 1.0
    qkv: float = 2.0
    first_embedding: float = 2.0
    first_hidden: float = 4.0
    first_hidden_quantized: float = 5.0
    kept_hidden: float = 1.0
    kept_hidden_quantized: float = 3.0
    eager_hidden: float = 4.0
    moe_workspace: float = 2.0
    moe_gathered: float = 2.0
    moe_hidden: float = 5.5
    logits_v1: float = 14.0
    logits_v2: float = 6.0
    workspace_bytes: int = 32 * MIB
    sampler_v1_bytes: int = 78 * MIB
    kernels_v1_bytes: int = 248 * MIB
    kernels_v2_bytes: int = 230 * MIB
    full_graph_splits: int = 128
    graph_mib: float = 0.19
    state_bytes_per_logit: float = 4.25
    marlin_weight: float = 0.0118
    dummy_scratch: float = 4.0
    host_bytes: int = round(2.2 * GIB)
    page_cache_share: float = 0.126
    cpu_host_bytes: int = round(1.4 * GIB)


DEFAULT = Coefficients()


@dataclass(frozen=True, slots=True)
class Overhead:
    """Bytes on one device that leave the budget, by cause.

    ``activations`` is the peak of the trial run, ``kernels`` what is loaded outside of PyTorch,
    ``graphs`` the engine's estimate of CUDA graphs, ``state`` buffers that stay (versions that
    count them), ``host`` the engine's processes on unified memory, ``page_cache`` file pages
    that such a machine's older engines take for used memory. ``sleep`` is negative: what sleep
    mode hides.
    """

    activations: int
    kernels: int
    graphs: int = 0
    state: int = 0
    host: int = 0
    page_cache: int = 0
    sleep: int = 0

    @property
    def total(self) -> int:
        """All terms, in bytes."""
        return sum(getattr(self, field.name) for field in fields(self))

    @property
    def held(self) -> int:
        """What of it memory really loses: page cache is given back, hidden memory is not free."""
        return self.total - self.page_cache - self.sleep


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial run: the model, the settings, and how the engine goes about it.

    ``warm`` says that the compiled code was kept from an earlier start; the first run then does
    without a second copy of the embedding.
    """

    described: Described
    settings: Settings
    rules: EngineRules
    warm: bool = False
    coefficients: Coefficients = DEFAULT

    @property
    def runner(self) -> Runner:
        """Which of vLLM's two model runners the model gets."""
        return self.rules.runner(
            self.described.shape.hf_class, moe=self._moe, quantized=self._quantized
        )

    @property
    def counts_graphs(self) -> bool:
        """Whether an estimate of the CUDA graphs leaves the budget."""
        counted = self.rules.graphs_leave_budget(
            self.described.shape.hf_class, moe=self._moe, quantized=self._quantized
        )
        return counted and not self.settings.eager

    @property
    def compiles_anew(self) -> bool:
        """Whether the first run follows a compilation that holds more than a later one."""
        kept = self.warm or not self.rules.fuses_quantization
        return not (kept or self.settings.eager)

    @property
    def one_scale(self) -> bool:
        """Whether activations are quantized with one scale a tensor (ModelOpt, static FP8)."""
        how = self.described.quantization
        return how.weight_bits == 8 and how.block is None and how.method in ("fp8", "modelopt")

    @property
    def _moe(self) -> bool:
        return self.described.shape.moe is not None

    @property
    def _quantized(self) -> bool:
        return self.described.quantization.method != "none"


def activation_peak(trial: Trial) -> int:
    """The trial run's peak in bytes: its largest moment, beside what experts keep all along."""
    first = _first_run(trial) if trial.compiles_anew else 0
    return round(_moe_workspace(trial) + max(first, _layer(trial), _sampler(trial)))


def graph_estimate(trial: Trial) -> int:
    """The engine's estimate of its CUDA graphs, in bytes: the largest, then each of the others.

    The largest holds attention's partial results, 32 splits of 4 bytes a query element. The
    engine itself extrapolates from two graphs, read in steps of 2 MiB.
    """
    c, s, shape = trial.coefficients, trial.settings, trial.described.shape
    sizes = trial.rules.graph_sizes(s.max_num_seqs, s.max_num_batched_tokens)
    full = [size for size in sizes if size <= s.max_num_seqs]
    if not full:
        return 0
    largest = c.full_graph_splits * shape.query_size * full[-1] // s.tensor_parallel + 2 * MIB
    others = (len(sizes) - 1) * c.graph_mib * shape.num_hidden_layers * MIB
    return round(largest + others)


def sampler_state(trial: Trial) -> int:
    """Bytes of the second runner's counters of used tokens, for each sequence and logit."""
    if trial.runner == "v1":
        return 0
    s, shape = trial.settings, trial.described.shape
    return round(trial.coefficients.state_bytes_per_logit * s.max_num_seqs * shape.vocab_size)


def dummy_scratch(trial: Trial) -> int:
    """Bytes that sleep mode hides after a start with dummy weights: the largest tensor in FP32.

    With weights from files it is not known and counts as nothing, which is the safe side.
    """
    if not (trial.settings.sleep_mode and trial.settings.dummy_weights):
        return 0
    if not trial.rules.sleep_gains_kv:
        return 0
    shape = trial.described.shape
    return round(trial.coefficients.dummy_scratch * shape.vocab_size * shape.hidden_size)


def _tokens(trial: Trial) -> int:
    return trial.settings.max_num_batched_tokens


def _first_run(trial: Trial) -> float:
    """The first run after compiling; a mixture of experts showed no second embedding."""
    c, shape = trial.coefficients, trial.described.shape
    if shape.moe:
        return 0
    per_hidden = c.first_hidden_quantized if trial.one_scale else c.first_hidden
    copy = c.first_embedding * shape.vocab_size / trial.settings.tensor_parallel
    return (copy + per_hidden * _tokens(trial)) * shape.hidden_size


def _layer(trial: Trial) -> float:
    """The layer's widest point: gate, up and their product beside the residual.

    For experts also the workspace of cuBLAS, which multiplies with the router.
    """
    c, shape, shared = trial.coefficients, trial.described.shape, trial.settings.tensor_parallel
    hidden = _hidden_copies(trial) * shape.hidden_size
    if shape.moe:
        gathered = c.moe_gathered * shape.moe.num_experts_per_tok * shape.hidden_size
        each = gathered + c.moe_hidden * shape.hidden_size
        return _tokens(trial) * each + c.workspace_bytes
    width = shape.intermediate_size / shared
    if trial.one_scale:
        beside = c.quantized_act if trial.rules.fuses_quantization else 0
        return _tokens(trial) * (hidden + (c.gate_up_act + beside) * width)
    heads = c.qkv * (shape.query_size + 2 * shape.key_value_size) / shared
    return _tokens(trial) * (hidden + c.gate_up_act * width + heads)


def _hidden_copies(trial: Trial) -> float:
    """Bytes for one element of the hidden size; what was compiled before frees earlier."""
    c = trial.coefficients
    if trial.settings.eager:
        return c.hidden + c.eager_hidden
    kept = c.kept_hidden_quantized if trial.one_scale else c.kept_hidden
    return c.hidden if trial.compiles_anew else c.hidden - kept


def _sampler(trial: Trial) -> float:
    c, s, shape = trial.coefficients, trial.settings, trial.described.shape
    first = trial.runner == "v1"
    per_logit = c.logits_v1 if first else c.logits_v2
    states = 2 * (_tokens(trial) + s.rows) * shape.hidden_size
    fixed = c.workspace_bytes + (c.sampler_v1_bytes if first else 0)
    return per_logit * s.rows * shape.vocab_size + states + fixed


def _moe_workspace(trial: Trial) -> float:
    """Two buffers for the tokens of all chosen experts; kept from the first run on."""
    c, shape = trial.coefficients, trial.described.shape
    if shape.moe is None:
        return 0
    widths = max(shape.moe.moe_intermediate_size, shape.hidden_size)
    pair = max(2 * shape.moe.moe_intermediate_size, shape.hidden_size)
    return c.moe_workspace * _tokens(trial) * shape.moe.num_experts_per_tok * (widths + pair)
