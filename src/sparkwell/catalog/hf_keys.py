"""The keys of a config.json that count here, with their types and limits."""

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

# Far above what exists, and small enough that no product of a few of them is absurd.
Size = Annotated[int, Field(strict=True, gt=0, le=2**27)]
Few = Annotated[int, Field(strict=True, gt=0, le=10_000)]
Number = Annotated[int, Field(strict=True, ge=0, le=2**27)]


class ConfigKeys(BaseModel):
    """A config.json of any decoder; sizes are counts, windows are tokens."""

    model_config = ConfigDict(extra="ignore")

    architectures: list[str] | None = None
    hidden_size: Size
    intermediate_size: Size
    num_hidden_layers: Few
    num_attention_heads: Few
    num_key_value_heads: Few | None = None
    head_dim: Few | None = None
    vocab_size: Size
    max_position_embeddings: Size
    tie_word_embeddings: Annotated[bool, Field(strict=True)] | None = None
    attention_bias: Annotated[bool, Field(strict=True)] | None = None
    mlp_bias: Annotated[bool, Field(strict=True)] | None = None
    use_qk_norm: Annotated[bool, Field(strict=True)] | None = None
    dtype: str | None = None
    torch_dtype: str | None = None
    sliding_window: Number | None = None
    sliding_window_pattern: Few | None = Field(
        default=None,
        validation_alias=AliasChoices("sliding_window_pattern", "_sliding_window_pattern"),
    )
    use_sliding_window: Annotated[bool, Field(strict=True)] | None = None
    max_window_layers: Number | None = None
    layer_types: list[Literal["full_attention", "sliding_attention"]] | None = None
    num_experts: Size | None = None
    num_local_experts: Size | None = None
    n_routed_experts: Size | None = None
    num_experts_per_tok: Size | None = None
    moe_intermediate_size: Size | None = None
    shared_expert_intermediate_size: Number | None = None
    n_shared_experts: Number | None = None
    first_k_dense_replace: Number | None = None
    decoder_sparse_step: Few | None = None
    mlp_only_layers: list[Number] | None = None
