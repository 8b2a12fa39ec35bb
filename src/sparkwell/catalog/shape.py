"""The architecture of a decoder-only transformer, and what follows from it by counting.

Field names are those of a Hugging Face config.json, so that a shape and a config can be laid
side by side.
"""

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator


class MixtureOfExperts(BaseModel):
    """The expert layers of a sparse model; every layer has them, none is shared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_experts: PositiveInt
    num_experts_per_tok: PositiveInt
    moe_intermediate_size: PositiveInt


class ModelShape(BaseModel):
    """Sizes of a decoder-only transformer with grouped-query attention and SwiGLU layers.

    Sizes are counts of elements or layers; ``max_position_embeddings`` is what config.json
    says, ``native_context`` what the model was trained for, ``extended_context`` what its
    makers allow by scaling the rotary positions; all three are tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hf_class: str
    model_type: str
    hidden_size: PositiveInt
    intermediate_size: PositiveInt
    num_hidden_layers: PositiveInt
    num_attention_heads: PositiveInt
    num_key_value_heads: PositiveInt
    head_dim: PositiveInt
    vocab_size: PositiveInt
    max_position_embeddings: PositiveInt
    native_context: PositiveInt
    extended_context: PositiveInt | None = None
    tie_word_embeddings: bool = False
    qk_norm: bool = False
    rope_theta: float = Field(default=10_000.0, gt=0)
    moe: MixtureOfExperts | None = None

    @model_validator(mode="after")
    def _heads_divide(self) -> "ModelShape":
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads ({self.num_attention_heads}) must be a multiple of "
                f"num_key_value_heads ({self.num_key_value_heads})"
            )
        return self

    @property
    def query_size(self) -> int:
        """Width of the concatenated query heads; not always the hidden size (Mistral NeMo)."""
        return self.num_attention_heads * self.head_dim

    @property
    def key_value_size(self) -> int:
        """Width of the concatenated key heads, and of the value heads."""
        return self.num_key_value_heads * self.head_dim

    @property
    def attention_parameters(self) -> int:
        """Weights of one layer's q, k, v and o projections."""
        return 2 * self.hidden_size * (self.query_size + self.key_value_size)

    @property
    def expert_parameters(self) -> int:
        """Weights of the SwiGLU block of one layer, or of one of its experts."""
        width = self.moe.moe_intermediate_size if self.moe else self.intermediate_size
        return 3 * self.hidden_size * width

    @property
    def router_parameters(self) -> int:
        """Weights of one layer's expert router; none in a dense model."""
        return self.hidden_size * self.moe.num_experts if self.moe else 0

    @property
    def norm_parameters(self) -> int:
        """Weights of all normalizations: two a layer, one at the end, and q/k norms."""
        per_layer = 2 * self.hidden_size + (2 * self.head_dim if self.qk_norm else 0)
        return self.num_hidden_layers * per_layer + self.hidden_size

    @property
    def embedding_parameters(self) -> int:
        """Weights of the token embedding and, when it is its own tensor, the output head."""
        return self.vocab_size * self.hidden_size * (1 if self.tie_word_embeddings else 2)

    @property
    def linear_parameters(self) -> int:
        """Weights that quantization shrinks: projections and (expert) MLPs of all layers."""
        experts = self.moe.num_experts if self.moe else 1
        return self.num_hidden_layers * (
            self.attention_parameters + experts * self.expert_parameters
        )

    @property
    def total_parameters(self) -> int:
        """All weights."""
        routers = self.num_hidden_layers * self.router_parameters
        return self.linear_parameters + routers + self.norm_parameters + self.embedding_parameters

    @property
    def active_parameters(self) -> int:
        """Weights that one token passes: all of them but the experts that it is not sent to."""
        if self.moe is None:
            return self.total_parameters
        idle = self.moe.num_experts - self.moe.num_experts_per_tok
        return self.total_parameters - self.num_hidden_layers * idle * self.expert_parameters
