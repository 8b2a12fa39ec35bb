"""Seconds of one step: the least that the hardware allows, and what an engine will take."""

from dataclasses import dataclass
from typing import Literal

from sparkwell.catalog.described import Described
from sparkwell.hardware.machine import Machine
from sparkwell.planner.efficiency import (
    OFFLINE,
    Family,
    Server,
    Shares,
    family_of,
    layer_s,
    weights_kind,
)
from sparkwell.planner.pace import AS_MODELLED, Pace
from sparkwell.planner.traffic import (
    Arithmetic,
    Work,
    arithmetic,
    decode_work,
    prefill_chunks,
    prefill_work,
)

Bound = Literal["bandwidth", "compute"]

# Seconds of an all-reduce before its bytes count. Between two Sparks NCCL over RoCE took 19 µs
# (github.com/flash7777/vllm-marlin-sm12x); of two published pairs one was slower than that allows
# (17 tokens/s of a 235B, conselara.dev) and one far slower (al-engr.com). Within a node: assumed.
_BETWEEN_NODES_S = 50e-6
_WITHIN_NODE_S = 10e-6


@dataclass(frozen=True, slots=True)
class Limit:
    """The least seconds that a step can take, and what binds it."""

    seconds: float
    bound: Bound


@dataclass(frozen=True, slots=True)
class Model:
    """A model on ``devices`` of a machine, by tensor parallelism where there are several.

    ``bandwidth`` is that of one device in bytes/s; ``kv_bytes_per_token`` counts all layers.
    ``served`` is False for an engine that is called directly, without HTTP. ``pace`` corrects times
    by what was measured on this machine; limits stay what they are.
    """

    described: Described
    machine: Machine
    bandwidth: float
    devices: int
    kv_bytes_per_token: float
    served: bool = True
    pace: Pace = AS_MODELLED

    @property
    def family(self) -> Family:
        """The kernels that run."""
        return family_of(self.machine)

    @property
    def server(self) -> Server:
        """What answering over HTTP adds."""
        return self.family.server if self.served else OFFLINE

    @property
    def shares(self) -> Shares:
        """What they reach for weights of this width."""
        return self.family.shares[weights_kind(self.described)]

    @property
    def layer_s(self) -> float:
        """Fixed seconds that all layers take in one step."""
        one = layer_s(self.family, weights_kind(self.described))
        return self.described.shape.num_hidden_layers * one


def limit(model: Model, work: Work) -> Limit:
    """The roofline: all bytes at full bandwidth, or all operations at full rate."""
    memory_s = (work.weights_bytes + work.kv_bytes) / (model.bandwidth * model.devices)
    compute_s = _compute_s(model, work, matrices=1.0, attention=1.0)
    if compute_s > memory_s:
        return Limit(compute_s, "compute")
    return Limit(memory_s, "bandwidth")


def decode_limit(model: Model, context: int, sequences: int) -> Limit:
    """The roofline of one decode step."""
    return limit(model, decode_work(model.described, model.kv_bytes_per_token, context, sequences))


def decode_s(model: Model, context: int, sequences: int) -> float:
    """Seconds of one decode step, which makes a token for each of its sequences."""
    work = decode_work(model.described, model.kv_bytes_per_token, context, sequences)
    family, server = model.family, model.server
    kv_s = work.kv_bytes / (model.bandwidth * model.devices * family.kv)
    fixed_s = model.layer_s + family.step_s + server.step_s + sequences * family.sequence_s
    engine_s = _matrices_s(model, work) + kv_s + fixed_s + exchange_s(model, sequences)
    return model.pace.step_at(sequences) * max(engine_s, sequences * server.token_s)


def prefill_s(model: Model, prompt_tokens: int, chunk_tokens: int, prompts: int = 1) -> float:
    """Seconds to prefill ``prompts`` of that length, chunks of all of them filling the steps."""
    total = prompts * prompt_tokens
    chunks = prefill_chunks(total, chunk_tokens)
    work = _prompts_work(model, prompt_tokens, chunk_tokens, prompts)
    fixed_s = chunks * (model.layer_s + model.family.step_s)
    own_s = _matrices_s(model, work) + fixed_s + exchange_s(model, total, chunks)
    return model.pace.first * own_s


def prefill_limit(model: Model, prompt_tokens: int, chunk_tokens: int, prompts: int = 1) -> Limit:
    """The roofline of the same."""
    return limit(model, _prompts_work(model, prompt_tokens, chunk_tokens, prompts))


def _prompts_work(model: Model, prompt_tokens: int, chunk_tokens: int, prompts: int) -> Work:
    one = prefill_work(model.described, prompt_tokens, chunk_tokens)
    each = prefill_work(model.described, prompts * prompt_tokens, chunk_tokens).weights_bytes
    return Work(each, 0.0, prompts * one.matrix_flops, prompts * one.other_flops)


def first_token_s(model: Model, prompt_tokens: int, chunk_tokens: int, prompts: int = 1) -> float:
    """Seconds to the first tokens of prompts that come together to an idle engine."""
    own_s = model.pace.first * (model.family.first_s + model.server.first_s)
    return prefill_s(model, prompt_tokens, chunk_tokens, prompts) + own_s + model.pace.late_s


def exchange_s(model: Model, tokens: int, steps: int = 1) -> float:
    """Seconds that tensor parallelism spends on exchange: two all-reduces in each layer.

    Each carries the hidden state of every token, 16 bits wide, in a ring. Without a known
    interconnect only the latency counts.
    """
    shape, devices, machine = model.described.shape, model.devices, model.machine
    if devices == 1:
        return 0.0
    latency_s = _BETWEEN_NODES_S if machine.nodes > 1 else _WITHIN_NODE_S
    sent_bytes = 2 * (devices - 1) / devices * tokens * shape.hidden_size * 2
    speed = machine.interconnect_bytes_per_s
    transfer_s = sent_bytes / speed if speed else 0.0
    return 2 * shape.num_hidden_layers * (steps * latency_s + transfer_s)


def _matrices_s(model: Model, work: Work) -> float:
    """Reading the weights and computing with them overlap: the longer of both."""
    shares, family = model.shares, model.family
    memory_s = work.weights_bytes / (model.bandwidth * model.devices * shares.weights)
    return max(memory_s, _compute_s(model, work, shares.matrices, family.attention))


def _compute_s(model: Model, work: Work, matrices: float, attention: float) -> float:
    """Seconds of arithmetic at these shares of the peak; 0 where the peak is unknown."""
    flops = model.machine.dense_flops
    wide = flops.get("bf16")
    fast = flops.get(_available(arithmetic(model.described.quantization), model.machine))
    if wide is None or fast is None:
        return 0.0
    seconds = work.matrix_flops / (fast * matrices) + work.other_flops / (wide * attention)
    return seconds / model.devices


def _available(wanted: Arithmetic, machine: Machine) -> Arithmetic:
    """The format, or 16 bits where the machine does not have it."""
    return wanted if wanted in machine.dense_flops else "bf16"
