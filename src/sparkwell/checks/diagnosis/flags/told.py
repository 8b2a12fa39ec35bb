"""What vLLM says where it does not take its command line: argparse, and its own configuration."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile, islice

from sparkwell.checks.diagnosis.platform.said import version_of
from sparkwell.checks.logs.find import find, find_all, quoted
from sparkwell.checks.logs.parts import LogDigest, LogLine
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.errors import UsageError
from sparkwell.engines.vllm.explain import FlagFacts, facts_of
from sparkwell.engines.vllm.history import history, parse_version

_UNRECOGNIZED = re.compile(r"\berror: unrecognized arguments: (?P<arguments>\S.*)")
_VALUE = re.compile(
    r"\berror: (?P<said>argument (?P<flag>-[\w./-]{1,200}): \S.*|ambiguous option: \S.*"
    r"|the following arguments are required: \S.*)"
    r"|\bKeyError: ['\"](?P<parser>invalid (?:tool call|reasoning) parser: \S.*)"
)
_INVALID = re.compile(r"\b\d{1,3} validation errors? for (?P<config>\w*(?:Config|Args))\b")
_DETAIL = re.compile(
    r"^\s*(?P<said>(?:Value error|Input should|Assertion failed|Extra inputs)\S?.*)"
)
# Value errors that other checks know, or that are not about the command line.
_OTHERS = re.compile(
    r"derived max_model_len|User-specified max_model_len|trust_remote_code|custom code"
    r"|[Ff]ree memory|[Mm]odel architectures|KV cache is needed|does not match the quantization"
    r"|not a (?:local folder|valid model)|Invalid repository ID or local directory|huggingface"
    r"|Transformers does not recognize|Cannot find the config file for"
)
_NEAR_LINES = 8


@dataclass(frozen=True, slots=True)
class Refused:
    """A flag that the engine does not take. ``facts`` are None where no version has it."""

    name: str
    facts: FlagFacts | None


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a value. ``facts`` are those of its flag, where that is known."""

    evidence: tuple[str, ...]
    said: str
    facts: FlagFacts | None = None


def version_said(log: LogDigest, snapshot: Snapshot) -> str | None:
    """The engine's version where it is known and can be read."""
    version = version_of(log, snapshot)
    try:
        return str(parse_version(version)) if version else None
    except UsageError:
        return None


def unrecognized(log: LogDigest, snapshot: Snapshot) -> tuple[tuple[Refused, ...], LogLine | None]:
    """The flags that argparse does not know, each once, and the line that says so."""
    found = find(log, _UNRECOGNIZED)
    if found is None:
        return (), None
    version = version_said(log, snapshot) or _newest()
    names = [word.split("=", 1)[0] for word in found["arguments"].split() if word.startswith("-")]
    unique = dict.fromkeys(names or found["arguments"].split()[:1])
    return tuple(Refused(name, _facts(name, version)) for name in unique), found.line


def complaints(log: LogDigest, snapshot: Snapshot) -> Iterator[Complaint]:
    """What is wrong with the value of a flag, as argparse or the engine's configuration say."""
    version = version_said(log, snapshot) or _newest()
    if found := find(log, _VALUE):
        facts = _facts(found["flag"].split("/")[0], version) if found["flag"] else None
        yield Complaint(quoted(log, found.line), found["said"] or found["parser"], facts)
        return
    for invalid in find_all(log, _INVALID):
        if complaint := _of_field(log, invalid.line, version):
            yield complaint
            return


def _of_field(log: LogDigest, after: LogLine, version: str) -> Complaint | None:
    """What pydantic found, of which field; None where another check knows it."""
    below = dropwhile(lambda line: line.number <= after.number, log.lines)
    near = [line for line in islice(below, _NEAR_LINES) if line.process == after.process]
    for line in near:
        if found := _DETAIL.match(line.words):
            said = found["said"].split(" [type=", 1)[0]
            name = near[0].words.strip() if near[0] is not line else ""
            facts = _facts(name, version) if name else None
            words = f"{name}: {said}" if facts else said
            lines = quoted(log, after, line)
            return None if _OTHERS.search(said) else Complaint(lines, words, facts)
    return None


def _newest() -> str:
    return str(history().versions[-1])


def _facts(name: str, version: str) -> FlagFacts | None:
    try:
        return facts_of(name, version)
    except UsageError:
        return None
