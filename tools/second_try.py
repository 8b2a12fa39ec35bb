"""Run the files whose tests failed in the last run once more: `.ci/run` does, after `make test`.

A machine that stands still for seconds fails a test now and then that looks at a clock. What passes
now is named, so that somebody mends it; more than a few failures are no accident and fail at once.
Whole files, since tests may build on those before them in theirs.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"
MOST = 3


def failed(record: Path) -> list[str]:
    """The tests of pytest's record; none where there is no record that can be read."""
    try:
        return sorted(json.loads(record.read_text()))
    except (OSError, ValueError):
        return []


def refusal(tests: list[str], most: int = MOST) -> str | None:
    """Why there is no second try; None where there is one."""
    if not tests:
        return "No failed test is on record: the run ended in another way. Its own words are above."
    if len(tests) > most:
        return f"{len(tests)} tests failed: at most {most} are tried again."
    return None


def main() -> int:
    """Try again; the exit status is that of the second run."""
    tests = failed(FAILED)
    if reason := refusal(tests):
        print(reason, file=sys.stderr)
        return 1
    files = sorted({test.partition("::")[0] for test in tests})
    print(f"Once more: {', '.join(files)}", flush=True)
    again = [sys.executable, "-m", "pytest", *files]
    status = subprocess.run(again, cwd=ROOT, check=False).returncode
    if status == 0:
        print(f"UNSTEADY, passed only the second time; mend: {', '.join(tests)}")
    return status


if __name__ == "__main__":
    sys.exit(main())
