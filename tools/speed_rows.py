"""Rows for src/sparkwell/planner/speeds.yaml out of kept runs: ``speed_rows.py SOURCE RUN…``.

Prints a row for each case with clients whose repeats agree, as a check: what came after the fit.
"""

import json
import sys
from pathlib import Path
from typing import Any

from sparkwell.catalog import load_catalog
from sparkwell.catalog.described import describe_recipe
from sparkwell.engines.vllm.rules import rules_for
from sparkwell.hardware.description import find_machine
from sparkwell.planner.graphs import graph_tokens
from sparkwell.planner.settings import Settings, resolve


def row(document: dict[str, Any], case: dict[str, Any], source: str) -> str:
    """As the file has it."""
    got, work, settings = case["measured"], case["workload"], _settings(document)
    running = (case["planned"] or {}).get("running", case["clients"])
    fields = {
        "machine": document["machine"]["name"], "model": document["model"],
        **({"kv": "fp8"} if settings.cache_type == "fp8" else {}),
        "quantity": "output",
        **({"concurrency": case["clients"]} if case["clients"] > 1 else {}),
        **({"running": running} if running != case["clients"] else {}),
        "prompt": work["prompt_tokens"], "output": work["output_tokens"],
        "batched_tokens": settings.max_num_batched_tokens,
        "graph_tokens": graph_tokens(document["flags"], settings),
        "measured": f"{got['output_tokens_per_s']['mean']:.4g}",
        "ttft_s": f"{got['ttft_p50_s']['mean']:.3g}", "source": source, "check": "true",
    }  # fmt: skip
    return f"  - {{{', '.join(f'{name}: {value}' for name, value in fields.items())}}}"


def _settings(document: dict[str, Any]) -> Settings:
    """As the planner reads the flags."""
    described = describe_recipe(load_catalog().get(document["model"]))
    machine = find_machine(document["machine"]["name"])
    rules = rules_for(document["versions"]["engine_version"])
    return resolve(document["flags"], described, machine, rules)


def main(source: str, *files: str) -> None:
    """Print them."""
    for file in files:
        document = json.loads(Path(file).read_text(encoding="utf-8"))
        for case in document["cases"]:
            got = case["measured"]["output_tokens_per_s"]
            if (
                case["clients"]
                and not case["workload"]["document_tokens"]
                and got["low"] is not None
            ):
                print(row(document, case, source))


if __name__ == "__main__":
    main(*sys.argv[1:])
