"""docs/flags.md is what the texts and the recorded history say now."""

import re
import subprocess
import sys

from sparkwell.engines.vllm.history import history, removed_in
from sparkwell.engines.vllm.texts import texts
from tests.docs.documents import DOCS, ROOT, anchors, read

PAGE = DOCS / "flags.md"


def test_the_page_is_fresh() -> None:
    program = [sys.executable, str(ROOT / "tools" / "flag_docs.py"), "--check"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_table_leads_to_the_sections() -> None:
    named = set(re.findall(r"\]\(#(\w+)\)", read(PAGE)))
    assert named <= anchors(PAGE)
    assert {"max_model_len", "gpu_memory_utilization"} <= named <= texts().flags.keys()


def test_every_flag_that_is_gone_is_on_the_page() -> None:
    page = read(PAGE)
    for name in history().flags:
        assert (f"\n| `{name}` |" in page) == (removed_in(name) is not None)
