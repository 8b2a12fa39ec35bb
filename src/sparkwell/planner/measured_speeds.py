"""The measured speeds of ``speeds.yaml``, and what the planner says of each row."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt

from sparkwell.catalog.described import Described
from sparkwell.catalog.recipe import Quantization
from sparkwell.catalog.shape import ModelShape
from sparkwell.catalog.weights import WeightParts, checkpoint_bytes, resident_parts
from sparkwell.core.documents import parse_document
from sparkwell.core.units import GIB
from sparkwell.hardware.machine import Machine
from sparkwell.planner.graphs import MOST
from sparkwell.planner.prompts import first_token_s
from sparkwell.planner.speed import closed_loop_tokens_per_s
from sparkwell.planner.steps import Model, decode_s

FILE = "speeds.yaml"
_FORMATS: Mapping[str, Quantization] = {
    "bf16": Quantization(method="none", weight_bits=16),
    "int4": Quantization(method="gptq", weight_bits=4, group_size=128),
    "nvfp4": Quantization(method="nvfp4", weight_bits=4, group_size=16),
}
_GGUF = Quantization(method="gguf", weight_bits=4)
# Bytes of a weight in Q4_K_M files: the embedding in Q4_K, the output head in Q6_K.
_Q4_K, _Q6_K = 144 / 256, 210 / 256


class MeasuredSpeed(BaseModel):
    """One row; the file says at its top what each field is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: str
    model: str
    weights: Literal["bf16", "int4", "nvfp4"] | None = None
    file_gib: PositiveFloat | None = None
    kv: Literal["bf16", "fp8"] = "bf16"
    quantity: Literal["decode", "output", "prefill", "first"]
    concurrency: PositiveInt = 1
    running: PositiveInt | None = None
    prompt: NonNegativeInt = 100
    output: PositiveInt = 400
    batched_tokens: PositiveInt = 8192
    graph_tokens: PositiveInt = MOST
    measured: PositiveFloat
    ttft_s: PositiveFloat | None = None
    served: bool = True
    check: bool = False
    source: str

    def described(self, recipe: Described) -> Described:
        """The recipe's model with the weights that were measured."""
        if self.file_gib is not None:
            parts = _gguf_parts(recipe.shape, round(self.file_gib * GIB))
            return replace(recipe, quantization=_GGUF, parts=parts, weights_bytes=parts.total)
        if self.weights is None:
            return recipe
        how = _FORMATS[self.weights]
        parts, size = resident_parts(recipe.shape, how), checkpoint_bytes(recipe.shape, how)
        return replace(recipe, quantization=how, parts=parts, weights_bytes=size)

    def estimate(self, recipe: Described, machine: Machine) -> float:
        """What the planner says: tokens/s, or seconds for "first". The machine is the row's."""
        model = self.served_on(recipe, machine)
        match self.quantity:
            case "decode":
                context = self.prompt + self.output // 2
                return self.concurrency / decode_s(model, context, self.concurrency)
            case "output":
                return closed_loop_tokens_per_s(
                    model,
                    concurrency=self.running or self.concurrency,
                    prompt_tokens=self.prompt,
                    output_tokens=self.output,
                    chunk_tokens=self.batched_tokens,
                )
            case "prefill":
                tokens = self.concurrency * self.prompt
                return tokens / self.first_token_s(model)
        return self.first_token_s(model)

    def served_on(self, recipe: Described, machine: Machine) -> Model:
        """The model as it was served there."""
        shape = recipe.shape
        kv = 2 * shape.num_hidden_layers * shape.key_value_size * (1 if self.kv == "fp8" else 2)
        return Model(
            self.described(recipe), machine, machine.bandwidth_bytes_per_s or 0.0, machine.gpus,
            kv, self.served, graph_tokens=self.graph_tokens,
        )  # fmt: skip

    def first_token_s(self, model: Model) -> float:
        """What the planner says of the first tokens of prompts that come together."""
        return first_token_s(model, self.prompt, self.batched_tokens, self.concurrency)


class MeasuredSpeeds(BaseModel):
    """The whole file: what each source is, and the rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: dict[str, str]
    rows: tuple[MeasuredSpeed, ...] = Field(min_length=1)


@cache
def measured_speeds() -> MeasuredSpeeds:
    """The file, read once."""
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return parse_document(text, MeasuredSpeeds, FILE)


def _gguf_parts(shape: ModelShape, file_bytes: int) -> WeightParts:
    """A Q4_K_M file by parts: what is not vocabulary is spread evenly over the matrices."""
    vocabulary = shape.vocab_size * shape.hidden_size
    embedding, head = round(vocabulary * _Q4_K), round(vocabulary * _Q6_K)
    matrices = file_bytes - embedding - head
    moe = shape.moe
    experts = shape.expert_layers * shape.expert_parameters * moe.num_experts if moe else 0
    expert_bytes = round(matrices * experts / shape.linear_parameters)
    return WeightParts(matrices - expert_bytes, expert_bytes, 0, embedding, head, 0, 0)
