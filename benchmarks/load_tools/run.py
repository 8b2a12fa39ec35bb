"""How true and how dear are the field's load tools? Each asks an upstream whose times are known.

    PYTHONPATH=. .venv/bin/python benchmarks/load_tools/run.py
    --vllm ENV --aiperf ENV --guidellm ENV [--streams 1,16,64,256] [--rounds 3] [--stall] [--save]

An ENV is a virtual environment with the tool in it; one that is not named is left out. The upstream
(benchmarks/gateway/upstream.c) gives every stream its first token after 200 ms and one each 20 ms
from then on, 100 in all; with --stall it stands still for 2 s in the middle.
"""

import argparse
import datetime
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.load_tools.known import STALL, TOKENS, truth, upstream
from benchmarks.load_tools.tools import (
    ROOT,
    Json,
    Order,
    Tool,
    aiperf,
    guidellm,
    measured,
    ours,
    vllm_bench,
)

RESULTS = Path(__file__).parent / "results"


def one(tool: Tool, streams: int, more: list[str]) -> Json:
    """A row."""
    with tempfile.TemporaryDirectory() as folder, upstream(*more) as port:
        order = Order(port, streams, 4 * max(streams, 2), TOKENS, Path(folder) / "out")
        row: Json = {"tool": tool.name, "streams": streams, "requests": order.requests}
        try:
            return row | measured(tool, order)
        except (subprocess.CalledProcessError, OSError, KeyError, ValueError) as error:
            shutil.copy(order.folder / "log", Path(tempfile.gettempdir()) / "load-tool.log")
            return row | {"failed": type(error).__name__}


def shown(row: Json) -> str:
    """A line for a person."""
    if "failed" in row:
        return f"{row['tool']:18} {row['streams']:4}  {row['failed']}"
    true = truth(row["streams"])
    parts = [f"{name} {row[name]:9.2f} ({row[name] / true[name] - 1:+.1%})" for name in true]
    rest = (
        f"ttft p99 {row['ttft_p99_ms']:.0f}  cpu {row['cpu_s']:.1f} s  wall {row['wall_s']:.1f} s"
    )
    return f"{row['tool']:18} {row['streams']:4}  {'  '.join(parts)}  {rest}"


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser()
    for name in ("vllm", "aiperf", "guidellm"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--streams", default="1,16,64,256")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--stall", action="store_true")
    parser.add_argument("--save", action="store_true")
    given = parser.parse_args()
    tools = [ours(ROOT / ".venv" / "bin" / "python")]
    makers = {"vllm": vllm_bench, "aiperf": aiperf, "guidellm": guidellm}
    for name, make in makers.items():
        if getattr(given, name):
            tools.append(make(getattr(given, name).absolute()))
    more, rows = ["--stall", STALL] if given.stall else [], []
    for _ in range(given.rounds):
        for streams in map(int, given.streams.split(",")):
            for tool in tools:
                rows.append(one(tool, streams, more))
                print(shown(rows[-1]), flush=True)
    if given.save:
        RESULTS.mkdir(exist_ok=True)
        what = "stall" if given.stall else "truth"
        today = datetime.datetime.now(datetime.UTC).date()
        (RESULTS / f"{today}-{what}.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
