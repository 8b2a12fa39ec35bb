"""Write the tables of docs/clients.md from what the newest run of tests/clients left behind.

    make clients
    .venv/bin/pytest tests/clients
    .venv/bin/python -m tests.clients.matrix

A cell says where a trial passed: "both" on the fake engine and on the real vLLM, "fake" on the
fake engine alone, because the demo model cannot; "fails" where it did not pass.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tests.clients.packages import PACKAGES, RESULTS, ROOT, trials

PAGE = ROOT / "docs" / "clients.md"
KEYED = "with_keys"
TITLES = {
    "openai_package": "openai",
    "anthropic_package": "anthropic",
    "litellm_package": "litellm",
    "langchain_package": "langchain",
    "llama_index_package": "llama-index",
    "aider_command": "aider",
    "plain_http": "plain HTTP",
}


def results(engine: str, script: str, folder: Path = RESULTS) -> list[dict[str, Any]]:
    """The lines that a script printed; none where it has not run."""
    file = folder / f"{engine}-{script}.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def passed(engine: str, script: str) -> dict[str, bool]:
    """By trial, whether it passed."""
    return {one["trial"]: one["ok"] for one in results(engine, script) if "trial" in one}


def cell(fake: bool | None, real: bool | None) -> str:
    """What a cell says; empty where nothing was tried."""
    if False in (fake, real):
        return "fails"
    if fake and real:
        return "both"
    return "fake" if fake else ""


def matrix() -> list[str]:
    """A row for each thing that is tried, a column for each package."""
    fakes = {script: passed("fake", script) for script in PACKAGES}
    reals = {script: passed("vllm", script) for script in PACKAGES}
    names = list(dict.fromkeys(one.name for script in PACKAGES for one in trials(script)))
    rows = [
        [name.replace("_", " ")]
        + [cell(fakes[script].get(name), reals[script].get(name)) for script in PACKAGES]
        for name in names
    ]
    return table(["tried", *(TITLES[script] for script in PACKAGES)], rows)


def versions() -> list[str]:
    """A row for each package: its version, and how many trials passed where."""
    rows = []
    for script in PACKAGES:
        packages = used(script)
        named = ", ".join(f"{name} {version}" for name, version in packages.items())
        rows.append([named or TITLES[script], score("fake", script), score("vllm", script)])
    rows.append([f"keys: {', '.join(used(KEYED))}", score("fake", KEYED), ""])
    return table(["packages", "fake engine", "real vLLM"], rows)


def used(script: str) -> dict[str, str]:
    """The packages that a script used, with their versions."""
    return next((one["packages"] for one in results("fake", script) if "packages" in one), {})


def score(engine: str, script: str) -> str:
    """As "41 of 42"."""
    outcomes = passed(engine, script).values()
    return f"{sum(outcomes)} of {len(outcomes)}" if outcomes else "not run"


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    """A table as Markdown has it."""
    return [f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *rows)]


def replaced(page: str, name: str, lines: list[str]) -> str:
    """The page with new lines between the two marks of that name."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = page.split(begin)
    return f"{before}{begin}\n" + "\n".join(lines) + f"\n\n{end}{rest.split(end)[1]}"


def main() -> int:
    """Write both tables; 1 where nothing has been run."""
    if not results("fake", PACKAGES[0]):
        print("nothing has been run: .venv/bin/pytest tests/clients", file=sys.stderr)
        return 1
    page = replaced(PAGE.read_text(encoding="utf-8"), "versions", versions())
    PAGE.write_text(replaced(page, "matrix", matrix()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
