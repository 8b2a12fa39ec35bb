"""What `top` and `status` say of a guard that cannot do all that it should."""

import pytest

from sparkwell.cli.top.words import guard_words

ON = {"enabled": True, "running": True, "protected": True}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "guard watching"),
        ({"cannot_end": {}}, "guard watching"),
        ({"cannot_end": None}, "guard watching"),
        ({"cannot_end": {"a": "not permitted"}}, "guard watching, cannot end a"),
        ({"cannot_end": {"a": "x", "b\x1b": "y"}}, "guard watching, cannot end a, b "),
        ({"cannot_end": {"a": "x"}, "protected": False}, "guard watching, cannot end a"),
        ({"cannot_end": {"a": "x"}, "running": False}, "guard not running"),
    ],
)
def test_whom_it_cannot_end_is_said(more: dict[str, object], words: str) -> None:
    assert guard_words({**ON, **more}) == words
