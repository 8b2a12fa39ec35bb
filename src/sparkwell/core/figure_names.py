"""What measured figures are called, and which way is better: ``ttft_p50_s`` and the like. Pure."""

FIGURES = {
    "output_tokens_per_s": "output tokens/s",
    "goodput": "good requests/s", "good_share": "within the SLO",
    "ttft_p50_s": "TTFT p50", "ttft_p99_s": "TTFT p99",
    "tpot_p50_s": "TPOT p50", "tpot_p99_s": "TPOT p99",
    "e2e_p50_s": "whole answer p50", "e2e_p99_s": "whole answer p99",
    "e2e_p95_s": "whole answer p95, s",
}  # fmt: skip
"""As people say them; in files they go by their keys. The unit is where values come without one."""
_TIMES = ("ttft_", "tpot_", "itl_", "e2e_")


def wants_less(name: str) -> bool:
    """Whether a smaller figure is the better one: the time that somebody waits."""
    return name.startswith(_TIMES)
