"""A Compose file's YAML as texts with their lines: nothing is a number, a date or a boolean yet.

PyYAML would read the port 22:22 as 1342 (a number to the base 60) and the value no as false. Merge
keys and aliases work; what they could make endless is bounded. Secrets never come this far: a
text that holds one is replaced by ``SECRET``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import yaml

from sparkwell.core.documents import read_nodes
from sparkwell.core.errors import DocumentError

SECRET = "\ue000"  # noqa: S105 - a mark, no secret
"""Stands in a text where a secret was."""
LONGEST_TEXT = 1_000_000
_MOST_MERGED = 100_000
_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"
# Tokens of the Hub, keys of OpenAI's kind, and those of GitHub.
_TOKEN = re.compile(r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,})")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Item:
    """One value and its line (from 1). One of the three is set; none of them for null.

    ``literal_secret`` says that the file itself has a token there, as text.
    """

    line: int
    text: str | None = None
    items: "tuple[Item, ...] | None" = None
    fields: "Mapping[str, Item] | None" = None
    literal_secret: bool = False

    @property
    def has_secret(self) -> bool:
        """Whether a secret stood in the text."""
        return self.text is not None and SECRET in self.text


Fill = Callable[[str, int], str]
"""Puts variables into a text that stands in that line."""


def redacted(text: str) -> str:
    """A message without anything that looks like a token."""
    return _TOKEN.sub("(a token)", text).replace(SECRET, "(a secret)")


def read_items(text: str, where: str, fill: Fill) -> Item:
    """The document; an empty one is null. Raises DocumentError that names file and line."""
    if len(text) > LONGEST_TEXT:
        raise DocumentError(f"{where}: more than {LONGEST_TEXT:,} characters are no Compose file")
    tree, _ = read_nodes(text, where, merging=True)
    return Item(1) if tree is None else _Builder(where, fill).item(tree)


@dataclass(slots=True)
class _Builder:
    """Makes items of nodes, each node once, whatever aliases repeat."""

    where: str
    fill: Fill
    done: dict[int, Item] = field(default_factory=dict)
    busy: set[int] = field(default_factory=set)
    merged: int = 0

    def item(self, node: yaml.Node) -> Item:
        """The item of a node; raises DocumentError."""
        if id(node) in self.done:
            return self.done[id(node)]
        line = _line(node)
        if id(node) in self.busy:
            raise DocumentError(f"{self.where}:{line}: this contains itself")
        self.busy.add(id(node))
        made = self._made(node, line)
        self.busy.remove(id(node))
        self.done[id(node)] = made
        return made

    def _made(self, node: yaml.Node, line: int) -> Item:
        if isinstance(node, yaml.MappingNode):
            return Item(line, fields=self._fields(node))
        if isinstance(node, yaml.SequenceNode):
            return Item(line, items=tuple(self.item(each) for each in node.value))
        if node.tag == _NULL:
            return Item(line)
        return self._text(str(node.value), line)

    def _text(self, raw: str, line: int) -> Item:
        clean = _TOKEN.sub(SECRET, raw)
        return Item(line, self.fill(clean, line), literal_secret=clean != raw)

    def _fields(self, node: yaml.MappingNode) -> dict[str, Item]:
        own: dict[str, Item] = {}
        merged: dict[str, Item] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                merged |= self._merged(value)
            else:
                own[self._key(key)] = replace(self.item(value), line=_line(key))
        return {**merged, **own}

    def _merged(self, value: yaml.Node) -> dict[str, Item]:
        """The fields of one mapping, or of several of which an earlier one wins."""
        sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
        fields: dict[str, Item] = {}
        for source in reversed(sources):
            found = self.item(source).fields
            if found is None:
                raise DocumentError(f"{self.where}:{_line(value)}: << takes mappings alone")
            self._count(len(found), value)
            fields |= found
        return fields

    def _count(self, more: int, node: yaml.Node) -> None:
        self.merged += more
        if self.merged > _MOST_MERGED:
            said = f"merge keys make more than {_MOST_MERGED:,} fields here"
            raise DocumentError(f"{self.where}:{_line(node)}: {said}")

    def _key(self, key: yaml.Node) -> str:
        if not isinstance(key, yaml.ScalarNode):
            raise DocumentError(f"{self.where}:{_line(key)}: a key has to be a text")
        return _TOKEN.sub(SECRET, str(key.value))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
