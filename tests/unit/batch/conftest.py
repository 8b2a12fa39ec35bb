"""A file of requests, and one to answer them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[..., Path]


def line(custom_id: str, **body: Any) -> dict[str, Any]:
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/completions",
        "body": {"model": "m", "prompt": "hello", **body},
    }


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write lines, given as objects or as text, to IN.jsonl."""

    def written(*lines: object, start: str = "") -> Path:
        texts = [each if isinstance(each, str) else json.dumps(each) for each in lines]
        file = tmp_path / "in.jsonl"
        file.write_text(start + "".join(f"{text}\n" for text in texts), encoding="utf-8")
        return file

    return written
