"""Values of one model in the text of sparkwell.yaml: set, replaced, or taken out. Pure.

All that is not touched stays as it was written: comments, order, layout.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from sparkwell.app.settings.merge import merged
from sparkwell.catalog.recipe import FlagValue
from sparkwell.core.documents import read_nodes
from sparkwell.core.errors import ConflictError, DocumentError

Path = tuple[str, ...]
Changes = Mapping[Path, FlagValue | None]
"""Values by their path below the model, such as ("flags", "max_num_seqs"); None takes one out."""
_CRLF, _LF = "\r\n", "\n"
_NULL = "tag:yaml.org,2002:null"


def edited(text: str, model: str, changes: Changes, where: str) -> str:
    """The text of sparkwell.yaml with the changes below ``models.MODEL``.

    What has become empty by them goes too. Raises DocumentError for a text that is laid out so
    that a change of one value would change others.
    """
    windows = _CRLF in text and text.count(_CRLF) == text.count(_LF)
    plain = text.replace(_CRLF, _LF) if windows else text
    set_first = dict(sorted(changes.items(), key=lambda change: change[1] is None))
    wanted = _data(plain)
    for below, value in set_first.items():
        path = ("models", model, *below)
        wanted = _taken(wanted, path) if value is None else _put(wanted, path, value)
    try:
        result = _changed(plain, model, set_first, where)
    except (DocumentError, ConflictError):
        raise _cannot(where) from None
    if _data_or_none(result) != wanted:
        raise _cannot(where)
    return result.replace(_LF, _CRLF) if windows else result


def _changed(text: str, model: str, changes: Changes, where: str) -> str:
    """What is taken out comes last: nothing is emptied, and lost, that gets something new."""
    paths = {("models", model, *below): value for below, value in changes.items()}
    there = {path for path in paths if _is_said(text, path, where)}
    more: dict[str, Any] = {}
    for path, value in paths.items():
        if value is not None and path not in there:
            more = _put(more, path, value)
    text = merged(text, more, where) if more else text
    for path, value in paths.items():
        if value is None:
            text = _without(text, path, where)
        elif path in there:
            text = _replaced(text, path, value, where)
    return text


def _is_said(text: str, path: Path, where: str) -> bool:
    entry = _entry(text, path, where)
    return entry is not None and not _is_empty(entry[2])


def _replaced(text: str, path: Path, value: FlagValue, where: str) -> str:
    """Another value in the place of a scalar; a comment behind it stays."""
    entry = _entry(text, path, where)
    if entry is None or not isinstance(entry[2], yaml.ScalarNode):
        raise _cannot(where)
    start, end = entry[2].start_mark.index, entry[2].end_mark.index
    ended = _LF if text[start:end].endswith(_LF) else ""
    return text[:start] + _written(value) + ended + text[end:]


def _without(text: str, path: Path, where: str) -> str:
    """One key less, and the keys around it that have nothing else."""
    entry = _entry(text, path, where)
    if entry is None:
        return text
    text = _cut(text, *entry)
    around = _entry(text, path[:-1], where) if len(path) > 1 else None
    return _without(text, path[:-1], where) if around and _is_empty(around[2]) else text


def _cut(text: str, around: yaml.MappingNode, key: yaml.Node, value: yaml.Node) -> str:
    if around.flow_style:
        start, end = _in_flow(around, key)
    else:
        start = text.rfind(_LF, 0, key.start_mark.index) + 1
        end = _line_end(text, max(value.end_mark.index, key.end_mark.index))
    return text[:start] + text[end:]


def _in_flow(around: yaml.MappingNode, key: yaml.Node) -> tuple[int, int]:
    """From where to where an entry of ``{a: 1, b: 2}`` goes, with one of the commas beside it."""
    place = next(index for index, (each, _) in enumerate(around.value) if each is key)
    _, value = around.value[place]
    if place + 1 < len(around.value):
        return key.start_mark.index, around.value[place + 1][0].start_mark.index
    start = around.value[place - 1][1].end_mark.index if place else key.start_mark.index
    return start, value.end_mark.index


def _line_end(text: str, place: int) -> int:
    """Behind the end of the line that a value ends in; a folded text ends at a new line."""
    if place and text[place - 1] == _LF:
        return place
    end = text.find(_LF, place)
    return len(text) if end < 0 else end + 1


def _entry(
    text: str, path: Path, where: str
) -> tuple[yaml.MappingNode, yaml.Node, yaml.Node] | None:
    """The mapping around a key, the key and its value; None where there is no such key."""
    node, _ = read_nodes(text, where)
    found = None
    for step in path:
        if not isinstance(node, yaml.MappingNode):
            return None
        pair = next((each for each in node.value if each[0].value == step), None)
        if pair is None:
            return None
        found = (node, *pair)
        node = pair[1]
    return found


def _is_empty(node: yaml.Node) -> bool:
    return node.tag == _NULL or (isinstance(node, yaml.CollectionNode) and not node.value)


def _put(data: Any, path: Path, value: FlagValue) -> dict[str, Any]:
    """The data with a value at a path."""
    here = dict(data or {})
    name, below = path[0], path[1:]
    return {**here, name: _put(here.get(name), below, value) if below else value}


def _taken(data: Any, path: Path) -> Any:
    """The data without what is at a path, nor what is empty then."""
    name, below = path[0], path[1:]
    if not isinstance(data, Mapping) or name not in data:
        return data
    inner = _taken(data[name], below) if below else None
    if below and (inner or inner == data[name]):
        return {**data, name: inner}
    return {key: each for key, each in data.items() if key != name}


def _written(value: FlagValue) -> str:
    return yaml.safe_dump({"v": value}, width=10_000).removeprefix("v: ").rstrip(_LF)


def _data(text: str) -> Any:
    return yaml.safe_load(text) or {}


def _data_or_none(text: str) -> Any:
    try:
        return _data(text)
    except yaml.YAMLError:
        return None


def _cannot(where: str) -> DocumentError:
    return DocumentError(
        f"{where}: this setting cannot be changed here as the file is laid out: it may stand "
        "there by an anchor, or in another form.",
        hint="Change it in the file by hand.",
    )
