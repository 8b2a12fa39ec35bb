"""Copies the dashboard's libraries out of their npm packages, with licences, versions and hashes.

    python tools/vendor_web.py

Asks npm for exactly the versions below, from the registry that npm is set up with. To change a
version: run it, look at the difference, run tests/unit/web and tests/browser.
"""

import json
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "src/sparkwell/web/static/vendor"
TESTS = ROOT / "tests/browser/vendor"
TABLE = "VENDORED.md"


@dataclass(frozen=True, slots=True)
class Package:
    """One package: ``files`` are paths in it, whose names are kept; ``notices`` its licences."""

    name: str
    version: str
    licence: str
    files: tuple[str, ...]
    notices: tuple[str, ...] = ("LICENSE",)


WANTED = {
    SHIPPED: (
        Package("htmx.org", "2.0.11", "0BSD", ("dist/htmx.min.js",)),
        Package("uplot", "1.6.32", "MIT", ("dist/uPlot.iife.min.js", "dist/uPlot.min.css")),
    ),
    TESTS: (
        Package(
            "axe-core",
            "4.14.1",
            "MPL-2.0",
            ("axe.min.js",),
            ("LICENSE", "LICENSE-3RD-PARTY.txt"),
        ),
    ),
}


def main() -> None:
    """Fetch and copy all of them, and write the tables."""
    for folder, packages in WANTED.items():
        folder.mkdir(parents=True, exist_ok=True)
        rows = [row for package in packages for row in _vendor(package, folder)]
        (folder / TABLE).write_text(table(rows), encoding="utf-8")


def _vendor(package: Package, folder: Path) -> list[tuple[str, ...]]:
    """The rows of one package: file, package, version, licence, SHA-256."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        answer = subprocess.run(
            ["npm", "pack", "--json", f"{package.name}@{package.version}"],
            cwd=scratch,
            check=True,
            capture_output=True,
            timeout=300,
        )
        packed = Path(scratch) / json.loads(answer.stdout)[0]["filename"]
        with tarfile.open(packed) as tar:
            for path in (*package.files, *package.notices):
                content = _content(tar, f"package/{path}")
                name = Path(path).name
                if path in package.notices:
                    name = f"{Path(path).stem}.{package.name}"
                (folder / name).write_bytes(content)
                digest = sha256(content).hexdigest()
                rows.append((name, package.name, package.version, package.licence, digest))
    return rows


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(name)
    if member is None:
        raise SystemExit(f"{name} is no file.")
    return member.read()


def table(rows: list[tuple[str, ...]]) -> str:
    """The page beside the files."""
    lines = [
        "# Files of others",
        "",
        "Copied unchanged from npm packages by tools/vendor_web.py.",
        "",
        "| file | npm package | version | licence | SHA-256 |",
        "|---|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
