"""Descriptions of machines in YAML: the shipped ones, and a user's own file."""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from sparkwell.core.documents import parse_document
from sparkwell.core.errors import DocumentError, UsageError
from sparkwell.hardware.machine import Device, Machine, SeenTotal, Source
from sparkwell.hardware.quantities import flops, rate, size

SHIPPED = Path(__file__).parent / "machines"
_SUFFIXES = (".yaml", ".yml")
_LONGEST_NAME = 80
_MOST_BYTES = 2**60  # an exbibyte; more is a slip of the unit


def _capability(value: object) -> object:
    """12.1 or "12.1" as (12, 1)."""
    if isinstance(value, float | str):
        return str(value).split(".")
    return value


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
Sentence = Annotated[str, StringConstraints(min_length=3, strip_whitespace=True)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})*$")]
Bytes = Annotated[int, BeforeValidator(size), Field(gt=0, le=_MOST_BYTES)]
FloorBytes = Annotated[int, BeforeValidator(size), Field(ge=0, le=_MOST_BYTES)]
Rate = Annotated[float, BeforeValidator(rate), Field(gt=0, allow_inf_nan=False)]
Flops = Annotated[float, BeforeValidator(flops), Field(gt=0, allow_inf_nan=False)]
Part = Annotated[int, Field(ge=0, le=99)]
Capability = Annotated[tuple[Part, Part], BeforeValidator(_capability)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceDescription(_Strict):
    """Where a figure comes from."""

    what: Sentence
    where: Sentence


class SeenTotalDescription(_Strict):
    """The total that engines older than the version ``before`` see."""

    before: Version
    total_bytes: Bytes


class MachineDescription(_Strict):
    """A machine in YAML: the fields of ``Machine``, sizes as bytes or with a unit."""

    name: Name
    title: Sentence
    device: Device
    total_bytes: Bytes
    unified: bool
    bandwidth_bytes_per_s: Rate | None = None
    compute_capability: Capability | None = None
    dense_flops: dict[Literal["bf16", "fp8", "fp4"], Flops] = Field(default_factory=dict)
    gpus: PositiveInt = 1
    nodes: PositiveInt = 1
    interconnect_bytes_per_s: Rate | None = None
    system_bytes: Bytes | None = None
    floor_bytes: FloorBytes = 0
    max_utilization: float | None = Field(default=None, gt=0, le=1)
    sleep_mode_safe: bool | None = None
    seen_totals: tuple[SeenTotalDescription, ...] = ()
    notes: tuple[Sentence, ...] = ()
    sources: tuple[SourceDescription, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _adds_up(self) -> "MachineDescription":
        if self.gpus % self.nodes:
            raise ValueError(f"gpus ({self.gpus}) must be a multiple of nodes ({self.nodes})")
        if self.system_bytes is not None and not self.unified:
            raise ValueError("system_bytes is for unified memory only")
        if (self.system_bytes or 0) + self.floor_bytes >= self.total_bytes:
            raise ValueError("system_bytes and floor_bytes leave nothing of total_bytes")
        return self

    def machine(self) -> Machine:
        """The description as the value that the planner takes."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return Machine(
            **values
            | {
                "dense_flops": dict(self.dense_flops),
                "seen_totals": tuple(SeenTotal(s.before, s.total_bytes) for s in self.seen_totals),
                "sources": tuple(Source(s.what, s.where) for s in self.sources),
            }
        )


def load_machine(file: Path) -> Machine:
    """Read one description; raises DocumentError that names the file, line and field."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a NUL in the path
        raise DocumentError(
            f"{file}: this file cannot be read: {error}",
            hint="--hardware takes a YAML file, or a name of `sparkwell hardware --list`.",
        ) from None
    return parse_document(text, MachineDescription, str(file)).machine()


def machine_names() -> tuple[str, ...]:
    """Names of the shipped descriptions, in order of the alphabet."""
    return tuple(sorted(file.stem for file in SHIPPED.glob("*.yaml")))


def shipped_machines() -> Iterator[Machine]:
    """The shipped descriptions."""
    return (load_machine(SHIPPED / f"{name}.yaml") for name in machine_names())


def find_machine(name_or_file: str | Path) -> Machine:
    """The shipped machine of that name, or the one that the file describes.

    What has a slash, or ends in .yaml or .yml, is a file. Raises UsageError for an unknown name,
    with near ones, and DocumentError for a file that is not right.
    """
    text = str(name_or_file)
    if isinstance(name_or_file, Path) or "/" in text or text.lower().endswith(_SUFFIXES):
        return load_machine(Path(name_or_file))
    if text.lower() in machine_names():
        return _shipped(text.lower())
    raise _unknown(text)


@cache
def _shipped(name: str) -> Machine:
    return load_machine(SHIPPED / f"{name}.yaml")


def _unknown(name: str) -> UsageError:
    said = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
    near = get_close_matches(said.lower(), machine_names(), n=2, cutoff=0.5)
    guess = f"Did you mean {' or '.join(near)}? " if near else ""
    return UsageError(
        f"There is no machine {said!r}.",
        hint=f"{guess}There are: {', '.join(machine_names())}; "
        "or give a YAML file that describes yours.",
    )
