"""Names with what the model takes, as users give them for what cannot be computed."""

from sparkwell.catalog.ollama import OllamaName, parse_ollama
from sparkwell.core.errors import UsageError
from sparkwell.hardware.quantities import size as bytes_of


def split_size(text: str) -> tuple[OllamaName, int | None]:
    """A name with what the model takes, if that is said: ``ollama/qwen3:8b=20GiB``; bytes or None.

    Raises UsageError for a name or a size that is none.
    """
    name, given, size = text.partition("=")
    parsed = parse_ollama(name)
    if not given:
        return parsed, None
    try:
        return parsed, int(str(bytes_of(size)))
    except ValueError:
        raise UsageError(
            f"{text}: {size!r} is no size.", hint="Write it as 20GiB or 21.5GB."
        ) from None
