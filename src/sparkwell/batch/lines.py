"""The lines of a batch, checked before the first of them is sent.

The form is that of OpenAI's Batch API: an object a line, with ``custom_id``, ``method``, ``url``
and ``body``. Bodies stay in the file until they are sent, and are sent as they stand there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sparkwell.core.errors import UsageError

URLS = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/rerank",
    "/v1/score",
    "/v1/messages",
)
BYTES_PER_TOKEN = 4
"""Of a body, roughly; English prose has a few more, code and other scripts have fewer."""
USUAL_ANSWER = 512
"""Tokens that are reckoned for an answer whose length the line does not bound."""
_MOST_TOLD = 8
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """One request. ``at`` and ``size`` say where its line lies in the file, in bytes.

    ``tokens`` is what prompt and answer will hold of the KV cache at most, as a rough guess.
    """

    number: int
    custom_id: str
    url: str
    model: str
    at: int
    size: int
    tokens: int


class LineError(UsageError):
    """Lines that are no requests; none was sent."""

    code = "invalid_batch"


class _Line(msgspec.Struct):
    custom_id: str
    url: str
    body: msgspec.Raw
    method: str = "POST"


class _Body(msgspec.Struct):
    model: str
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None


_LINE = msgspec.json.Decoder(_Line)
_BODY = msgspec.json.Decoder(_Body)


def read_lines(file: Path) -> tuple[Line, ...]:
    """Every request of a file. Raises LineError, which names the first lines that are none."""
    if not file.is_file():
        raise LineError(f"There is no file {file}.", hint="Nothing was sent.")
    lines: list[Line] = []
    problems: list[str] = []
    first: dict[str, int] = {}
    for number, at, text in _numbered(file):
        try:
            line = _read(number, at, text)
        except ValueError as error:  # msgspec's are of that kind
            problems.append(f"line {number}: {error}")
            continue
        if (before := first.setdefault(line.custom_id, number)) != number:
            problems.append(f"line {number}: custom_id {line.custom_id!r} stands in {before} too")
        lines.append(line)
    if problems:
        raise _refused(file, problems)
    if not lines:
        raise LineError(f"{file} has no lines.", hint="docs/batch.md says what a line looks like.")
    return tuple(lines)


def body_of(text: bytes) -> bytes:
    """The body in a line, byte for byte."""
    return bytes(_LINE.decode(text).body)


def _numbered(file: Path) -> Iterator[tuple[int, int, bytes]]:
    """Number, place and bytes of each line that is not empty."""
    at = 0
    with file.open("rb") as stream:
        for number, text in enumerate(stream, 1):
            skipped = len(_BOM) if number == 1 and text.startswith(_BOM) else 0
            if text[skipped:].strip():
                yield number, at + skipped, text[skipped:]
            at += len(text)


def _read(number: int, at: int, text: bytes) -> Line:
    """One line; raises ValueError that says what is wrong with it."""
    line = _LINE.decode(text)
    body = _BODY.decode(line.body)
    if not line.custom_id:
        raise ValueError("custom_id is empty")
    if line.method != "POST":
        raise ValueError(f"method is {line.method!r}, and can only be 'POST'")
    if line.url not in URLS:
        raise ValueError(f"url is {line.url!r}; it can be {', '.join(URLS)}")
    if body.stream:
        raise ValueError("stream is true; an answer in a file comes whole")
    return Line(number, line.custom_id, line.url, body.model, at, len(text), _tokens(line, body))


def _tokens(line: _Line, body: _Body) -> int:
    bounds = (body.max_completion_tokens, body.max_output_tokens, body.max_tokens)
    answer = next((bound for bound in bounds if bound), USUAL_ANSWER)
    return len(bytes(line.body)) // BYTES_PER_TOKEN + answer


def _refused(file: Path, problems: list[str]) -> LineError:
    more = len(problems) - _MOST_TOLD
    told = [*problems[:_MOST_TOLD], *([f"… and {more} more"] if more > 0 else [])]
    return LineError(
        f"{file}: {len(problems)} of its lines cannot be sent.\n  " + "\n  ".join(told),
        hint="Nothing was sent. docs/batch.md says what a line looks like.",
    )
