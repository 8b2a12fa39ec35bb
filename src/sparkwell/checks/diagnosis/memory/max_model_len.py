"""A context was asked for that is longer than the model's own."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.memory.words import WHOLE, up_with
from sparkwell.checks.logs.find import Found, find, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_LONGER = re.compile(
    rf"User-specified max_model_len \((?P<asked>{WHOLE})\) is greater\s+than the derived "
    rf"max_model_len \(\w{{1,60}}=(?P<derived>{WHOLE})(?:\.0)?\b"
)
_REFUSED = re.compile(r"To allow overriding this maximum|Value error,|ValueError:")
_SCALED = re.compile(r"rope_(?:scaling|parameters)\W{1,6}\{[^}]{0,200}yarn", re.IGNORECASE)

ABOUT = About(
    id="max-model-len-too-large",
    title="max_model_len is longer than the model's context",
    severity=Severity.ERROR,
    symptoms=(
        ("ValueError: User-specified max_model_len (65536) is greater than the derived "
        "max_model_len (max_position_embeddings=40960 or model_max_length=None in model's "
        "config.json)."),
    ),
    cause="The model's config.json says how many positions it was made for. Beyond them its "
    "answers get worthless. VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 only turns the check off.",
    remedies=(
        Remedy("Ask for the model's own length at most.",
               "sparkwell up MODEL --set max_model_len=40960"),
        Remedy("For more, where its makers allow rope scaling (YaRN; Qwen3 to 131,072 tokens), "
               "Sparkwell sets the flags that scale it.",
               "sparkwell up MODEL --profile long-context"),
    ),
    reference="vllm/config/model.py::_get_and_verify_max_len, 0.10 to 0.33",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log that has it; where the check was turned off, a warning."""
    for log in logs(snapshot):
        if found := find(log, _LONGER):
            said = ABOUT.finding(*quoted(log, found.line), about=name_of(log), model=log.model)
            first = _shorter(log, found)
            yield from _judged(log, found, replace(said, remedies=(first, *said.remedies[1:])))


def _judged(log: LogDigest, found: Found, said: Finding) -> Iterator[Finding]:
    if found.line.level != "warning" and _REFUSED.search(found.line.text):
        yield said
    elif not find(log, _SCALED):  # with rope scaling, more is what was meant
        title = "The model serves more context than it was made for"
        yield replace(said, severity=Severity.WARNING, title=title)


def _shorter(log: LogDigest, found: Found) -> Remedy:
    derived = int(found["derived"])
    return up_with(
        log,
        f"Ask for {derived:,} tokens at most, the model's own length, not {int(found['asked']):,}.",
        f"max_model_len={derived}",
    )


CHECK = Check(ABOUT.id, "Is the context no longer than the model's own?", look, ABOUT)
