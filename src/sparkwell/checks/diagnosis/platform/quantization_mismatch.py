"""The engine took the weights in another format than the plan, or the checkpoint's name, says."""

import re
from collections.abc import Iterator
from dataclasses import replace

from sparkwell.checks.about import About
from sparkwell.checks.check import Check
from sparkwell.checks.diagnosis.platform.heard import Heard, hear
from sparkwell.checks.diagnosis.platform.said import checkpoint_of, quantization_of
from sparkwell.checks.logs.find import find, logs, name_of, quoted
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.run_parts import Run
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Finding, Remedy, Severity

_CONFIG = re.compile(r"Initializing a V[01] LLM engine .*\bquantization=")
_REFUSED = re.compile(
    r"Quantization method specified in the model config \((?P<config>[\w-]+)\) does not match the "
    r"quantization method specified in the `quantization` argument \((?P<given>[\w-]+)\)"
)
_NONE_THERE = re.compile(r"Cannot find the config file for (?P<given>[\w-]+)")
_IN_NAME = re.compile(r"(?<![a-z0-9])(fp8|awq|gptq|nvfp4|mxfp4)(?![a-z0-9])")
# What vLLM calls the ways that read one format. Those of _ANY hold several.
_KINDS = (
    ("16 bits", re.compile(r"^(?:none|bf16|auto)$")),
    ("fp8", re.compile(r"^(?:fp8|modelopt)$|^fp8_|_fp8$")),
    ("nvfp4", re.compile(r"nvfp4|_fp4$")),
    ("mxfp4", re.compile(r"mxfp4$")),
    ("awq", re.compile(r"^(?:auto_)?awq")),
    ("gptq", re.compile(r"^(?:auto_)?gptq")),
)
_ANY = re.compile(r"^(?:compressed_tensors|modelopt_mixed|online|quark|torchao|inc|moe_wna16)$")

ABOUT = About(
    id="quantization-mismatch",
    title="The engine took the weights in another format than was planned",
    severity=Severity.ERROR,
    symptoms=(
        "quantization=None in the engine's configuration, where the checkpoint is FP8",
        "twice the memory for weights, and half the tokens a second",
    ),
    cause="vLLM takes the format from the checkpoint's config.json. It is another one where a "
    "different folder or revision is loaded, where --quantization says something else, or where "
    "the quantization_config is missing. `fp8`, `modelopt` and `compressed-tensors` are all FP8 "
    "for the models here: a ModelOpt checkpoint shows as quantization=modelopt.",
    remedies=(
        Remedy("See what was planned, and from which repository.",
               "sparkwell plan MODEL --explain"),
        Remedy("See what the checkpoint says of itself: quantization_config in its config.json "
               "(ModelOpt: hf_quant_config.json)."),
        Remedy("Leave --quantization out: it is read from the checkpoint.", "sparkwell up MODEL"),
    ),
    reference="vllm/config/model.py::_verify_quantization, 0.10 to 0.33",
)  # fmt: skip


def look(snapshot: Snapshot) -> Iterator[Finding]:
    """One finding for each log whose engine took another format, or refused what was asked."""
    for heard in hear(snapshot, _REFUSED):
        finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
        yield _refused(finding, heard)
    for heard in hear(snapshot, _NONE_THERE):
        finding = ABOUT.finding(*heard.evidence, about=heard.about, model=heard.model)
        yield _none_there(finding, heard["given"])
    for log in logs(snapshot):
        took = quantization_of(log)
        wanted = _wanted(log, snapshot)
        if took is None or wanted is None or _fits(took, wanted[0]):
            continue
        found = find(log, _CONFIG)
        lines = quoted(log, found.line) if found else ()
        evidence = (f"the engine says quantization={took}", f"{wanted[1]}: {wanted[0]}", *lines)
        finding = ABOUT.finding(*evidence, about=name_of(log), model=log.model)
        title = f"The weights are {_kind(took)}, not {_kind(wanted[0])}"
        yield replace(finding, title=title, severity=Severity.WARNING)


def _refused(finding: Finding, heard: Heard) -> Finding:
    """An engine does not start with a method that is not the checkpoint's."""
    return replace(
        finding,
        severity=Severity.ERROR,
        title=f"--quantization {heard['given']} was given for a checkpoint in {heard['config']}",
        remedies=tuple(reversed(finding.remedies)),
    )


def _none_there(finding: Finding, given: str) -> Finding:
    """A method that reads its settings from the checkpoint, which has none."""
    return replace(
        finding,
        title=f"--quantization {given} was given for a checkpoint that is not quantized so",
        cause=f"{given} weights bring a quantization_config with them; this checkpoint has none.",
        remedies=tuple(reversed(finding.remedies)),
    )


def _wanted(log: LogDigest, snapshot: Snapshot) -> tuple[str, str] | None:
    """The format that was meant, and who says so; None where nobody does."""
    run = next((each for each in snapshot.runs or () if each.id == log.instance), None)
    if run is not None and (planned := _planned(run)):
        return planned, "planned"
    name = (checkpoint_of(log) or "").rstrip("/").rsplit("/", 1)[-1].lower()
    named = _IN_NAME.search(name.replace("_", "-"))
    if named is None or _kind(quantization_of(log) or "") != "16 bits":
        return None  # a name says little: only "not quantized" surely speaks against it
    return named[1], f"the name {name}"


def _planned(run: Run) -> str | None:
    given = run.flags.get("quantization")
    return given if isinstance(given, str) else run.planned_quantization


def _fits(took: str, wanted: str) -> bool:
    one, other = _kind(took), _kind(wanted)
    if _ANY.match(one) or _ANY.match(other):
        return "16 bits" not in (one, other)
    return one == other


def _kind(method: str) -> str:
    low = method.lower().replace("-", "_")
    return next((kind for kind, pattern in _KINDS if pattern.search(low)), low)


CHECK = Check(ABOUT.id, "Are the weights in the planned format?", look, ABOUT)
