"""Variables in a Compose file: ``${NAME:-default}`` and its kin, and the .env file they come from.

A variable whose name says that it is a secret is known to be there, and nothing more: its value is
dropped where it is read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkwell.core.errors import DocumentError
from sparkwell.engines.compose.reading_yaml import SECRET

_SECRET_NAME = re.compile(r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?|KEY|APIKEY)(?:_|$)")
_MARK = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)"
    r"|\{(?P<name>[A-Za-z_]\w*)(?:(?P<sign>:?[-+?])(?P<word>(?:[^{}]|\$\{[^{}]*\})*))?\})",
    re.ASCII,
)
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)", re.ASCII)
_QUOTED = re.compile(r"""(["'])(.*?)\1\s*(?:#.*)?""")
_MOST_FILLED = 5_000_000


def is_secret(name: str) -> bool:
    """Whether a variable of that name holds a secret, as far as names tell."""
    upper = name.upper()
    return bool(_SECRET_NAME.search(upper)) and not upper.endswith(("_PATH", "_FILE"))


def parse_env(text: str) -> dict[str, str]:
    """The NAME=VALUE lines of an .env file; the value of a secret is ``SECRET``, never itself.

    A value may name variables of lines above. Raises DocumentError for one that never ends.
    """
    variables: dict[str, str] = {}
    known = Variables(variables, ".env")
    for number, line in enumerate(text.splitlines(), start=1):
        found = _LINE.fullmatch(line)
        if found and is_secret(found[1]):
            variables[found[1]] = SECRET if _unquoted(found[2]) else ""
        elif found:
            value = _unquoted(found[2])
            literal = found[2].lstrip().startswith("'")
            variables[found[1]] = value if literal else known.fill(value, number)
    return variables


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment, the values of secrets replaced."""
    return {name: SECRET if value and is_secret(name) else value for name, value in environ.items()}


@dataclass(slots=True)
class Variables:
    """Puts values into texts, and remembers which names had none: the first line of each."""

    values: Mapping[str, str]
    where: str
    unset: dict[str, int] = field(default_factory=dict)
    filled: int = 0

    def fill(self, text: str, line: int) -> str:
        """The text with its variables, as Compose fills them; raises DocumentError.

        A name without a value becomes nothing, as Compose does it, and is remembered.
        """
        if "$" not in text:
            return text
        made = _MARK.sub(lambda found: self._value(found, line), text)
        self.filled += len(made)
        if self.filled > _MOST_FILLED:
            raise DocumentError(f"{self.where}:{line}: variables make this file endless")
        return made

    def _value(self, found: re.Match[str], line: int) -> str:
        if found["dollar"]:
            return "$"
        name, sign = found["bare"] or found["name"], found["sign"] or ""
        value = self.values.get(name)
        has = bool(value) if sign.startswith(":") else value is not None
        if sign.endswith("+"):
            return self.fill(found["word"], line) if has else ""
        if has:
            return value or ""
        if sign.endswith("-"):
            return self.fill(found["word"], line)
        if not is_secret(name):
            self.unset.setdefault(name, line)
            return ""
        return SECRET  # a token that is not here: whoever starts the container has it


def _unquoted(said: str) -> str:
    quoted = _QUOTED.fullmatch(said.strip())
    return quoted[2] if quoted else re.split(r"(?:^|\s)#", said, maxsplit=1)[0].strip()
