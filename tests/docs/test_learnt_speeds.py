"""What plans learn from a kept run makes those of the others better."""

import re
import subprocess
import sys

from tests.docs.documents import ROOT

MEAN = re.compile(r"^(alone|learnt): mean ([\d.]+)%", re.MULTILINE)


def test_a_run_with_few_and_many_clients_makes_the_plans_of_others_better() -> None:
    program = [sys.executable, str(ROOT / "tools" / "learnt_speeds.py")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=True)
    said = done.stdout.partition("learnt from one client and 64")[2]
    alone, learnt = (float(mean) for _, mean in MEAN.findall(said)[:2])
    assert 0 < learnt < 0.8 * alone
