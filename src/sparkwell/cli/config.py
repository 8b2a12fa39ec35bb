"""`sparkwell config`: the settings, an example and the schema."""

import json

import click
import yaml

from sparkwell.app.settings.config import EXAMPLE, schema
from sparkwell.cli.context import Context, json_option, pass_context


@click.group(short_help="Show the settings, an example file, or the schema.")
def config() -> None:
    """The settings of this host, from sparkwell.yaml."""


@config.command()
@json_option
@pass_context
def show(context: Context, as_json: bool) -> None:
    """Print the settings in force, defaults included, and where things lie."""
    paths = context.paths
    values = {
        "file": str(context.config_file or paths.config_file),
        "folders": {
            "recipes": str(paths.recipes),
            "tuned": str(paths.tuned),
            "engines": str(paths.engines),
            "state": str(paths.state),
            "cache": str(paths.cache),
        },
        "settings": context.settings.model_dump(mode="json"),
    }
    click.echo(json.dumps(values) if as_json else yaml.safe_dump(values, sort_keys=False).strip())


@config.command()
def example() -> None:
    """Print the commented example file; it is the reference of all settings."""
    click.echo(EXAMPLE.read_text(encoding="utf-8"), nl=False)


@config.command("schema")
def schema_() -> None:
    """Print the JSON Schema of sparkwell.yaml."""
    click.echo(json.dumps(schema(), indent=2))
