"""Where the Hub's token is found, and that nothing shows it."""

from pathlib import Path

import pytest

from sparkwell.drivers.hub_token import Token, parse_dotenv, read_token

GOOD = "hf_" + "aB3" * 11


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"HF_TOKEN={GOOD}", GOOD),
        (f'HF_TOKEN="{GOOD}"', GOOD),
        (f"export HF_TOKEN='{GOOD}'  # mine", GOOD),
        (f"  HF_TOKEN = {GOOD} # mine", GOOD),
        (f"OTHER=1\n# HF_TOKEN=no\nHF_TOKEN={GOOD}\n", GOOD),
        ("HF_TOKEN=hf_a#b", "hf_a#b"),
        ("HF_TOKEN=first\nHF_TOKEN=second", "second"),
        ("HF_TOKEN=", None),
        ("HF_TOKEN= # later", None),
        ('HF_TOKEN=""', None),
        ("HF_TOKEN", None),
        ("MY_HF_TOKEN=x", None),
        ("SECRET=hf_other", None),
        ("", None),
    ],
)
def test_dotenv(text: str, value: str | None) -> None:
    assert parse_dotenv(text).get("HF_TOKEN") == value
    assert set(parse_dotenv(text)) <= {"HF_TOKEN"}


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        (GOOD, True),
        ("hf_" + "a" * 20, True),
        ("hf_" + "a" * 19, False),
        ("hf_" + "a" * 20 + "-", False),
        ("your_token_here", False),
        ("hf_" + "ä" * 30, False),
    ],
)
def test_form(value: str, valid: bool) -> None:
    assert Token(value, "x").valid_form is valid


def test_a_token_is_never_shown() -> None:
    token = Token(GOOD, ".env")
    assert GOOD not in f"{token!r} {token} {[token]}"
    assert ".env" in str(token)


def test_the_order(tmp_path: Path) -> None:
    home, here, beside = tmp_path / "home", tmp_path / "here", tmp_path / "beside"
    for folder in (home / ".cache/huggingface", here, beside):
        folder.mkdir(parents=True)
    environ = {"HOME": str(home)}
    assert read_token(environ, [here, beside]) is None

    (home / ".cache/huggingface/token").write_text(f"{GOOD}1\n")
    saved = home / ".cache/huggingface/token"
    assert read_token(environ, [here, beside]) == Token(f"{GOOD}1", str(saved))

    (beside / ".env").write_text(f"HUGGING_FACE_HUB_TOKEN={GOOD}2")
    assert read_token(environ, [here, beside]) == Token(f"{GOOD}2", str(beside / ".env"))

    (here / ".env").write_text(f"HF_TOKEN={GOOD}3")
    assert read_token(environ, [here, beside]) == Token(f"{GOOD}3", str(here / ".env"))

    assert read_token({**environ, "HF_TOKEN": f" {GOOD}4\n"}, [here]) == Token(
        f"{GOOD}4", "HF_TOKEN"
    )


@pytest.mark.parametrize(
    "environ", [{"HF_TOKEN_PATH": "{0}/t"}, {"HF_HOME": "{0}"}, {"HF_TOKEN_PATH": "{0}/none"}]
)
def test_files_that_variables_name(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "t").write_text("from-t")
    (tmp_path / "token").write_text("from-token")
    found = read_token({key: value.format(tmp_path) for key, value in environ.items()})
    expected = {"t": "from-t", "none": None}.get(next(iter(environ.values()))[4:], "from-token")
    assert (found.value if found else None) == expected


def test_a_file_that_cannot_be_read_counts_as_not_there(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert read_token({"HF_HOME": str(tmp_path)}, [tmp_path]) is None
    other = tmp_path / "other"
    other.mkdir()
    (other / ".env").write_bytes(b"\xff\xfe\nHF_TOKEN=hf_x\n")
    assert read_token({"HF_HOME": str(tmp_path)}, [other]) == Token("hf_x", str(other / ".env"))
