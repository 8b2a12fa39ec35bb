"""``image_table.yaml``: what is known of container images of vLLM, read once."""

from functools import cache
from importlib.resources import files
from typing import Literal

from packaging.version import Version
from pydantic import BaseModel, ConfigDict, model_validator

from sparkwell.core.documents import parse_document

FILE = "image_table.yaml"
Architecture = Literal["amd64", "arm64"]


class Part(BaseModel):
    """A part of the file: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Build(Part):
    """What one tag has, or all tags of a range of versions; None is not known.

    ``sm`` are the compute capabilities that its own kernels are compiled for. ``gb10`` says
    whether it runs on a DGX Spark at all, ``fp8_tensor`` and ``fp8_block`` whether models with
    such weights do. ``measured`` means that runs of it on a DGX Spark were measured.
    """

    tag: str | None = None
    since: str | None = None
    before: str | None = None
    vllm: str | None = None
    cuda: str | None = None
    architectures: tuple[Architecture, ...] = ()
    sm: tuple[str, ...] = ()
    gb10: bool | None = None
    fp8_tensor: bool | None = None
    fp8_block: bool | None = None
    measured: bool = False
    notes: str = ""
    source: str = ""

    @model_validator(mode="after")
    def _is_named_one_way(self) -> "Build":
        if (self.tag is None) == (self.since is None and self.before is None):
            raise ValueError("set either tag, or since and before")
        return self

    def has(self, version: Version) -> bool:
        """Whether the version is in the range."""
        lowest = self.since is None or version >= Version(self.since)
        return (
            self.tag is None and lowest and (self.before is None or version < Version(self.before))
        )


class Maker(Part):
    """A repository of images, and what all of them have in common."""

    repository: str
    maker: str
    architectures: tuple[Architecture, ...]
    entrypoint: Literal["passes", "serves"]
    read_only: bool = False
    source: str
    builds: tuple[Build, ...]


class Table(Part):
    """The whole file."""

    makers: tuple[Maker, ...]


@cache
def makers() -> tuple[Maker, ...]:
    """All makers."""
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return parse_document(text, Table, FILE).makers
