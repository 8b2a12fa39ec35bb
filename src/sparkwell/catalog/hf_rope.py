"""How far a model's positions reach: max_position_embeddings and the scaling of rotary positions.

The rules are vLLM's (0.25, ``_get_and_verify_max_len``): YaRN counts from the length before
scaling, linear and dynamic scaling from max_position_embeddings; llama3 and longrope are in
max_position_embeddings already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sparkwell.catalog.json_document import shortened, validated

Positive = Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)]
_INCLUDED = ("default", "llama3", "longrope", "su", "mrope")
_DEFAULT_THETA = 10_000.0


@dataclass(frozen=True, slots=True)
class Contexts:
    """Lengths in tokens: what it was trained for, what scaling allows, the engine's table."""

    native: int
    extended: int | None
    table: int
    theta: float
    notes: tuple[str, ...] = ()


class _Rope(BaseModel):
    model_config = ConfigDict(extra="ignore")

    rope_type: str | None = None
    type: str | None = None
    factor: Positive | None = None
    original_max_position_embeddings: Annotated[int, Field(strict=True, gt=0, le=2**31)] | None = (
        None
    )
    rope_theta: Positive | None = None

    @property
    def kind(self) -> str:
        return self.rope_type or self.type or "default"


class _Config(BaseModel):
    model_config = ConfigDict(extra="ignore")

    rope_theta: Positive | None = None
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None


def read_contexts(config: Mapping[str, Any], longest: int, model_type: str, where: str) -> Contexts:
    """The lengths that a config.json states; ``longest`` is its max_position_embeddings.

    Raises DocumentError for scaling that is no scaling.
    """
    given = validated(config, _Config, where)
    rope = _rope(given, where)
    theta = given.rope_theta or rope.rope_theta or _DEFAULT_THETA
    if rope.kind == "yarn" and rope.factor:
        return _yarn(rope, rope.factor, longest, theta)
    if rope.kind in ("linear", "dynamic") and rope.factor and "gemma3" not in model_type:
        reach = int(longest * rope.factor)
        return Contexts(longest, reach if reach > longest else None, max(reach, longest), theta)
    known = rope.kind in (*_INCLUDED, "linear", "dynamic", "yarn")
    note = f"Rope scaling of the kind {shortened(rope.kind)} is not known and not counted."
    return Contexts(longest, None, longest, theta, () if known else (note,))


def _rope(given: _Config, where: str) -> _Rope:
    """The one set of parameters, or that of the layers that see everything (Gemma 3)."""
    found = given.rope_scaling or given.rope_parameters or {}
    inner = found.get("full_attention")
    return validated(inner if isinstance(inner, dict) else found, _Rope, f"{where}: rope scaling")


def _yarn(rope: _Rope, factor: float, longest: int, theta: float) -> Contexts:
    """YaRN that a user added keeps the short max_position_embeddings; the maker's own has the long.

    In the second case (gpt-oss: 4,096 x 32 = 131,072) the model was trained with it.
    """
    before = rope.original_max_position_embeddings or longest
    reach = int(before * factor)
    if reach <= longest:
        return Contexts(longest, None, longest, theta)
    return Contexts(min(before, longest), reach, reach, theta)
