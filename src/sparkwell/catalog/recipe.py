"""A recipe: what a model is, where it comes from, how it is served, and what it is good for."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, StringConstraints, model_validator

from sparkwell.catalog.shape import ModelShape

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
RepoId = Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$", max_length=128)]
# Both become parts of a path: none of their steps may lead upwards.
Revision = Annotated[str, StringConstraints(pattern=r"^[\w-]+(\.[\w-]+)*$", max_length=128)]
Folder = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*$")]
Sentence = Annotated[str, StringConstraints(min_length=3, strip_whitespace=True)]
FlagValue = bool | int | float | str
Method = Literal[
    "none",
    "fp8",
    "modelopt",
    "awq",
    "gptq",
    "compressed-tensors",
    "nvfp4",
    "mxfp4",
    "bitsandbytes",
    "gguf",
]


class Part(BaseModel):
    """A part of a recipe: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Licence(Part):
    """Under which terms the weights come, and whether the Hub asks for an agreement first."""

    name: Sentence
    url: str | None = None
    gated: bool = False


class Quantization(Part):
    """How the checkpoint stores its weights.

    ``unquantized`` names the tensors that stay in ``dtype``; ``block`` is the shape of a block
    that shares a scale, ``group_size`` how many inputs of one output share one, ``per_channel``
    says that an output has one; with none of them a tensor has one. ``kv_cache_dtype`` is what
    the checkpoint declares for its KV cache; None where it declares nothing.
    """

    method: Method
    dtype: Literal["bfloat16", "float16"] = "bfloat16"
    weight_bits: Literal[1, 2, 3, 4, 5, 6, 8, 16, 32]
    activation: Literal["dynamic", "static"] | None = None
    block: tuple[PositiveInt, PositiveInt] | None = None
    group_size: PositiveInt | None = None
    per_channel: bool = False
    kv_cache_dtype: Literal["fp8"] | None = None
    unquantized: tuple[str, ...] = ()
    notes: Sentence | None = None


class Serve(Part):
    """How the model is served: the engine, where it runs, and the flags it starts with.

    ``flags`` use vLLM's own names, with underscores. ``image`` is the container image for a
    DGX Spark; ``environment`` names the engine environment that can serve it without one.
    """

    engine: Literal["vllm"] = "vllm"
    environment: Literal["vllm", "vllm-cpu"] = "vllm"
    image: str | None = None
    flags: dict[Name, FlagValue] = Field(default_factory=dict)
    env: dict[str, str] = Field(default_factory=dict)


class Guide(Part):
    """What the hand-written guide for a DGX Spark does with this model, as facts.

    ``flags`` is the guide's command line, value for value, right or wrong.
    """

    document: str
    service: Name
    compose_profile: Name | None = None
    image: str
    flags: dict[Name, FlagValue]


class Source(Part):
    """Where a figure or a statement of the recipe comes from."""

    what: Sentence
    where: Sentence


class Recipe(Part):
    """One model that Sparkwell can serve. Exactly one of ``repo`` and ``bundled`` is set.

    ``weights_bytes`` is the sum of the checkpoint's tensors in bytes, file headers not counted.
    ``bundled`` is a folder of this package.
    """

    name: Name
    title: Sentence
    summary: Sentence
    repo: RepoId | None = None
    revision: Revision | None = None
    bundled: Folder | None = None
    licence: Licence
    architecture: ModelShape
    quantization: Quantization
    weights_bytes: PositiveInt
    serve: Serve
    guide: Guide | None = None
    use_for: tuple[Sentence, ...] = Field(min_length=1)
    not_for: tuple[Sentence, ...] = Field(min_length=1)
    sources: tuple[Source, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> "Recipe":
        if (self.repo is None) == (self.bundled is None):
            raise ValueError("set exactly one of repo (ORG/NAME on the Hub) and bundled")
        return self

    @property
    def aliases(self) -> tuple[str, ...]:
        """All names that a client may call the model by, the recipe's own name first."""
        return (self.name, self.repo) if self.repo else (self.name,)
