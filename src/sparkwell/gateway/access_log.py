"""A line for each request that was answered; nothing of what was asked."""

import json
import logging
from dataclasses import asdict, dataclass
from typing import Literal

Style = Literal["off", "text", "json"]
logger = logging.getLogger("sparkwell.access")


@dataclass(frozen=True, slots=True)
class Line:
    """One request. ``status`` 0: the client had gone. ``took_ms`` is until the answer's end."""

    request_id: str
    peer: str | None
    key: str | None
    method: str
    path: str
    model: str | None
    status: int
    took_ms: float
    prompt_tokens: int | None = None
    output_tokens: int | None = None


def write(line: Line, style: Style) -> None:
    """Write it to the daemon's log, as a person or a program wants it."""
    if style == "json":
        logger.info("%s", json.dumps(asdict(line)))
    elif style == "text":
        logger.info(
            "%s %s %s %s %d %.1f ms key=%s model=%s tokens=%s/%s id=%s",
            line.peer or "-",
            line.method,
            line.path,
            "done" if line.status else "left",
            line.status,
            line.took_ms,
            line.key or "-",
            line.model or "-",
            "-" if line.prompt_tokens is None else line.prompt_tokens,
            "-" if line.output_tokens is None else line.output_tokens,
            line.request_id,
        )
