"""Write flag_history.json: which flags `vllm serve` takes in which version, with which default.

The sources are read, never imported or run. FOLDER holds one folder for each version, named after
it, as an sdist unpacks (FOLDER/0.25.0/vllm/…):

    python tools/vllm_history.py FOLDER > src/sparkwell/engines/vllm/flag_history.json

A version's line in the result says nothing about versions between two that were read. A default
that is not a literal (an environment variable, an object) is left out of its entry.
"""

import ast
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.version import Version

from vllm_sources import Module, Tree, UnreadableError


@dataclass(frozen=True)
class Seen:
    """A flag in one version. ``default`` is empty when it cannot be read, else of one value.

    ``choices`` are the words that it takes when it takes no others.
    """

    default: tuple[Any, ...] = ()
    choices: tuple[Any, ...] = ()
    aliases: tuple[str, ...] = ()
    deprecated: bool = False


@dataclass
class Arguments:
    """Walks one function that registers arguments, and keeps what it learns on the way.

    ``classes`` says which class the local name ``cache_kwargs`` stands for, ``single`` which one
    field of a class, ``changed`` which defaults the function replaces before registering.
    """

    module: Module
    flags: dict[str, Seen] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    single: dict[str, tuple[str, str]] = field(default_factory=dict)
    changed: dict[tuple[str, str], ast.expr] = field(default_factory=dict)

    def walk(self, body: Iterable[ast.stmt]) -> dict[str, Seen]:
        """Every flag that the statements register."""
        for statement in body:
            match statement:
                case ast.If(body=inside, orelse=others):
                    self.walk([*inside, *others])
                case ast.Assign(targets=[target], value=value):
                    self._assign(target, value)
                case ast.Expr(value=ast.Call() as call):
                    self._call(call)
        return self.flags

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        match target, value:
            case ast.Name(id=name), ast.Call(func=ast.Name(id="get_kwargs"), args=[of]):
                self.classes[name] = ast.unparse(of)
            case ast.Name(id=name), ast.Subscript() if found := self._one_field(value):
                self.single[name] = found
            case ast.Subscript(value=what, slice=ast.Constant(value="default")), _:
                if found := self._one_field(what):
                    self.changed[found] = value

    def _one_field(self, node: ast.expr) -> tuple[str, str] | None:
        """The (class, field) that ``cache_kwargs["block_size"]`` or a name for it stands for."""
        match node:
            case ast.Name(id=name):
                return self.single.get(name)
            case ast.Subscript(
                value=ast.Call(func=ast.Name(id="get_kwargs"), args=[of]),
                slice=ast.Constant(value=str(name)),
            ):
                return ast.unparse(of), name
            case ast.Subscript(value=ast.Name(id=kwargs), slice=ast.Constant(value=str(name))):
                return (self.classes[kwargs], name) if kwargs in self.classes else None
        return None

    def _call(self, call: ast.Call) -> None:
        if not isinstance(call.func, ast.Attribute) or call.func.attr != "add_argument":
            return
        words = [str(arg.value) for arg in call.args if isinstance(arg, ast.Constant)]
        names = [word[2:].replace("-", "_") for word in words if word.startswith("--")]
        if names:
            self.flags[names[0]] = Seen(
                self._default(call), self._choices(call), tuple(names[1:]), self._deprecated(call)
            )

    def _choices(self, call: ast.Call) -> tuple[Any, ...]:
        found = self._of_call(call)
        return _sorted(self.module.field_words(*found)) if found else ()

    def _of_call(self, call: ast.Call) -> tuple[str, str] | None:
        """The field whose keywords a call takes over: ``**kwargs["x"]``, or that in a dict."""
        for keyword in call.keywords:
            if keyword.arg is None:
                inner = keyword.value
                return self._one_field(inner.values[0] if isinstance(inner, ast.Dict) else inner)
        return None

    def _default(self, call: ast.Call) -> tuple[Any, ...]:
        try:
            return (self._value(call),)
        except UnreadableError:
            return ()

    def _value(self, call: ast.Call) -> Any:
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        if "default" in named:
            return self._explicit(named["default"])
        if None in named:
            return self._expanded(named[None])
        action = named.get("action")
        return False if isinstance(action, ast.Constant) and action.value == "store_true" else None

    def _explicit(self, node: ast.expr) -> Any:
        match node:
            case ast.Subscript(value=what, slice=ast.Constant(value="default")):
                if found := self._one_field(what):
                    return self.of_field(*found)
        return self.module.value(node)

    def _expanded(self, node: ast.expr) -> Any:
        """The default within ``**kwargs["x"]`` or ``**{**kwargs["x"], "default": None}``."""
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "default":
                    return self.module.value(value)
            return self._expanded(node.values[0])
        found = self._one_field(node)
        if found is None:
            raise UnreadableError(ast.unparse(node))
        return self.of_field(*found)

    def of_field(self, class_name: str, name: str) -> Any:
        """The default of a field, as the function may have changed it; raises UnreadableError."""
        if (class_name, name) in self.changed:
            return self.module.value(self.changed[class_name, name])
        return self.module.field_value(class_name, name)

    def _deprecated(self, call: ast.Call) -> bool:
        spoken = ast.unparse(call).lower().replace("allow_deprecated", "")
        if "deprecat" in spoken.replace("allow-deprecated", ""):
            return True
        found = self._of_call(call)
        return found is not None and _says_deprecated(self.module, *found)


def _sorted(words: Iterable[Any]) -> tuple[Any, ...]:
    """Without their order, which changes from version to version for no reason."""
    return tuple(sorted(set(words), key=str))


def _says_deprecated(module: Module, class_name: str, name: str) -> bool:
    found = module.fields(class_name).get(name)
    return found is not None and found[1].text.lower().lstrip(" [").startswith("deprecated")


def flags_of(tree: Tree) -> dict[str, Seen]:
    """Every flag that `vllm serve` takes in that release."""
    engine, server = tree.named("vllm.engine.arg_utils"), _server(tree)
    if engine is None:
        raise SystemExit(f"{tree.root} has no vllm/engine/arg_utils.py")
    flags = Arguments(server).walk(server.functions["make_arg_parser"].body)
    flags |= _frontend(server)
    flags |= _serve_command(tree)
    for name in ("EngineArgs", "AsyncEngineArgs"):
        flags |= Arguments(engine).walk(_method(engine.classes[name], "add_cli_args").body)
    return flags


def _server(tree: Tree) -> Module:
    """The module with the server's own flags; it has moved twice (0.29, 0.33)."""
    for place in ("openai", "launchers", "common"):
        path = tree.root / "vllm" / "entrypoints" / place / "cli_args.py"
        if path.is_file():
            return tree.module(path)
    raise SystemExit(f"{tree.root}: no cli_args.py where it was expected")


def _frontend(server: Module) -> dict[str, Seen]:
    """FrontendArgs registers every field of its own; some defaults are replaced in methods."""
    reader = Arguments(server)
    reader.classes["frontend_kwargs"] = "FrontendArgs"
    for name in ("BaseFrontendArgs", "FrontendArgs"):
        for method in getattr(server.classes.get(name), "body", ()):
            if isinstance(method, ast.FunctionDef):
                reader.walk(method.body)
    return {name: _frontend_flag(reader, name) for name in server.fields("FrontendArgs")}


def _frontend_flag(reader: Arguments, name: str) -> Seen:
    try:
        default: tuple[Any, ...] = (reader.of_field("FrontendArgs", name),)
    except UnreadableError:
        default = ()
    words = _sorted(reader.module.field_words("FrontendArgs", name))
    return Seen(default, words, (), _says_deprecated(reader.module, "FrontendArgs", name))


def _serve_command(tree: Tree) -> dict[str, Seen]:
    serve = tree.named("vllm.entrypoints.cli.serve")
    if serve is None:
        return {}
    method = _method(serve.classes["ServeSubcommand"], "subparser_init")
    return Arguments(serve).walk(method.body)


def _method(node: ast.ClassDef, name: str) -> ast.FunctionDef:
    return next(
        part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == name
    )


def entry(name: str, releases: Mapping[str, Mapping[str, Seen]]) -> dict[str, Any]:
    """One flag through all releases: where it is seen, and its default wherever that changed."""
    versions = list(releases)
    seen = [version for version in versions if name in releases[version]]
    if versions[versions.index(seen[0]) :][: len(seen)] != seen:
        raise SystemExit(f"{name} comes, goes and comes again: {seen}")
    result: dict[str, Any] = {"first": seen[0], "last": seen[-1]}
    aliases = sorted({alias for version in seen for alias in releases[version][name].aliases})
    deprecated = [version for version in seen if releases[version][name].deprecated]
    result |= {"aliases": aliases} if aliases else {}
    result |= {"deprecated": deprecated[0]} if deprecated else {}
    defaults = list(_changes(seen, lambda version: releases[version][name].default))
    choices = list(_changes(seen, lambda version: (list(releases[version][name].choices),)))
    result["defaults"] = defaults
    return result | ({"choices": choices} if any(words for _, words in choices) else {})


def _changes(seen: Iterable[str], of: Callable[[str], tuple[Any, ...]]) -> Iterator[list[Any]]:
    before: tuple[Any, ...] | None = None
    for version in seen:
        now = of(version)
        if now != before:
            yield [version, *now]
        before = now


def history(folder: Path) -> dict[str, Any]:
    """The whole file, from every version below the folder."""
    versions = sorted((path.name for path in folder.iterdir() if _is_release(path)), key=Version)
    releases = {version: flags_of(Tree(folder / version)) for version in versions}
    names = sorted({name for flags in releases.values() for name in flags})
    return {"versions": versions, "flags": {name: entry(name, releases) for name in names}}


def _is_release(path: Path) -> bool:
    return path.name[:1].isdigit() and (path / "vllm").is_dir()


def as_text(found: Mapping[str, Any]) -> str:
    """One flag a line, so that a change of one is a change of one line."""
    lines = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in found["flags"].items()
    )
    note = "tools/vllm_history.py writes this file from vLLM's sources"
    return (
        f'{{"note": {json.dumps(note)},\n "versions": {json.dumps(found["versions"])},\n'
        f' "flags": {{\n{lines}\n}}}}\n'
    )


if __name__ == "__main__":
    sys.stdout.write(as_text(history(Path(sys.argv[1]))))
