"""The architecture of a decoder-only transformer, and what follows from it by counting.

Field names are those of a Hugging Face config.json, so that a shape and a config can be laid
side by side.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, model_validator


class MixtureOfExperts(BaseModel):
    """The expert layers of a sparse model.

    ``dense_layers`` counts the layers that have an ordinary MLP instead of experts;
    ``shared_expert_intermediate_size`` is the width of what every token passes beside its
    experts, all shared experts of a layer together, or None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_experts: PositiveInt
    num_experts_per_tok: PositiveInt
    moe_intermediate_size: PositiveInt
    dense_layers: NonNegativeInt = 0
    shared_expert_intermediate_size: PositiveInt | None = None

    @model_validator(mode="after")
    def _chooses_among_what_is_there(self) -> "MixtureOfExperts":
        if self.num_experts_per_tok > self.num_experts:
            raise ValueError(
                f"num_experts_per_tok ({self.num_experts_per_tok}) must not exceed "
                f"num_experts ({self.num_experts})"
            )
        return self


class ModelShape(BaseModel):
    """Sizes of a decoder-only transformer with grouped-query attention and SwiGLU layers.

    Sizes are counts of elements or layers; ``max_position_embeddings`` is what config.json
    says, ``native_context`` what the model was trained for, ``extended_context`` what its
    makers allow by scaling the rotary positions; all three are tokens. ``sliding_layers`` of the
    layers keep only the last ``sliding_window`` tokens. ``attention_bias`` names the projections
    that have a bias; ``norms_per_layer`` counts those of the hidden size.
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
    sliding_window: PositiveInt | None = None
    sliding_layers: NonNegativeInt = 0
    attention_bias: Literal["qkv", "qkvo"] | None = None
    norms_per_layer: PositiveInt = 2

    @model_validator(mode="after")
    def _layers_add_up(self) -> "ModelShape":
        if self.sliding_layers > self.num_hidden_layers:
            raise ValueError(
                f"sliding_layers ({self.sliding_layers}) must not exceed "
                f"num_hidden_layers ({self.num_hidden_layers})"
            )
        if (self.sliding_window is None) != (self.sliding_layers == 0):
            raise ValueError("sliding_window and sliding_layers belong together: set both or none")
        if self.moe and self.moe.dense_layers >= self.num_hidden_layers:
            raise ValueError(
                f"moe.dense_layers ({self.moe.dense_layers}) must be fewer than "
                f"num_hidden_layers ({self.num_hidden_layers})"
            )
        return self

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
    def dense_layers(self) -> int:
        """Layers with an ordinary MLP: all of them in a model without experts."""
        return self.moe.dense_layers if self.moe else self.num_hidden_layers

    @property
    def expert_layers(self) -> int:
        """Layers with experts; none in a dense model."""
        return self.num_hidden_layers - self.dense_layers

    @property
    def dense_parameters(self) -> int:
        """Weights of the ordinary SwiGLU block of one layer."""
        return 3 * self.hidden_size * self.intermediate_size

    @property
    def shared_parameters(self) -> int:
        """Weights of what each token passes beside its experts, in one layer."""
        width = self.moe.shared_expert_intermediate_size if self.moe else None
        return 3 * self.hidden_size * (width or 0)

    @property
    def bias_parameters(self) -> int:
        """Biases of one layer's attention projections."""
        if self.attention_bias is None:
            return 0
        output = self.hidden_size if self.attention_bias == "qkvo" else 0
        return self.query_size + 2 * self.key_value_size + output

    @property
    def router_parameters(self) -> int:
        """Weights of one layer's expert router; none in a dense model."""
        return self.hidden_size * self.moe.num_experts if self.moe else 0

    @property
    def norm_parameters(self) -> int:
        """Weights of all normalizations: those of each layer, one at the end, and q/k norms."""
        heads = 2 * self.head_dim if self.qk_norm else 0
        per_layer = self.norms_per_layer * self.hidden_size + heads
        return self.num_hidden_layers * per_layer + self.hidden_size

    @property
    def embedding_parameters(self) -> int:
        """Weights of the token embedding and, when it is its own tensor, the output head."""
        return self.vocab_size * self.hidden_size * (1 if self.tie_word_embeddings else 2)

    @property
    def linear_parameters(self) -> int:
        """Weights that quantization shrinks: projections and (expert) MLPs of all layers."""
        experts = self.moe.num_experts if self.moe else 0
        sparse = experts * self.expert_parameters + self.shared_parameters
        mlps = self.dense_layers * self.dense_parameters + self.expert_layers * sparse
        return self.num_hidden_layers * self.attention_parameters + mlps

    @property
    def total_parameters(self) -> int:
        """All weights."""
        routers = self.expert_layers * self.router_parameters
        biases = self.num_hidden_layers * self.bias_parameters
        rest = routers + biases + self.norm_parameters + self.embedding_parameters
        return self.linear_parameters + rest

    @property
    def active_parameters(self) -> int:
        """Weights that one token passes: all of them but the experts that it is not sent to."""
        if self.moe is None:
            return self.total_parameters
        idle = self.moe.num_experts - self.moe.num_experts_per_tok
        return self.total_parameters - self.expert_layers * idle * self.expert_parameters
