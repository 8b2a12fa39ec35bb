"""`sparkwell flags`."""

import json
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sparkwell.cli.context import json_option
from sparkwell.cli.table import table

if TYPE_CHECKING:
    from sparkwell.engines.vllm.explain import FlagFacts

_WIDTH = 92
_LABEL = 11


@click.command(short_help="Explain the flags that an engine takes.")
@click.argument("name", required=False)
@click.option("--engine-version", metavar="V", help="vLLM's version (default: the one for GPUs).")
@json_option
def flags(name: str | None, engine_version: str | None, as_json: bool) -> None:
    """List vLLM's flags with default and purpose, or explain the flag NAME in full.

    Defaults, values and whether a flag exists go by the engine's version; they were read in its
    sources. Dashes are as good as underscores: --max-model-len is max_model_len.
    """
    from sparkwell.engines.environments import environment
    from sparkwell.engines.vllm.explain import explained, facts_of
    from sparkwell.engines.vllm.history import parse_version

    version = str(parse_version(engine_version or environment("vllm").version))
    if name is None:
        _list(explained(version), version, as_json)
    else:
        _show(facts_of(name, version), as_json)


def _list(found: tuple["FlagFacts", ...], version: str, as_json: bool) -> None:
    from sparkwell.engines.vllm.explain import count_of

    if as_json:
        entries = [_entry(facts) for facts in found]
        click.echo(json.dumps({"engine": _engine(version), "flags": entries}))
        return
    rows = [(facts.name, _short(facts.default), facts.text.purpose) for facts in found]
    click.echo(table(("FLAG", f"DEFAULT IN {version}", "WHAT IT IS FOR"), rows))
    count = count_of(version)
    total = f"vLLM {version} takes {count} flags" if count else f"vLLM {version} was not read"
    click.echo(f"\n{total}; `sparkwell flags NAME` explains each, these ones in more words.")


def _short(default: str) -> str:
    """The default without its conditions, for a column."""
    return default.partition(" on a ")[0].partition(";")[0].partition(",  ")[0] or "?"


def _show(facts: "FlagFacts", as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"engine": _engine(facts.version), "flag": _entry(facts)}))
        return
    title = f"{facts.name} (vLLM {facts.version})"
    click.echo(f"{title}: {facts.text.purpose}" if facts.text.purpose else title)
    if facts.text.explanation:
        click.echo(f"\n{textwrap.fill(facts.text.explanation, _WIDTH)}")
    click.echo()
    for label, said in _lines(facts):
        if said:
            indent = " " * _LABEL
            click.echo(
                textwrap.fill(
                    said, _WIDTH, initial_indent=f"{label:<{_LABEL}}", subsequent_indent=indent
                )
            )


def _lines(facts: "FlagFacts") -> list[tuple[str, str]]:
    return [
        ("Here", _here(facts)),
        ("Takes", facts.takes),
        ("Default", facts.default),
        ("Changed", "; ".join(f"{value} from {since} on" for since, value in facts.changes)),
        ("Gains", facts.text.gains),
        ("Costs", facts.text.costs),
        ("Advice", facts.text.advice),
        ("Versions", _versions(facts)),
        ("Also", ", ".join(facts.aliases)),
        ("Sparkwell", f"sets it itself: {facts.owned}" if facts.owned else ""),
    ]


def _here(facts: "FlagFacts") -> str:
    """Whether the asked version takes it, where that is not simply yes."""
    if facts.exists is None:
        return f"not known whether vLLM {facts.version} takes it; that version was not read"
    if facts.exists:
        return ""
    said = f"vLLM {facts.version} does not take it."
    return f"{said} {facts.instead}" if facts.instead and facts.is_gone else said


def _versions(facts: "FlagFacts") -> str:
    said = f"{facts.first} to {facts.last}" if facts.first != facts.last else facts.first
    said = f"seen in {said}"
    said += f", deprecated since {facts.deprecated}" if facts.deprecated else ""
    return f"{said}, gone by {facts.removed_in}" if facts.removed_in else said


def _engine(version: str) -> dict[str, str]:
    return {"name": "vllm", "version": version}


def _entry(facts: "FlagFacts") -> dict[str, Any]:
    """One flag for --json: the facts, with the words beside them."""
    entry = {name: value for name, value in asdict(facts).items() if name != "text"}
    changes = [{"since": since, "default": value} for since, value in facts.changes]
    return {**entry, **facts.text.model_dump(exclude={"takes"}), "changes": changes}
