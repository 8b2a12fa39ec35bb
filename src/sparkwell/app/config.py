"""sparkwell.yaml: the settings of a host, validated once."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from sparkwell.catalog.recipe import FlagValue, Name
from sparkwell.core.documents import parse_document
from sparkwell.core.errors import DocumentError

EXAMPLE = Path(__file__).parent / "sparkwell.example.yaml"


class Section(BaseModel):
    """A part of the settings: frozen, and strict about unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GatewaySettings(Section):
    """The OpenAI endpoint."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    max_body_mb: PositiveInt = Field(32, description="Largest request body, in MB (10^6 bytes).")
    drain_s: float = Field(
        30.0, ge=0, description="Seconds that running requests get when the daemon is ended."
    )


class EngineSettings(Section):
    """How engines are started and stopped."""

    start_timeout_s: PositiveFloat = Field(
        1800.0, description="Seconds from start to first token before a start counts as failed."
    )
    canary_timeout_s: PositiveFloat = Field(
        120.0, description="Seconds that the first token may take once /health is green."
    )
    keep_logs: PositiveInt = Field(3, description="Ended runs of a model whose logs are kept.")


class ModelSettings(Section):
    """What this host changes about a recipe."""

    flags: dict[Name, FlagValue] = Field(
        default_factory=dict, description="vLLM flags that win over the recipe's."
    )


class Settings(Section):
    """All settings of a host. Every field has a default; an empty file is a valid one."""

    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    engines: EngineSettings = Field(default_factory=EngineSettings)
    recipes: tuple[str, ...] = Field((), description="More folders with recipes.")
    model_folders: tuple[str, ...] = Field(
        (), description="Hugging Face caches to look for weights in, besides the user's own."
    )
    models: dict[str, ModelSettings] = Field(
        default_factory=dict, description="Changes to recipes, by recipe name."
    )


def load_settings(file: Path, *, required: bool = False) -> Settings:
    """Read the settings; a missing file means defaults unless it is ``required``.

    Folders in them come back absolute: ~ is the user's home, and a relative one is meant from
    the settings file, because the daemon's own working directory is /. Raises DocumentError
    that names file, line and field.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if required:
            raise DocumentError(f"There is no configuration file {file}.") from None
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{file}: this file cannot be read: {error}") from None
    return _with_absolute_folders(parse_document(text, Settings, str(file)), file)


def _with_absolute_folders(settings: Settings, file: Path) -> Settings:
    folders = {name: getattr(settings, name) for name in ("recipes", "model_folders")}
    found = {
        name: tuple(_absolute(folder, f"{file}: {name}", file) for folder in named)
        for name, named in folders.items()
    }
    return settings.model_copy(update=found)


def _absolute(folder: str, where: str, file: Path) -> str:
    try:
        return str(file.absolute().parent / Path(folder).expanduser())
    except RuntimeError:
        raise DocumentError(f"{where}: {folder}: there is no such home folder") from None


def schema() -> dict[str, Any]:
    """The JSON Schema of sparkwell.yaml, for editors."""
    return Settings.model_json_schema()
