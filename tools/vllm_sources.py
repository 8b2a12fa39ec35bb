"""Read vLLM's sources without importing them: classes with their fields, and literal defaults.

Used by tools/vllm_history.py. A ``Tree`` is one unpacked release; everything is read with ``ast``.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


class UnreadableError(Exception):
    """The value is not a literal: it comes from the environment, or an object is made of it."""


@dataclass(frozen=True)
class Field:
    """A class attribute: its default and its annotation, None when it has none; the text below."""

    default: ast.expr | None
    annotation: ast.expr | None
    text: str


class Tree:
    """One unpacked release of vLLM: the folder that holds the package ``vllm``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[Path, Module] = {}

    def module(self, path: Path) -> "Module":
        """The module at that path, read once."""
        if path not in self._modules:
            self._modules[path] = Module(self, path)
        return self._modules[path]

    def named(self, dotted: str) -> "Module | None":
        """The module of that dotted name; None when the release has none."""
        base = self.root.joinpath(*dotted.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return self.module(path)
        return None


class Module:
    """One file: its classes, functions, constants, and where its imported names come from."""

    def __init__(self, tree: Tree, path: Path) -> None:
        self.tree = tree
        self.path = path
        self.body = ast.parse(path.read_text(encoding="utf-8")).body

    @cached_property
    def classes(self) -> Mapping[str, ast.ClassDef]:
        """Classes by name."""
        return {node.name: node for node in self.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def functions(self) -> Mapping[str, ast.FunctionDef]:
        """Functions by name."""
        return {node.name: node for node in self.body if isinstance(node, ast.FunctionDef)}

    @cached_property
    def constants(self) -> Mapping[str, ast.expr]:
        """Values of names that are bound once at the top of the file."""
        found: dict[str, ast.expr] = {}
        for node in self.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    found[name] = value
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    found[name] = value
                case _:
                    pass
        return found

    @cached_property
    def imports(self) -> Mapping[str, tuple[str, str]]:
        """Local name -> (module, its name there), for everything imported from vLLM itself."""
        return {
            alias.asname or alias.name: (self._absolute(node), alias.name)
            for top in self.body
            for node in ast.walk(top)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.path.relative_to(self.tree.root).parent.parts
        kept = package[: len(package) - node.level + 1]
        return ".".join([*kept, *([node.module] if node.module else [])])

    def find_class(self, name: str) -> "tuple[Module, ast.ClassDef] | None":
        """The class that this name means here, followed through imports."""
        if name in self.classes:
            return self, self.classes[name]
        origin, there = self.imports.get(name, ("", ""))
        module = self.tree.named(origin) if origin.startswith("vllm") else None
        return module.find_class(there) if module else None

    def fields(self, name: str) -> dict[str, tuple["Module", Field]]:
        """Fields of a class, its bases' first, with the module that each was read in."""
        found = self.find_class(name)
        if found is None:
            return {}
        module, node = found
        fields: dict[str, tuple[Module, Field]] = {}
        for base in node.bases:
            if isinstance(base, ast.Name):
                fields |= module.fields(base.id)
        return fields | {name: (module, field) for name, field in _own_fields(node)}

    def value(self, node: ast.expr) -> Any:
        """The value of an expression that can be read without running anything."""
        return _Reader(self).read(node)

    def words(self, node: ast.expr) -> list[Any]:
        """The words that a type takes, when it takes no others; raises UnreadableError."""
        return _Words(self).read(node)

    def field_words(self, class_name: str, field_name: str) -> list[Any]:
        """The words that a field takes; empty when it takes others too, or cannot be read."""
        found = self.fields(class_name).get(field_name)
        if found is None or found[1].annotation is None:
            return []
        try:
            return found[0].words(found[1].annotation)
        except UnreadableError:
            return []

    def field_value(self, class_name: str, field_name: str) -> Any:
        """The default of a field; raises UnreadableError."""
        found = self.fields(class_name).get(field_name)
        if found is None or found[1].default is None:
            raise UnreadableError(f"{class_name}.{field_name}")
        return found[0].value(found[1].default)


def _own_fields(node: ast.ClassDef) -> Iterator[tuple[str, Field]]:
    for position, part in enumerate(node.body):
        match part:
            case ast.AnnAssign(target=ast.Name(id=name), value=value, annotation=annotation):
                yield name, Field(value, annotation, _text_below(node.body, position))
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, Field(value, None, _text_below(node.body, position))
            case _:
                pass


def _text_below(body: list[ast.stmt], position: int) -> str:
    match body[position + 1 : position + 2]:
        case [ast.Expr(value=ast.Constant(value=str(text)))]:
            return text
        case _:
            return ""


class _Words:
    """Collects what a type takes when it takes only listed words: Literal, and names for it."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def read(self, node: ast.expr) -> list[Any]:
        """The words; raises UnreadableError for a type that takes anything else too."""
        match node:
            case ast.Constant(value=None):
                return []
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return [*self.read(left), *self.read(right)]
            case ast.Name(id=name):
                return self._name(name)
            case ast.Subscript(value=ast.Name(id=name), slice=inner):
                return self._subscript(name, inner)
        raise UnreadableError(ast.unparse(node))

    def _subscript(self, name: str, inner: ast.expr) -> list[Any]:
        parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        if name == "Literal":
            return [
                word
                for part in parts
                for word in ([part.value] if isinstance(part, ast.Constant) else self.read(part))
            ]
        if name in ("Optional", "Union", "SkipValidation"):
            return [word for part in parts for word in self.read(part)]
        raise UnreadableError(name)

    def _name(self, name: str) -> list[Any]:
        if name in self.module.constants:
            return self.read(self.module.constants[name])
        origin, there = self.module.imports.get(name, ("", ""))
        module = self.module.tree.named(origin) if origin.startswith("vllm") else None
        if module is None:
            raise UnreadableError(name)
        return module.words(ast.Name(id=there, ctx=ast.Load()))


class _Reader:
    """Evaluates literals, arithmetic on them, constants, and fields of other classes."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def read(self, node: ast.expr) -> Any:
        """The value of the expression; raises UnreadableError."""
        match node:
            case ast.Name(id=name):
                return self._name(name)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self._call(node)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return [self.read(part) for part in parts]
        return self._computed(node)

    def _computed(self, node: ast.expr) -> Any:
        match node:
            case ast.BinOp(left=left, op=op, right=right):
                return _operator(op)(self.read(left), self.read(right))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self.read(operand)
        try:
            return ast.literal_eval(node)
        except ValueError:
            raise UnreadableError(ast.unparse(node)) from None

    def _name(self, name: str) -> Any:
        if name in self.module.constants:
            return self.read(self.module.constants[name])
        origin, there = self.module.imports.get(name, ("", ""))
        module = self.module.tree.named(origin) if origin.startswith("vllm") else None
        if module is None:
            raise UnreadableError(name)
        return module.value(ast.Name(id=there, ctx=ast.Load()))

    def _attribute(self, node: ast.Attribute) -> Any:
        match node:
            case ast.Attribute(value=ast.Name(id="argparse"), attr="SUPPRESS"):
                return None
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name != "envs":
                return self.module.field_value(name, attr)
            case ast.Attribute(value=inner, attr="value"):
                return self.read(inner)
        raise UnreadableError(ast.unparse(node))

    def _call(self, node: ast.Call) -> Any:
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        match node.func:
            case ast.Name(id="Field" | "field"):
                return self._field(node, named)
            case ast.Name(id="get_field"):
                return self.module.field_value(ast.unparse(node.args[0]), self.read(node.args[1]))
            case ast.Name(id="cast"):
                return self.read(node.args[1])
            case ast.Name(id="set" | "list" | "tuple") if not node.args:
                return []
        raise UnreadableError(ast.unparse(node))

    def _field(self, node: ast.Call, named: Mapping[str | None, ast.expr]) -> Any:
        default = named.get("default", node.args[0] if node.args else None)
        if default is not None:
            return self.read(default)
        match named.get("default_factory"):
            case ast.Name(id="list" | "set" | "tuple"):
                return []
            case ast.Name(id="dict"):
                return {}
            case ast.Lambda(body=body):
                return self.read(body)
        raise UnreadableError(ast.unparse(node))


def _operator(op: ast.operator) -> Callable[[Any, Any], Any]:
    known: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
        ast.Add: lambda left, right: left + right,
        ast.Sub: lambda left, right: left - right,
        ast.Mult: lambda left, right: left * right,
        ast.Pow: lambda left, right: left**right,
    }
    if type(op) not in known:
        raise UnreadableError(type(op).__name__)
    return known[type(op)]
