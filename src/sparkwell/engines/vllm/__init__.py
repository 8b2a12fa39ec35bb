"""vLLM: its command line (launch), flags, log, and its memory rules by version (rules)."""

from sparkwell.engines.vllm.flags import check_flags, doubtful, parse_flag, read_flag
from sparkwell.engines.vllm.launch import LaunchRequest, render
from sparkwell.engines.vllm.log import read_error, read_line
from sparkwell.engines.vllm.rules import rules_for

__all__ = [
    "LaunchRequest",
    "check_flags",
    "doubtful",
    "parse_flag",
    "read_error",
    "read_flag",
    "read_line",
    "render",
    "rules_for",
]
