"""Takes out of a report what is nobody's business: secrets, names, addresses, folders. Pure.

What is taken out leaves a mark that says what stood there. Known words are taken out wherever
they stand; beside them whatever has the form of a secret, an address or a home folder.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from sparkwell.app.diagnosing.secrets import clean_flags
from sparkwell.checks.logs.redact import redact

SECRET, USER, HOST, ADDRESS, HOME = "…", "[user]", "[host]", "[address]", "~"
COMMON = frozenset(
    ("root", "user", "admin", "ubuntu", "debian", "nvidia", "dgx", "spark", "sparkwell", "demo",
     "test", "pi", "localhost")
)  # fmt: skip
"""Names that many machines have: they tell nobody apart, and stand in plain sentences."""
_SHORTEST = 3
_HOMES = re.compile(r"(?:/home|/Users|/export/home)/[^/\s'\"`,;:)\]}]{1,80}|(?<![\w.~/-])/root\b")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])")
_MAC = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![\w:])")


@dataclass(frozen=True, slots=True)
class Private:
    """What must not stand in a report of this machine.

    ``folders`` are paths, each with what is written in its place.
    """

    secrets: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    folders: tuple[tuple[str, str], ...] = ()


def scrub(document: Mapping[str, Any], private: Private, public: Iterable[str]) -> dict[str, Any]:
    """The document without it; ``public`` are texts that stay as they are: the model's name."""
    known = frozenset(public)
    cleaner = _Cleaner(_words(private, known), known)
    return {key: cleaner.of(value, key) for key, value in document.items()}


def _words(private: Private, public: frozenset[str]) -> list[tuple[re.Pattern[str], str]]:
    """What to look for, the longest first: a short word may be a part of a long one."""
    found = [(each, SECRET, "") for each in private.secrets]
    found += [(path.rstrip("/"), mark, "(?![A-Za-z0-9_-])") for path, mark in private.folders]
    for words, mark in ((private.hosts, HOST), (private.users, USER)):
        kept = [each for each in words if each.lower() not in COMMON and each not in public]
        found += [(each, mark, "b") for each in kept if len(each) >= _SHORTEST]
    found.sort(key=lambda each: len(each[0]), reverse=True)
    return [(_pattern(word, edge), mark) for word, mark, edge in found if word]


def _pattern(word: str, edge: str) -> re.Pattern[str]:
    if edge == "b":
        return re.compile(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", re.IGNORECASE)
    return re.compile(re.escape(word) + edge)


@dataclass(frozen=True, slots=True)
class _Cleaner:
    words: list[tuple[re.Pattern[str], str]]
    public: frozenset[str]

    def of(self, value: Any, key: str) -> Any:
        """The value without what is private, whatever it is made of."""
        if isinstance(value, str):
            return value if value in self.public else self._text(value)
        if isinstance(value, Mapping):
            flags = clean_flags(value) if key == "flags" else value
            return {self._text(name): self.of(each, name) for name, each in flags.items()}
        if isinstance(value, list | tuple):
            return [self.of(each, key) for each in value]
        return value

    def _text(self, text: str) -> str:
        for pattern, mark in self.words:
            text = pattern.sub(lambda _, mark=mark: mark, text)  # type: ignore[misc]
        text = "\n".join(map(redact, text.split("\n")))
        text = _MAC.sub(ADDRESS, _HOMES.sub(HOME, text))
        return _IPV6.sub(_address, _IPV4.sub(_address, text))


def _address(found: re.Match[str]) -> str:
    """Its mark, unless it is no address, or one that every machine has ("127.0.0.1", "::").

    What begins with 0 is a version of vLLM.
    """
    text = found[0]
    try:
        address = ip_address(text)
    except ValueError:
        return text
    here = address.is_loopback or address.is_unspecified or text.startswith("0.")
    return text if here else ADDRESS
