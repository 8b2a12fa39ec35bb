"""Reading a Compose file and its .env from the disk: bounded, and without secrets."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from sparkwell.app.importing.reading import Base, Imported, import_compose
from sparkwell.catalog import Catalog
from sparkwell.core.errors import DocumentError
from sparkwell.engines.compose.reading_fields import Left
from sparkwell.engines.compose.reading_variables import parse_env, without_secrets
from sparkwell.engines.compose.reading_yaml import LONGEST_TEXT, redacted

_LONGEST_ENV = 100_000


def import_file(
    file: Path, env_file: Path | None, catalog: Catalog, environ: Mapping[str, str]
) -> Imported:
    """What the Compose file serves, as settings. Variables of the environment win, as in Compose.

    ``env_file`` None means .env beside the file, where there is one. Raises DocumentError that
    names file and line, and shows nothing that looks like a token.
    """
    named = env_file or file.parent / ".env"
    variables = parse_env(_text(named, _LONGEST_ENV, required=env_file is not None))
    variables |= without_secrets(environ)
    base = Base(str(file.absolute().parent), environ.get("HOME") or "/root")
    text = _text(file, LONGEST_TEXT)
    try:
        found = import_compose(text, str(file), catalog, variables=variables, base=base)
    except DocumentError as error:
        hint = redacted(error.hint) if error.hint else None
        raise DocumentError(redacted(error.message), hint=hint) from None
    found = _clean(found)
    if not any(each.engine for each in found.services):
        names = ", ".join(each.service for each in found.services)
        raise DocumentError(
            f"{file}: no service here runs vLLM or Ollama ({names[:200]}).",
            hint="A service of vLLM's has `vllm serve ORG/NAME` as its command.",
        )
    return found


def _clean(found: Imported) -> Imported:
    """Without a trace of a secret in what is said; the settings have none."""
    services = (
        replace(each, service=redacted(each.service), left=_clean_left(each.left))
        for each in found.services
    )
    return replace(found, services=tuple(services), left=_clean_left(found.left))


def _clean_left(left: Iterable[Left]) -> tuple[Left, ...]:
    return tuple(
        replace(
            each,
            field=tuple(redacted(step) if isinstance(step, str) else step for step in each.field),
            why=redacted(each.why),
            remedy=redacted(each.remedy) if each.remedy else None,
        )
        for each in sorted(left, key=lambda each: each.line)
    )


def _text(file: Path, most: int, *, required: bool = True) -> str:
    """The text of a file of at most so many bytes, several a character; "" for none."""
    try:
        with file.open("rb") as source:
            raw = source.read(4 * most + 1)
    except FileNotFoundError:
        if not required:
            return ""
        raise DocumentError(f"There is no file {file}.") from None
    except OSError as error:
        raise DocumentError(f"{file}: this file cannot be read: {error.strerror}") from None
    return _decoded(raw, file, most)


def _decoded(raw: bytes, file: Path, most: int) -> str:
    if len(raw) > 4 * most:
        raise DocumentError(f"{file}: this has more than {most:,} characters")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DocumentError(f"{file}:{line}: this is not text in UTF-8") from None
