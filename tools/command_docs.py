"""Write docs/commands.md, settings.md, recipes.md and tuned.md from the code: `make docs`.

With --check nothing is written: the exit status is 1 when a file is not what it should be.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

import recipe_fields
import tuned_fields
from generated import bring_up_to_date
from sparkwell.app.editing.flags import EDITABLE
from sparkwell.app.settings.config import Settings
from sparkwell.catalog import Recipe
from sparkwell.catalog.tuned import GOALS, Tuned, profile_of
from sparkwell.catalog.tuned_files import load_tuned
from sparkwell.cli.main import cli
from sparkwell.engines.vllm.flags import FLAGS, OWNED

DOCS = Path(__file__).parent.parent / "docs"
WIDTH = 88
NOTE = "<!-- Written by tools/command_docs.py from the code: change that, then run `make docs`. -->"

Schema = Mapping[str, Any]
Field = tuple[str, Schema, bool]
"""A field's path, its JSON Schema, and whether it must be set."""


# ── commands ────────────────────────────────────────────────────────────────────────────────


COMMANDS = """\
# Commands

{note}

What every command prints with `--help`. Options before the command (`--config`, `--recipes`,
`--system`) hold for all of them.

Exit codes: 0 done; 1 `preflight` or `doctor` found an error, a run of `bench` or `verify` is not
whole, or requests of it failed; 2 refused, with the reason on stderr; 130 interrupted, and 143 by
SIGTERM where `bench` or `tune` was. `--json` prints one JSON document on stdout and nothing else
there; with it, an error is a JSON document on stderr.

{sections}
"""


def commands_page() -> str:
    """Every command with the help that it prints."""
    sections = "\n\n".join(command_sections(cli, None, "sparkwell"))
    return COMMANDS.format(note=NOTE, sections=sections)


def command_sections(
    command: click.Command, parent: click.Context | None, name: str
) -> Iterator[str]:
    """A section for the command, then for those below it."""
    ctx = command.make_context(
        name, [], parent, resilient_parsing=True, terminal_width=WIDTH, color=False
    )
    yield f"## {ctx.command_path}\n\n```text\n{command.get_help(ctx).strip()}\n```"
    if isinstance(command, click.Group):
        for below in command.list_commands(ctx):
            found = command.get_command(ctx, below)
            if found and not found.hidden:
                yield from command_sections(found, ctx, below)


# ── settings ────────────────────────────────────────────────────────────────────────────────


SETTINGS = """\
# Settings

{note}

The settings of a host lie in `sparkwell.yaml`, in `~/.config/sparkwell/` or where `--config` says.
All are optional. `sparkwell config example` prints the file with comments, `sparkwell config
schema` its JSON Schema, `sparkwell config show` what is in force. A key that does not exist is an
error with its line. `sparkwell init` looks at this machine and writes a file that says above each
line what was found; `sparkwell import docker-compose.yml -o FILE` puts into it what a Compose file
serves, and keeps what is there.

{settings}

## Changed from the dashboard

The recipe page of the dashboard changes `models.NAME` in this file, and nothing else of it: the
profile, the limits `idle_s`, `pinned`, `priority` and `back_end`, and these flags:

{editable}

A flag is there when its type is checked and it names neither code nor files nor a place in the
network. Image, mounts, driver, the environment and all other flags stay as the file has them. An
empty field takes the key out, and the recipe or the profile chooses again. Comments and order stay;
a comment in the line of a key that is taken out goes with it. A file that was changed since the
page was opened is not written over, nor is one that does not load. A value that stands in the file
by a YAML anchor is not changed; the page then says to do that by hand. The daemon goes by the new
values from the next start on: a model that runs keeps what it has until `sparkwell restart NAME`.
Changes by hand to other models are taken over by the same save, other sections when the daemon
begins.

## Flags of vLLM

`models.NAME.flags`, a recipe's `serve.flags` and `sparkwell up MODEL --set FLAG=VALUE` take vLLM's
own flags. `--set` wins over sparkwell.yaml, and that over the recipe. Type and range of these are
checked before anything starts:

{flags}

Any other flag that the recorded version of vLLM has is passed on as it is; a name that it does not
have is refused, with near ones. So are these, which are Sparkwell's own:

{owned}
"""


def settings_page() -> str:
    """Every setting, then the flags that `models.NAME.flags` and `--set` take."""
    settings = (
        (f"`{path}`", in_words(schema), default_in_words(schema), schema.get("description", ""))
        for path, schema, _ in fields(Settings.model_json_schema())
        if "properties" not in schema
    )
    flags = ((f"`{flag.name}`", flag.expected, flag.purpose) for flag in FLAGS.values())
    editable = ((", ".join(f"`{name}`" for name in names), why) for why, names in EDITABLE.items())
    return SETTINGS.format(
        note=NOTE,
        settings=table(("setting", "takes", "default", "meaning"), settings),
        editable=table(("flags", "why they may be changed"), editable),
        flags=table(("flag", "takes", "meaning"), flags),
        owned=table(("flag", "why"), ((f"`{name}`", why) for name, why in OWNED.items())),
    )


# ── recipes ─────────────────────────────────────────────────────────────────────────────────


RECIPES = """\
# Recipes

{note}

A recipe is one YAML file: what a model is, where it comes from, how it is served, what it is good
for. The shipped ones lie in `src/sparkwell/catalog/recipes/`. Your own go into
`~/.config/sparkwell/recipes/`, into a folder that the setting `recipes` names, or into one given
with `sparkwell --recipes FOLDER`; a name that exists already replaces the earlier recipe.

A file that is not right is left out with a message that names the file, the line, the field and
what was expected; all other recipes still load.

Flags that were measured on one machine are no recipe but an overlay over one: [tuned.md](tuned.md).

Exactly one of `repo` and `bundled` is set. A field of a part (`serve.env`) that is required is so
when the part is there.

{rows}
"""


def recipes_page() -> str:
    """Every field of a recipe. Raises KeyError when meanings and fields differ."""
    return RECIPES.format(note=NOTE, rows=fields_table(Recipe, recipe_fields.MEANINGS))


def fields_table(document: type[BaseModel], meanings: Mapping[str, str]) -> str:
    """Every field of a document. Raises KeyError when meanings and fields differ."""
    schema = document.model_json_schema()
    found = {path: (schema, needed) for path, schema, needed in fields(schema)}
    if found.keys() != meanings.keys():
        raise KeyError(f"{document.__name__}: {sorted(found.keys() ^ meanings.keys())}")
    rows = (
        (
            f"`{path}`",
            in_words(schema),
            "required" if needed else default_in_words(schema),
            meanings[path],
        )
        for path, (schema, needed) in found.items()
    )
    return table(("field", "takes", "default", "meaning"), rows)


# ── overlays ────────────────────────────────────────────────────────────────────────────────


TUNED = """\
# Tuned flags

{note}

`sparkwell tune MODEL --goal throughput` measures flags on this machine ([tune.md](tune.md)). What
it finds is an overlay: one YAML file with all flags of a start, the flags that they were compared
with, and the evidence. It changes nothing by itself. A profile of its own name starts with it:

{profiles}

`sparkwell up`, `plan`, `compose`, `compare` and `preflight` take such a profile with `--profile`,
`models.NAME.profile` in sparkwell.yaml takes it, and the dashboard offers it for a model that has
one here. Its flags are taken as they are, on a CPU too; what `--set` and sparkwell.yaml give wins.
The planner checks them as any others: `up` refuses what does not fit. `sparkwell plan MODEL
--profile tuned-throughput` shows the evidence under the flags, and `--json` the overlay whole, in
`tuned`.

## Whose it is
An overlay is for one recipe, machine, number of GPUs, version of the engine and goal. Nobody else
gets it: with another version, or on another machine, the profile is refused with the names of those
that there are. All machines without an NVIDIA GPU are called `cpu`, so the memory that an engine
sees is compared too, and may differ by 5 %. Two of them with other processors and the same memory
are not told apart: keep their overlays in folders of their own.

What you set beside it was not measured with it; the plan says which flags that are. Nor were the
figures taken beside other models: a start beside one that leaves too little memory is refused.

## Where it lies
Yours are in `~/.config/sparkwell/tuned/`, as RECIPE.MACHINE.VERSION.GOAL.yaml; those that come with
Sparkwell are in `src/sparkwell/catalog/tuned/`. Yours win. A new one replaces the one of that name,
and the old one stays beside it with the ending `.old`. They are read when they are asked for: a
daemon that runs knows a new one at once. A file that is not right is left out with a message that
names the file, the line and the field; `sparkwell models` prints it.

These come with Sparkwell; [benchmarks.md](benchmarks.md) has what they gained:

{shipped}

## The way back
Start with the profile in `before_profile`, most often `balanced`:

```bash
sparkwell up qwen3-8b-fp8 --profile balanced
```

A start with tuned flags that fails, or does not fit, names that profile in its hint. To take an
overlay back for good, delete its file and the profile in sparkwell.yaml; to have the one before,
rename its `.old` file.

## Fields

{rows}
"""


def tuned_page() -> str:
    """What an overlay is, and every field. Raises KeyError when meanings and fields differ."""
    profiles = ((f"`{profile_of(goal)}`", AIMS[goal]) for goal in GOALS)
    return TUNED.format(
        note=NOTE,
        profiles=table(("profile", "what it was measured to be best at"), profiles),
        shipped=table(
            ("model", "profile", "machine", "engine", "measured"), map(_shipped, SHIPPED)
        ),
        rows=fields_table(Tuned, tuned_fields.MEANINGS),
    )


SHIPPED = load_tuned().overlays


def _shipped(tuned: Tuned) -> tuple[str, ...]:
    machine = tuned.title if tuned.gpus == 1 else f"{tuned.gpus} x {tuned.title}"
    engine = f"{tuned.engine} {tuned.version}"
    return (f"`{tuned.recipe}`", tuned.profile, machine, engine, str(tuned.evidence.date))


AIMS = {
    "throughput": "Most tokens a second from all requests together.",
    "latency": "The quickest answers, with few clients.",
    "concurrency": "Most requests at once that keep to the limits in `slo`.",
    "goodput": "Most answers a second that keep to the limits in `slo`.",
}


# ── from JSON Schema to words ───────────────────────────────────────────────────────────────


def fields(schema: Schema) -> Iterator[Field]:
    """All fields, a part before the fields in it; paths are dotted."""
    return _fields(schema, schema.get("$defs", {}), "")


def _fields(schema: Schema, shared: Mapping[str, Schema], prefix: str) -> Iterator[Field]:
    for name, value in schema.get("properties", {}).items():
        path, found = f"{prefix}{name}", resolved(value, shared)
        yield path, found, name in schema.get("required", ())
        part, below = part_of(found, shared)
        yield from _fields(part, shared, f"{path}{below}.")


def resolved(schema: Schema, shared: Mapping[str, Schema]) -> Schema:
    """The schema with a reference, or a "this or null", replaced by what it means."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    inner = options[0] if len(options) == 1 else schema
    if "$ref" in inner:
        inner = shared[inner["$ref"].rpartition("/")[2]]
    return {**inner, **{key: schema[key] for key in ("default", "description") if key in schema}}


def part_of(schema: Schema, shared: Mapping[str, Schema]) -> tuple[Schema, str]:
    """The schema whose fields lie below this one, and what stands between the names."""
    for key, between in (("items", ""), ("additionalProperties", ".NAME")):
        inner = schema.get(key)
        if isinstance(inner, Mapping) and "$ref" in inner:
            return resolved(inner, shared), between
    return schema, ""


def in_words(schema: Schema) -> str:
    """What a field takes, as a person would say it."""
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type")
    if kind == "array":
        return array_in_words(schema)
    if kind == "object":
        return object_in_words(schema)
    return WORDS.get(str(kind), "a value") + range_in_words(schema)


WORDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
}


def array_in_words(schema: Schema) -> str:
    """A list: of how many, of what."""
    if "prefixItems" in schema:
        return "a list of two whole numbers above 0"
    what = "parts" if "$ref" in schema["items"] else "texts"
    least = f", at least {schema['minItems']}" if schema.get("minItems") else ""
    return f"a list of {what}{least}"


def object_in_words(schema: Schema) -> str:
    """A part with fields of its own, or names with values."""
    return "a part" if "properties" in schema else "names with values"


def range_in_words(schema: Schema) -> str:
    """The range of a number; empty when it has none."""
    low, high, above = (schema.get(key) for key in ("minimum", "maximum", "exclusiveMinimum"))
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f" of at least {low:g}"
    return f" above {above:g}" if above is not None else ""


def default_in_words(schema: Schema) -> str:
    """The default as YAML would have it; none where there is nothing to be left out."""
    value = schema.get("default")
    if value is None or isinstance(value, list | dict):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


# ── Markdown ────────────────────────────────────────────────────────────────────────────────


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


PAGES = {
    "commands.md": commands_page,
    "settings.md": settings_page,
    "recipes.md": recipes_page,
    "tuned.md": tuned_page,
}


if __name__ == "__main__":
    sys.exit(bring_up_to_date({DOCS / name: make() for name, make in PAGES.items()}, sys.argv[1:]))
