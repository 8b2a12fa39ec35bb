"""An instance of a JSON schema, the same each time: what a structured answer says."""

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


def sample(schema: Json, root: Json | None = None) -> Any:
    """Make the simplest value that is not empty."""
    root = schema if root is None else root
    if "$ref" in schema:
        return sample(_referred(schema["$ref"], root), root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return sample(schema[key][0], root)
    return _of_type(schema, root)


def _of_type(schema: Json, root: Json) -> Any:
    kind = schema.get("type", "object")
    name = kind[0] if isinstance(kind, list) else kind
    simple: dict[str, Any] = {"string": "text", "number": 1.5, "boolean": True, "null": None}
    if name in simple:
        return simple[name]
    made: dict[str, Callable[[], Any]] = {
        "integer": lambda: schema.get("minimum", 1),
        "array": lambda: [sample(schema.get("items") or {"type": "string"}, root)],
    }
    return made.get(name, lambda: _object(schema, root))()


def _object(schema: Json, root: Json) -> Json:
    properties = schema.get("properties") or {}
    return {name: sample(property_, root) for name, property_ in properties.items()}


def _referred(reference: str, root: Json) -> Json:
    """Follow ``#/$defs/NAME``."""
    found: Any = root
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)
