"""What keeps a case that was measured from being held against a plan. Pure."""

from collections.abc import Mapping
from typing import Any


def doubts(case: Mapping[str, Any]) -> list[str]:
    """What was noted against its figures; that it was shortened speaks against none of them."""
    return [str(note) for note in case["notes"] if not note.startswith("Shortened")]
