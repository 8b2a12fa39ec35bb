"""Engines' own pages of metrics, as one: each sample as it was, with a label for the model."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sparkwell.monitor.exposition_lines import (
    read_help,
    read_sample,
    read_type,
    whole_lines,
    with_model,
)

KV_NAMES = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
"""One gauge: the first is in every version from 0.10, the second was taken out with 0.12."""

_PARTS = ("_bucket", "_sum", "_count")


@dataclass(frozen=True, slots=True)
class EnginePage:
    """What one model's engine answered to GET /metrics; ``text`` None where nothing could be had.

    There is at most one page for a model.
    """

    model: str
    text: str | None

    @property
    def ok(self) -> bool:
        """Whether it answered with at least one sample of vLLM's."""
        return self.text is not None and any(map(read_sample, whole_lines(self.text)))


@dataclass(slots=True)
class _Family:
    """A metric with all its samples, of all engines."""

    type: str | None = None
    help: str | None = None
    samples: list[str] = field(default_factory=list)


_Families = dict[str, _Family]


def merged(pages: Iterable[EnginePage]) -> str:
    """All pages as one text: HELP and TYPE once for each metric, its samples together.

    What is no sample of vLLM's, and no HELP or TYPE of one, is left out. Linear in the length of
    the pages.
    """
    families: _Families = {}
    for page in pages:
        if page.text is not None:
            _Reading(families, page.model).read(whole_lines(page.text))
    return "".join(_written(families))


class _Reading:
    """One page on its way into the families."""

    def __init__(self, families: _Families, model: str) -> None:
        self._families = families
        self._model = model
        self._owners: _Families = {}  # by the sample's name
        self._labels: dict[str | None, str | None] = {}  # many samples have the same
        self._usage: dict[str, list[str]] = {}

    def read(self, lines: Iterable[str]) -> None:
        """Put the lines where they belong."""
        for line in lines:
            if line.startswith("#"):
                self._describe(line)
            elif sample := read_sample(line):
                self._add(*sample)
        self._complete()

    def _add(self, name: str, labels: str | None, value: str) -> None:
        if labels not in self._labels:
            self._labels[labels] = with_model(labels, self._model)
        if (told := self._labels[labels]) is None:
            return
        if (owner := self._owners.get(name)) is None:
            owner = self._owners[name] = self._owner(name)
        owner.samples.append(f"{name}{told} {value}\n")
        if name in KV_NAMES:
            self._usage.setdefault(name, []).append(f"{told} {value}\n")

    def _owner(self, name: str) -> _Family:
        """The metric of a sample: a histogram's parts are its own; what nobody named is by name."""
        for part in _PARTS:
            base = self._families.get(name.removesuffix(part)) if name.endswith(part) else None
            if base is not None and base.type in ("histogram", "summary"):
                return base
        return self._families.setdefault(name, _Family())

    def _describe(self, line: str) -> None:
        """HELP or TYPE; of several engines the first to say it."""
        if line.startswith("# TYPE") and (found := read_type(line)):
            family = self._families.setdefault(found[0], _Family())
            family.type = family.type or found[1]
        elif found := read_help(line):
            family = self._families.setdefault(found[0], _Family())
            family.help = family.help or found[1]

    def _complete(self) -> None:
        """The KV cache's use under both names; engines tell one, or both."""
        for told, other in (KV_NAMES, KV_NAMES[::-1]):
            if told in self._usage and other not in self._usage:
                family = self._families.setdefault(other, _Family())
                family.type = family.type or "gauge"
                family.help = family.help or f"The same as {told}; added by Sparkwell."
                family.samples += [other + rest for rest in self._usage[told]]


def _written(families: _Families) -> Iterator[str]:
    for name, family in families.items():
        if family.samples:
            if family.help is not None:
                yield f"# HELP {name} {family.help}\n"
            if family.type is not None:
                yield f"# TYPE {name} {family.type}\n"
            yield from family.samples
