"""More settings into a text that somebody wrote: comments, order and layout stay as they are.

Sections that are new are put behind what is there, keys into the sections that they belong to. What
is there already stays; another value for the same setting is a conflict, and nothing is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from sparkwell.core.documents import dotted, read_nodes
from sparkwell.core.errors import ConflictError, DocumentError

Path = tuple[str | int, ...]
Edit = tuple[int, int, str]
"""Characters from, to, and what stands there instead."""


class BlockDumper(yaml.SafeDumper):
    """Lists are indented below their key, as the example file has them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Never without an indent."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """Values that are the same object are written out."""
        return True


def merged(text: str, more: Mapping[str, Any], where: str) -> str:
    """The text with ``more`` in it. Lists are added to; a value that is there already is kept.

    Raises ConflictError that names every setting of another value, DocumentError for a text that
    is no mapping in YAML.
    """
    tree, _ = read_nodes(text, where)
    if tree is None or _is_null(tree):
        return _joined(text, _block(more))
    if not isinstance(tree, yaml.MappingNode):
        raise DocumentError(f"{where}:1: document: expected a mapping (key: value)")
    found = _Merge(text, where)
    found.mapping(tree, more, ())
    if found.conflicts:
        raise ConflictError(
            "\n".join(found.conflicts), hint="Take one of the two out; nothing was written."
        )
    result = _edited(text, found.edits)
    _must_say(result, united(yaml.safe_load(text), more), where)
    return result


@dataclass(slots=True)
class _Merge:
    """Walks both trees, and collects what to put where."""

    text: str
    where: str
    edits: list[Edit] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)

    def mapping(self, node: yaml.MappingNode, more: Mapping[str, Any], path: Path) -> None:
        """Put each of ``more`` into a mapping, or below a key that it has."""
        there = {key.value: (key, value) for key, value in node.value}
        new = {name: value for name, value in more.items() if name not in there}
        for name, value in more.items():
            if name in there:
                key, found = there[name]
                if _is_empty(found):
                    self._instead(key, found, value, bool(node.flow_style))
                else:
                    self._value(key, found, value, (*path, name))
        if new and node.flow_style:
            self._into_flow(node, _flow(new)[1:-1])
        elif new:
            self._behind(node, _block(new))

    def _value(self, key: yaml.Node, node: yaml.Node, value: Any, path: Path) -> None:
        if isinstance(value, Mapping) and isinstance(node, yaml.MappingNode):
            self.mapping(node, value, path)
        elif isinstance(value, list) and isinstance(node, yaml.SequenceNode):
            self._items(node, value)
        elif _said(node) != value:
            line = key.start_mark.line + 1
            there, wanted = _flow(_said(node)), _flow(value)
            self.conflicts.append(
                f"{self.where}:{line}: {dotted(path)} is {there} here, and would be {wanted}"
            )

    def _items(self, node: yaml.SequenceNode, value: Sequence[Any]) -> None:
        there = [_said(each) for each in node.value]
        new = [each for each in value if each not in there]
        if not new:
            return
        if node.flow_style:
            self._into_flow(node, _flow(new)[1:-1])
        else:
            self._behind(node, _block(new))

    def _into_flow(self, node: yaml.CollectionNode, inside: str) -> None:
        """In front of the closing bracket."""
        end = node.end_mark.index - 1
        comma = ", " if node.value else ""
        self.edits.append((end, end, comma + inside))

    def _behind(self, node: yaml.CollectionNode, block: str) -> None:
        """Behind the last line of a block, as deep as its first."""
        self._lines(_line_end(self.text, _last(node)), node.start_mark.column, block)

    def _instead(self, key: yaml.Node, node: yaml.Node, value: Any, flow: bool) -> None:
        """For a key that has nothing yet: a block below its line, or in the line where that is all.

        A comment behind the key stays there.
        """
        written = node.end_mark.index > node.start_mark.index
        start = node.start_mark.index if written else key.end_mark.index + 1
        end = node.end_mark.index if written else start
        if flow or not value or not isinstance(value, Mapping | list):
            self.edits.append((start, end, ("" if written else " ") + _flow(value)))
            return
        if written:
            self.edits.append((start, end, ""))
        self._lines(_line_end(self.text, end), key.start_mark.column + 2, _block(value))

    def _lines(self, place: int, column: int, block: str) -> None:
        lines = "".join(f"{' ' * column}{line}\n" for line in block.splitlines())
        ends = self.text[:place].endswith("\n") or place == 0
        self.edits.append((place, place, ("" if ends else "\n") + lines))


def _edited(text: str, edits: Sequence[Edit]) -> str:
    """From the end to the start; what is put in one place sorts by indent, the deepest first."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _last(node: yaml.Node) -> int:
    """Where the last scalar of a block ends: its own end is behind comments that follow."""
    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        if isinstance(last, tuple):
            key, value = last
            node = key if _is_null(value) and not value.value else value
        else:
            node = last
    return int(node.end_mark.index)


def _line_end(text: str, place: int) -> int:
    """Behind the end of the line that a character stands in; a folded text ends at a new line."""
    if place and text[place - 1] == "\n":
        return place
    end = text.find("\n", place)
    return len(text) if end < 0 else end + 1


def _said(node: yaml.Node) -> Any:
    """The value of a node."""
    return yaml.SafeLoader("").construct_document(node)


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _is_empty(node: yaml.Node) -> bool:
    """Whether a key has nothing: null, {} or []."""
    return _is_null(node) or (isinstance(node, yaml.CollectionNode) and not node.value)


def _block(value: Any) -> str:
    return str(yaml.dump(value, Dumper=BlockDumper, sort_keys=False, allow_unicode=True))


def _flow(value: Any) -> str:
    text = yaml.dump(
        value, Dumper=yaml.SafeDumper, default_flow_style=True, sort_keys=False, width=10_000,
        allow_unicode=True,
    )  # fmt: skip
    return str(text).removesuffix("...\n").strip()


def _joined(text: str, block: str) -> str:
    """Behind a text of comments alone. A null that is written out would be a second document."""
    kept = "".join(line for line in text.splitlines(True) if line.lstrip().startswith("#"))
    return f"{kept}{'' if kept.endswith(chr(10)) or not kept else chr(10)}{block}"


def united(there: Any, more: Any) -> Any:
    """Two values as one: mappings by key, lists one behind the other; else what is there."""
    if isinstance(there, Mapping) and isinstance(more, Mapping):
        names = [*there, *(name for name in more if name not in there)]
        return {
            name: united(there[name], more[name])
            if name in there and name in more
            else (there if name in there else more)[name]
            for name in names
        }
    if isinstance(there, list) and isinstance(more, list):
        return [*there, *(each for each in more if each not in there)]
    return more if there in (None, {}, []) else there


def _must_say(text: str, wanted: Any, where: str) -> None:
    """A layout that nobody thought of must not end in other settings than were meant."""
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError:
        said = None
    if said != wanted:
        raise DocumentError(
            f"{where}: these settings cannot be put into this file as it is laid out.",
            hint="Print them without -o, and put them in by hand.",
        )
