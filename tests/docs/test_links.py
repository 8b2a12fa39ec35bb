"""Every link leads somewhere, every path that is named exists, every decision is listed."""

import re
from pathlib import Path

import pytest

from tests.docs.documents import DOCS, PAGES, ROOT, anchors, links, name, prose, read, spans

PACKAGE = ROOT / "src" / "sparkwell"
# Rooted in the repository, or (docs/architecture.md, the decisions) in the package.
A_PATH = re.compile(r"^\.?[\w-]+(?:/[\w.*-]+)+/?$")
TOP = {path.name for path in ROOT.iterdir()} | {path.name for path in PACKAGE.iterdir()}
# What `make` and a running daemon write; what a path stands for in an example.
NOT_IN_THE_REPOSITORY = (".venv/", "instances/", "and/or")
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        file, _, anchor = link.partition("#")
        if "://" in file:
            assert file.startswith("https://")
            continue
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{name(page)}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{name(page)}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_named_paths_exist(page: Path) -> None:
    words = re.findall(r"(?<![\w/`(.~$])((?:tests|docs|tools|src)/[\w./-]*\w)", prose(page))
    for path in {*words, *filter(is_path, spans(page))}:
        found = [*ROOT.glob(path.rstrip("/")), *PACKAGE.glob(path.rstrip("/"))]
        assert found, f"{name(page)}: {path}"


def is_path(text: str) -> bool:
    """Whether a code span names something in the repository, by its first folder."""
    first = text.partition("/")[0]
    return bool(A_PATH.match(text)) and first in TOP and not text.startswith(NOT_IN_THE_REPOSITORY)


def test_paths_are_told_from_other_words() -> None:
    assert is_path("src/sparkwell/app/daemon/process.py")
    assert is_path("supervisor/machine.py")
    assert not is_path("application/json")
    assert not is_path(".venv/bin/sparkwell")


@pytest.mark.parametrize("file", DECISIONS, ids=name)
def test_a_decision_is_listed_and_has_its_parts(file: Path) -> None:
    index, text = read(DOCS / "decisions" / "README.md"), read(file)
    number = file.name[:4]
    assert f"| [{number}]({file.name}) |" in index
    assert text.startswith(f"# {number}: ")
    for part in ("## Context", "## Choice", "## Cost"):
        assert f"\n{part}\n" in text
    assert re.search(r"\n## (Numbers|Reasons)", text)
    assert re.search(r"^\d{4}-\d\d-\d\d\. (Accepted|Replaced by \d{4})", text, re.MULTILINE)


def test_decision_numbers_are_used_once() -> None:
    numbers = [file.name[:4] for file in DECISIONS]
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
