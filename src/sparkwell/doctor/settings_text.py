"""The settings file as it stands, without what is secret in it."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from sparkwell.checks.logs.redact import redact

LONGEST = 64 * 1024
_SECRET = re.compile(
    r"(?P<key>(?P<indent>[ -]*)['\"]?(?:[\w.-]{0,60}[_.-])?"
    r"(?:keys?|tokens?|secrets?|passwords?|passwd|passphrase|credentials?)['\"]? {0,9}:)"
    r"(?P<value>(?: .*)?)$",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(r" *(?:\d{1,7}|true|false|null|~) *(?:#.*)?")
"""Figures are settings: max_num_batched_tokens."""


def settings_text(file: Path) -> str | None:
    """Its text, at most 64 KiB of it; None where there is none. Raises OSError."""
    if not file.is_file():
        return None
    with file.open(encoding="utf-8", errors="replace") as opened:
        text = opened.read(LONGEST)
    return "\n".join(without_secrets(text.split("\n")))


def without_secrets(lines: Iterable[str]) -> Iterator[str]:
    """Lines of YAML; a secret may stand in the lines below its key, as a list or a block."""
    inside: int | None = None
    for line in lines:
        indent = len(line) - len(line.lstrip(" "))
        if inside is not None and _is_below(line, indent, inside):
            yield f"{' ' * indent}…" if line.strip() else ""
            continue
        found = _SECRET.match(line)
        secret = found is not None and not _NO_SECRET.fullmatch(found["value"])
        inside = len(found["indent"]) if found and secret else None
        yield _line(found) if found and secret else redact(line)


def _is_below(line: str, indent: int, key: int) -> bool:
    """Whether the line belongs to what began at ``key``; a list may stand as far left as it."""
    return not line.strip() or indent > key or (indent == key and line[indent:].startswith("- "))


def _line(found: re.Match[str]) -> str:
    return f"{found['key']} …" if found["value"].strip() else found["key"]
