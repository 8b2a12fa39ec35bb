"""YAML text to validated values, with errors that a person can act on.

Every complaint names the file, the line, the path of the field and what was expected there;
all complaints of a file come at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from sparkwell.core.errors import DocumentError

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONGEST_VALUE = 80
_DEEPEST = 50
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(_SafeLoader):  # type: ignore[misc]  # the C loader where there is one
    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Say where a value cannot be read (the date 2026-99-99), which PyYAML does not."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, ArithmeticError):
            kind = node.tag.rsplit(":", 1)[-1]
            said = f"{_short(node.value)} cannot be read as {kind}"
            raise yaml.constructor.ConstructorError(
                problem=said, problem_mark=node.start_mark
            ) from None


def parse_document(text: str, schema: type[Model], where: str) -> Model:
    """Validate YAML ``text`` against ``schema``; ``where`` names the file in messages.

    Raises DocumentError with one line per problem.
    """
    return parse_with_lines(text, schema, where)[0]


def parse_with_lines(
    text: str, schema: type[Model], where: str
) -> tuple[Model, Mapping[Path, int]]:
    """As ``parse_document``, with the line (from 1) of each path, for checks that come later."""
    data, lines = _read(text, where)
    try:
        return schema.model_validate({} if data is None else data), lines
    except ValidationError as error:
        raise DocumentError("\n".join(_problems(error, schema, lines, where))) from None


def read_nodes(
    text: str, where: str, *, merging: bool = False
) -> tuple[yaml.Node | None, dict[Path, int]]:
    """The nodes of one document, bounded in depth, and the line of each path; None for no node.

    ``merging`` lets merge keys pass, for a reader that resolves them within a limit of its own.
    Raises DocumentError for what is no YAML, and for a key that is there twice.
    """
    with _as_document_errors(text, where):
        _refuse_what_grows(text, where, merging)
        tree = _Loader(text).get_single_node()
        return tree, {} if tree is None else _lines_by_path(tree, where)


def dotted(path: Sequence[str | int]) -> str:
    """A path as people write it: ``("a", 0, "b")`` is ``a[0].b``."""
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(parts).lstrip(".")


def _read(text: str, where: str) -> tuple[Any, dict[Path, int]]:
    """The document's data, and the line of each path in it."""
    tree, lines = read_nodes(text, where)
    if tree is None:
        return None, lines
    with _as_document_errors(text, where):
        return _Loader("").construct_document(tree), lines


@contextmanager
def _as_document_errors(text: str, where: str) -> Iterator[None]:
    try:
        yield
    except yaml.YAMLError as error:
        raise DocumentError(_not_yaml(error, text, where)) from None
    except UnicodeError:
        raise DocumentError(f"{where}: this is not text in UTF-8") from None
    except RecursionError:  # nesting is bounded above, so only by an alias
        raise DocumentError(f"{where}: this contains itself") from None


def _refuse_what_grows(text: str, where: str, merging: bool) -> None:
    """Refuse, before anything is built, what a short text can make endless.

    Past some ten thousand levels PyYAML's C loader ends the process; a merge key copies what it
    names, so that seven levels of them in 400 bytes take seconds. Events neither nest nor copy.
    """
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=_Loader):
        if not merging and _is_merge_key(event):
            line = event.start_mark.line + 1
            said = "the merge key << is not taken here; write the fields out"
            raise DocumentError(f"{where}:{line}: {said}")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            line = event.start_mark.line + 1
            raise DocumentError(f"{where}:{line}: this is nested deeper than {_DEEPEST} levels")


def _is_merge_key(event: Any) -> bool:
    """Whether PyYAML will merge here: a bare ``<<``, or the tag itself on anything."""
    if getattr(event, "tag", None) == _MERGE:
        return True
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]


def _not_yaml(error: yaml.YAMLError, text: str, where: str) -> str:
    mark = getattr(error, "problem_mark", None)
    last = len(text.splitlines()) or 1  # an unfinished document is marked below its end
    line = f":{min(mark.line + 1, last)}" if mark else ""
    said = getattr(error, "problem", None) or str(error).replace("\n", " ")
    return f"{where}{line}: this is not YAML: {said}"


def _lines_by_path(tree: yaml.Node, where: str) -> dict[Path, int]:
    """Every path of the document with the line (from 1) where its key, or item, stands.

    YAML forbids a key twice, PyYAML keeps the last one silently: a lost setting, so refused.
    """
    lines: dict[Path, int] = {}
    for path, line in _paths(tree, (), set()):
        if path in lines:
            said = f"this key is there twice, first in line {lines[path]}"
            raise DocumentError(f"{where}:{line}: {dotted(path)}: {said}")
        lines[path] = line
    return lines


def _paths(node: yaml.Node, path: Path, seen: set[int]) -> Iterator[tuple[Path, int]]:
    """Walk the tree; what an alias repeats is walked once, since aliases may go in circles."""
    if id(node) in seen:
        return
    seen.add(id(node))
    for step, marked, value in _children(node):
        yield (*path, step), marked.start_mark.line + 1
        yield from _paths(value, (*path, step), seen)


def _children(node: yaml.Node) -> Iterator[tuple[str | int, yaml.Node, yaml.Node]]:
    """What is right below: the step to it, the node that has its line, and its value."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):  # no schema takes another kind of key
                yield key.value, key, value
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield index, value, value


def _problems(
    error: ValidationError, schema: type[BaseModel], lines: dict[Path, int], where: str
) -> list[str]:
    """One line per wrong place; a place that takes several types has a complaint for each."""
    places: dict[Path, list[Any]] = {}
    for entry in error.errors(include_url=False):
        places.setdefault(_place(entry, lines), []).append(entry)
    return [
        f"{where}:{_line_of(path, lines)}: {dotted(path) or 'document'}: "
        f"{_all_said(places[path], schema)}"
        for path in sorted(places, key=lambda path: _line_of(path, lines))
    ]


def _all_said(entries: Sequence[Any], schema: type[BaseModel]) -> str:
    said = dict.fromkeys(_said(entry, schema) for entry in entries)
    return " or ".join(said) + _given(entries[0])


def _place(entry: Any, lines: dict[Path, int]) -> Path:
    """Where the complaint belongs; pydantic adds the tried type of a union to the path."""
    path: Path = tuple(entry["loc"])
    while entry["type"] != "missing" and path and path not in lines:
        as_text = (*path[:-1], str(path[-1]))  # a key that YAML reads as a number
        path = as_text if as_text in lines else path[:-1]
    return path


def _line_of(path: Path, lines: dict[Path, int]) -> int:
    """The line of the field, or of the nearest thing around it that stands in the file."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _said(entry: Any, schema: type[BaseModel]) -> str:
    if entry["type"] == "extra_forbidden":
        return _unknown_key(tuple(entry["loc"]), schema)
    if entry["type"] == "missing":
        return "this field is required and missing"
    if entry["type"] in ("model_type", "dict_type"):
        return "expected a mapping (key: value)"
    said = str(entry["msg"]).removeprefix("Value error, ")
    return said[0].lower() + said[1:]


def _given(entry: Any) -> str:
    """What stands there instead, unless that is long or already said."""
    given = entry.get("input")
    silent = entry["type"] in ("extra_forbidden", "missing") or isinstance(given, dict | list)
    return "" if silent else f" (got {_short(given)})"


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to print integers of thousands of digits
        return "a very large number"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _unknown_key(path: Path, schema: type[BaseModel]) -> str:
    known = _fields_at(path[:-1], schema)
    near = get_close_matches(str(path[-1]), known, n=1)
    if near:
        return f"unknown key; did you mean {near[0]!r}?"
    return f"unknown key; expected one of: {', '.join(known)}" if known else "unknown key"


def _fields_at(path: Path, schema: type[BaseModel]) -> list[str]:
    """The keys that the schema knows at ``path``; empty where it cannot be told."""
    here: type[BaseModel] | None = schema
    free = False  # the next step is a key that the user chose, or an index
    for step in path:
        if free or here is None or isinstance(step, int):
            free = False
            continue
        field = here.model_fields.get(step)
        here = _model_in(field.annotation) if field else None
        free = field is not None and _is_mapping(field.annotation)
    return [field.alias or name for name, field in here.model_fields.items()] if here else []


def _is_mapping(annotation: Any) -> bool:
    """Whether the annotation is ``dict[str, X]``, or that or None."""
    origin = get_origin(annotation)
    if isinstance(origin, type):
        return issubclass(origin, Mapping)
    return any(_is_mapping(argument) for argument in get_args(annotation))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model class inside ``X``, ``X | None``, ``tuple[X, ...]`` or ``dict[str, X]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in inner if model), None)
