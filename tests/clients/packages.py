"""The scripts that try client packages: where they run, what they try, how it went."""

import ast
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
RESULTS = ROOT / ".cache" / "clients-results"
ENVIRONMENTS = {"aider_command": "aider", "plain_http": ""}
"""By script: which environment of `make clients` it needs; ours where it is empty."""
PACKAGES = (
    "openai_package",
    "anthropic_package",
    "litellm_package",
    "langchain_package",
    "llama_index_package",
    "aider_command",
    "plain_http",
)
Outcomes = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that a script tries; ``fake_only``: the demo model could not."""

    script: str
    name: str
    fake_only: bool
    about: str


def trials(script: str) -> list[Trial]:
    """What a script tries, read from its text: its package need not be here."""
    tree = ast.parse((SCRIPTS / f"{script}.py").read_text(encoding="utf-8"))
    return [
        Trial(script, node.name, bool(call.keywords), ast.get_docstring(node) or "")
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for call in node.decorator_list
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "trial"
    ]


def interpreter(script: str) -> Path:
    """The Python that has the script's package."""
    name = ENVIRONMENTS.get(script, "clients")
    return ROOT / ".cache" / name / "bin" / "python" if name else Path(sys.executable)


def run(script: str, url: str, *, engine: str = "fake", **variables: str) -> Outcomes:
    """Run all of a script's trials; each one's outcome by its name.

    What it printed is kept in RESULTS, for the table in docs/clients.md.
    """
    told = {"CLIENT_URL": url, "CLIENT_ENGINE": engine, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [interpreter(script), SCRIPTS / f"{script}.py"],
        env={**os.environ, **told, **variables},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert done.returncode == 0, f"{script}: {done.stderr[-2000:]}"
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{engine}-{script}.jsonl").write_text("\n".join(lines) + "\n")
    said = [json.loads(line) for line in lines]
    return {one["trial"]: one for one in said if "trial" in one}
