"""An upstream whose times are known: benchmarks/gateway/upstream.c, with --pace."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.gateway.programs import compiled

TOKENS, GAP_US, FIRST_US = 100, 20_000, 200_000
STALL = "3000000,2000000"
"""Three seconds after the first stream began all stand still for two."""


@contextmanager
def upstream(*more: str) -> Iterator[int]:
    """The port of an upstream with known times."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    words = [str(compiled("upstream")), "--port", str(port), "--served-model-name", "demo"]
    process = subprocess.Popen([*words, "--pace", f"{TOKENS},{GAP_US},{FIRST_US}", *more])
    time.sleep(0.3)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def truth(streams: int) -> dict[str, float]:
    """What a tool that costs nothing would say without a stall."""
    answer_s = (FIRST_US + (TOKENS - 1) * GAP_US) / 1e6
    return {
        "ttft_ms": FIRST_US / 1000,
        "tpot_ms": GAP_US / 1000,
        "tokens_per_s": streams * TOKENS / answer_s,
    }
