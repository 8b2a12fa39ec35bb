"""A million inputs and more into what reads heads, bodies, answers and hosts, in process.

    PYTHONPATH=. .venv/bin/python benchmarks/security/fuzz_parsers.py [--cases 1200000] [--save]

libFuzzer by atheris, led by which lines of the gateway an input reaches, from the requests of
tests/security on. Exit status 1 where an input breaks a promise of benchmarks/security/
fuzz_target.py; it is kept as crash-… in the folder that is named then.
"""

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from results import save
from tests.security.test_bodies import CUT, NAMED_TWICE, NONSENSE
from tests.security.test_framing import EITHER, REFUSED

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".cache/security/bin/python"
SHARES = {"requests": 0.4, "repeats": 0.2, "answers": 0.1, "bodies": 0.2, "door": 0.1}
AGAIN = b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}"
ANSWERED_AGAIN = b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-length: 2\r\ncontent-type: a/b\r\n\r\n{}"
SEEDS = {
    "requests": [b"\x40\x80\xc0" + each for each in [*REFUSED.values(), *EITHER.values()]],
    "repeats": [b"\x40\x80\xc0" + each for each in (AGAIN, AGAIN * 3, AGAIN[:-2] + b"[]" + AGAIN)]
    + [b"\x40\x80\xc0" + each for each in (ANSWERED_AGAIN, ANSWERED_AGAIN[:-1])],
    "answers": [b"\x40\x80\xc0" + each for each in [*NONSENSE.values(), *CUT.values()]],
    "bodies": [*NAMED_TWICE.values(), b'{"model":"a","x":[[{"b":"\\u00e9\\""}]],"n":1e5}'],
    "door": [b"localhost:8000\nhttp://localhost:8000\nsame-origin", b"[::1]\nnull\ncross-site"],
}


def main() -> int:
    """Fuzz, print, save; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1_200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit-s", type=int, default=1800, help="at most so long for each part")
    parser.add_argument("--save", action="store_true", help="write results/DAY-fuzz-parsers.json")
    given = parser.parse_args()
    if platform.machine() != "x86_64":
        print("atheris is made for x86-64 alone: nothing was tried")
        return 0
    found = {}
    for target, share in SHARES.items():
        found[target] = fuzz(target, round(given.cases * share), given.seed, given.limit_s)
        print(target, found[target], flush=True)
    total = sum(each["inputs"] for each in found.values())
    broken = [target for target, each in found.items() if each["exit_status"]]
    print(f"{total:,} inputs; broken: {broken or 'none'}")
    if given.save:
        print(save("fuzz-parsers", {"inputs": total, "broken": broken, "targets": found}))
    return int(bool(broken) or total < given.cases)


def fuzz(target: str, cases: int, seed: int, limit_s: int) -> dict[str, int]:
    """Run one fuzzer: how many inputs it tried, and how it ended (0: no promise was broken)."""
    folder = Path(tempfile.mkdtemp(prefix="sparkwell-fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for at, data in enumerate(SEEDS[target]):
        (corpus / str(at)).write_bytes(data)
    paths = [str(ROOT), str(ROOT / "src"), sysconfig.get_paths()["purelib"]]
    done = subprocess.run(
        [str(PYTHON), str(Path(__file__).with_name("fuzz_target.py")), target, str(corpus),
         f"-runs={cases}", f"-seed={seed}", f"-max_total_time={limit_s}", "-max_len=2048",
         "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1",
         f"-artifact_prefix={folder}/"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], f"kept in {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    said = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    reached = re.findall(r"cov: (\d+)", done.stderr)
    return {
        "inputs": int(said[1]) if said else 0,
        "reached": int(reached[-1]) if reached else 0,
        "exit_status": done.returncode,
    }


if __name__ == "__main__":
    sys.exit(main())
