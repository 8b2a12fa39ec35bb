"""The token for the Hugging Face Hub: where it is kept, and whether it looks like one.

The value is in no repr and in no message; only the place that it was read from is.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sparkwell.drivers.hub import hub_home

NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_FORM = re.compile(r"hf_[A-Za-z0-9]{20,}")
_LINE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*)")
_QUOTED = re.compile(r"""(["'])(.*?)\1\s*(?:#.*)?""")


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and where it comes from: a variable's name or a file."""

    value: str = field(repr=False)
    source: str

    def __str__(self) -> str:
        return f"the token from {self.source}"

    @property
    def valid_form(self) -> bool:
        """Whether it looks as the Hub's own tokens do; a mirror may have others."""
        return _FORM.fullmatch(self.value) is not None


def read_token(environ: Mapping[str, str], folders: Iterable[Path] = ()) -> Token | None:
    """The first token of: the environment, ``.env`` in each of ``folders``, the Hub's own file.

    None where there is none. A file that cannot be read counts as not there.
    """
    for name in NAMES:
        if value := environ.get(name, "").strip():
            return Token(value, name)
    for folder in folders:
        if found := _of_dotenv(folder / ".env"):
            return found
    return _saved(environ)


def parse_dotenv(text: str) -> dict[str, str]:
    """The Hub's token variables among the KEY=VALUE lines of ``text``; other keys are not read.

    Quotes around a value are taken off; without them a ``#`` after a blank begins a comment.
    """
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    pairs = ((line[1], _unquoted(line[2])) for line in found if line)
    return {name: value for name, value in pairs if name in NAMES and value}


def _unquoted(said: str) -> str:
    quoted = _QUOTED.fullmatch(said.strip())
    return quoted[2] if quoted else re.split(r"(?:^|\s)#", said, maxsplit=1)[0].strip()


def _of_dotenv(file: Path) -> Token | None:
    values = parse_dotenv(_text(file))
    return next((Token(values[name], str(file)) for name in NAMES if name in values), None)


def _saved(environ: Mapping[str, str]) -> Token | None:
    """What `hf auth login` left."""
    named = environ.get("HF_TOKEN_PATH")
    files = [Path(named)] if named else [home / "token" for home in hub_home(environ)]
    saved = ((_text(file).strip(), str(file)) for file in files)
    return next((Token(value, source) for value, source in saved if value), None)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
