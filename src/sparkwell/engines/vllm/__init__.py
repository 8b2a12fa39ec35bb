"""vLLM: its command line (launch), its flags (flags) and its log (log)."""

from sparkwell.engines.vllm.flags import check_flags, parse_flag
from sparkwell.engines.vllm.launch import LaunchRequest, render
from sparkwell.engines.vllm.log import read_error, read_line

__all__ = ["LaunchRequest", "check_flags", "parse_flag", "read_error", "read_line", "render"]
