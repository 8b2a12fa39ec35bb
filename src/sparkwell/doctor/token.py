"""The Hub's token, looked at: where it is and whether it has the form of one, never what it is."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from sparkwell.checks.model_parts import Token
from sparkwell.drivers.hub_token import read_token

_PLACEHOLDER = re.compile(r"(?i)your|token|xxx|\.\.\.|…|<|>|change.?me|example")
PREFIX = "hf_"


def look_at_token(environ: Mapping[str, str], folders: Iterable[Path]) -> Token:
    """The first token that a download would use."""
    found = read_token(environ, folders)
    if found is None:
        return Token(present=False)
    fine = found.valid_form or _is_for_a_mirror(environ)
    return Token(True, found.source, None if fine else problem_of(found.value))


def problem_of(value: str) -> str:
    """What is wrong with the form of a token; nothing of the token is repeated."""
    if any(each.isspace() for each in value):
        return "it has a blank or a line break in it"
    if value[:1] in "\"'":
        return "it stands in quotes"
    if _PLACEHOLDER.search(value):
        return "it is a placeholder"
    if not value.startswith(PREFIX):
        return f"it does not begin with {PREFIX}"
    body = value.removeprefix(PREFIX)
    if not (body.isascii() and body.isalnum()):
        return f"it has other characters than letters and digits after {PREFIX}"
    return f"it has {len(value)} characters; the Hub's have 37"


def _is_for_a_mirror(environ: Mapping[str, str]) -> bool:
    """A mirror (HF_ENDPOINT) may have tokens of another form."""
    endpoint = environ.get("HF_ENDPOINT", "")
    return bool(endpoint) and "huggingface.co" not in endpoint
