"""Sparkwell's load alone, as the other tools are asked: port, streams, requests, tokens."""

import json
import statistics
import sys

import uvloop

from sparkwell.bench.connection import Target
from sparkwell.bench.load import Course, closed_loop

PROMPT_TOKENS = 32


async def main(port: int, streams: int, requests: int, tokens: int) -> Course:
    """One closed loop."""
    body = {"model": "demo", "prompt": list(range(PROMPT_TOKENS)), "max_tokens": tokens}
    body |= {"stream": True, "stream_options": {"include_usage": True}, "ignore_eos": True}
    course = Course(requests)
    bodies = [json.dumps(body).encode()] * requests
    await closed_loop(Target("127.0.0.1", port), bodies, streams, course, lambda: None)
    return course


course = uvloop.run(main(*map(int, sys.argv[1:])))
good = [sample for sample in course.samples if sample.good]
ttfts = sorted(1000 * sample.ttft_s for sample in good if sample.ttft_s is not None)
gaps = sorted(1000 * gap for sample in good for gap in sample.gaps)
tpots = [1000 * sample.tpot_s for sample in good if sample.tpot_s is not None]
print(
    json.dumps({
        "ttft_ms": statistics.mean(ttfts),
        "ttft_p99_ms": ttfts[int(0.99 * len(ttfts))],
        "tpot_ms": statistics.mean(tpots),
        "itl_ms": statistics.mean(gaps),
        "itl_p99_ms": gaps[int(0.99 * len(gaps))],
        "tokens_per_s": sum(sample.tokens for sample in good) / (course.ended_s - course.began_s),
        "good": len(good),
    })
)  # fmt: skip
