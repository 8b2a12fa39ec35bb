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
    weights_kind,
)
from sparkwell.planner.exchange import exchange_s
from sparkwell.planner.graphs import MOST
from sparkwell.planner.layers import launches_s, layers_s
from sparkwell.planner.pace import AS_MODELLED, Pace
from sparkwell.planner.traffic import (
    Arithmetic,
    Work,
    arithmetic,
    decode_work,
)

Bound = Literal["bandwidth", "compute"]


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
    by what was measured on this machine; limits stay what they are. A step of at most
    ``graph_tokens`` runs as a CUDA graph.
    """

    described: Described
    machine: Machine
    bandwidth: float
    devices: int
    kv_bytes_per_token: float
    served: bool = True
    pace: Pace = AS_MODELLED
    graph_tokens: int = MOST

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
    def layers_s(self) -> float:
        """Fixed seconds that all layers take in one step."""
        return layers_s(self.family, self.described)

    @property
    def launches_s(self) -> float:
        """Seconds to start the kernels of one step that no CUDA graph has."""
        return launches_s(self.family, self.described)

    @property
    def matrices(self) -> float:
        """The share of the peak that arithmetic with the weights reaches."""
        mixed = self.described.shape.moe is not None
        return self.shares.matrices * (self.family.experts.matrices if mixed else 1.0)

    def exchange_s(self, tokens: int, steps: int = 1) -> float:
        """Seconds that the devices spend on exchange."""
        return exchange_s(self.described.shape, self.machine, self.devices, tokens, steps)


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
    fixed_s = model.layers_s + family.step_s + server.step_s + sequences * family.sequence_s
    engine_s = matrices_s(model, work) + kv_s + fixed_s + model.exchange_s(sequences)
    return model.pace.step_at(sequences) * max(engine_s, sequences * server.token_s)


def matrices_s(model: Model, work: Work) -> float:
    """Reading the weights and computing with them overlap: the longer of both."""
    memory_s = work.weights_bytes / (model.bandwidth * model.devices * model.shares.weights)
    return max(memory_s, _compute_s(model, work, model.matrices, model.family.attention))


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
