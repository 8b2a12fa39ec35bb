"""What Ollama's log, and our own of its models, say of a load: patterns and remedies."""

import re

from sparkwell.checks.diagnosis.memory.words import WHOLE, run_of, up_with
from sparkwell.checks.logs.find import Found, find_last
from sparkwell.checks.logs.parts import LogDigest
from sparkwell.checks.snapshot import Snapshot
from sparkwell.core.findings import Remedy

DEFAULT_CONTEXT = 8192
"""A context that most models fit with: not Ollama's default."""
_CONTEXT = re.compile(
    rf"\bnum_ctx=({WHOLE})|\bKvSize:({WHOLE})|with a context of ({WHOLE}) tokens"
    rf"|, context ({WHOLE})$|\bdefault_num_ctx=({WHOLE})|--ctx-size ({WHOLE})"
    rf"|starting llama-server.{{0,1500}} -c ({WHOLE})"
)


def context_line(log: LogDigest) -> Found | None:
    """The last line that says for how many tokens a model was loaded."""
    return find_last(log, _CONTEXT)


def context_of(snapshot: Snapshot, log: LogDigest) -> int | None:
    """Tokens of the last load, by the log or by its run's flags."""
    if found := context_line(log):
        return next(int(group) for group in found.match.groups() if group)
    run = run_of(snapshot, log)
    given = run.flags.get("num_ctx") if run else None
    return given if isinstance(given, int) else None


def shorter(log: LogDigest, context: int | None) -> Remedy:
    """Load it again for fewer tokens: what the KV cache takes is in proportion to them."""
    half = context // 2 if context else DEFAULT_CONTEXT
    tokens = max(2048, min(half, 32768))
    asked = f", not {context:,}" if context else ""
    return up_with(
        log,
        f"Load it for {tokens:,} tokens{asked}: the KV cache takes memory in proportion.",
        f"num_ctx={tokens}",
    )
