"""What an answer says: an echo, a tool's arguments, or an instance of a schema."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator

from sparkwell.testing.fake_engine.asked import Asked, Tool
from sparkwell.testing.fake_engine.samples import sample


def called_tool(asked: Asked) -> Tool | None:
    """The tool to call: the one that is named, any that is required, or one that is spoken of."""
    if asked.choice == "none" or not asked.tools:
        return None
    if asked.choice == "required":
        return asked.tools[0]
    heard = asked.texts[-1] if asked.texts and not asked.answers_tool else ""
    wanted = (asked.choice,) if asked.choice != "auto" else heard.lower().split()
    return next((tool for tool in asked.tools if _is_named(tool.name, wanted)), None)


def _is_named(name: str, words: Iterable[str]) -> bool:
    return name.lower() in {word.strip("?.,!`'\"").lower() for word in words}


def tokens_of(asked: Asked, tool: Tool | None, model: str, exactly: int | None) -> tuple[str, ...]:
    """All that there is to say: a tool's arguments, an instance of a schema, or an echo."""
    schema = tool.schema if tool else asked.schema
    if schema is not None:
        return tuple(re.findall(r"\s*[^\s:,]+[:,]?", json.dumps(sample(schema))))
    reply = _reply(model, asked.texts[-1] if asked.texts else "", exactly)
    return tuple(word if at == 0 else f" {word}" for at, word in enumerate(reply))


def _reply(model: str, heard: str, exactly: int | None) -> Iterator[str]:
    """``MODEL heard: WORDS``, cut or padded with counted words where a length is wanted."""
    said = itertools.chain([model, "heard:"], heard.split())
    if exactly is None:
        return said
    padding = (f"word{at}" for at in itertools.count(1))
    return itertools.islice(itertools.chain(said, padding), exactly)


def stopped(tokens: tuple[str, ...], stops: tuple[str, ...]) -> tuple[tuple[str, ...], str | None]:
    """Cut before the first of the strings that end an answer; which it was."""
    text = "".join(tokens)
    found = [(text.find(stop), stop) for stop in stops if stop and stop in text]
    if not found:
        return tokens, None
    at, stop = min(found)
    kept: list[str] = []
    for token in tokens:
        room = at - len("".join(kept))
        if room <= 0:
            break
        kept.append(token[:room])
    return tuple(kept), stop
