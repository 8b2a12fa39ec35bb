"""The token: seen, judged by its form, and never repeated."""

from pathlib import Path

import pytest

from sparkwell.checks.model_parts import Token
from sparkwell.doctor.token import look_at_token, problem_of

GOOD = "hf_" + "aB3" * 11 + "x"


def test_none(tmp_path: Path) -> None:
    assert look_at_token({"HOME": str(tmp_path)}, ()) == Token(present=False)


def test_a_good_one(tmp_path: Path) -> None:
    assert look_at_token({"HF_TOKEN": GOOD}, ()) == Token(True, "HF_TOKEN")
    (tmp_path / ".env").write_text(f"HF_TOKEN={GOOD}\n")
    assert look_at_token({"HOME": "/none"}, [tmp_path]) == Token(True, str(tmp_path / ".env"))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("hf_abc def", "blank"),
        ('"hf_abcdefghijklmnopqrstuvwxyz"', "quotes"),
        ("hf_your_token_here", "placeholder"),
        ("<token>", "placeholder"),
        ("sk-ant-0123456789", "does not begin with hf_"),
        ("hf_abc-defghijklmnopqrstuvwxyz", "letters and digits"),
        ("hf_abc", "6 characters"),
    ],
)
def test_what_is_wrong_with_a_form(value: str, problem: str) -> None:
    found = look_at_token({"HF_TOKEN": value}, ())
    assert problem in (found.problem or "")
    assert value not in repr(found)
    assert value not in problem_of(value)


def test_a_mirror_may_have_others() -> None:
    environ = {"HF_TOKEN": "company-token-1", "HF_ENDPOINT": "http://mirror.example"}
    assert look_at_token(environ, ()).problem is None
