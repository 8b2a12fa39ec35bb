"""Takes out of a report what is nobody's business: secrets, names, addresses, folders. Pure.

What is taken out leaves a mark that says what stood there. Known words are taken out wherever
they stand; beside them whatever has the form of a secret, an address or a home folder.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
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
_PARENTS = frozenset(("/home", "/Users", "/export", "/export/home"))
"""Folders of homes: they go after the homes in them, else the names in those would stay."""
_BEGINS = r"(?:(?<![A-Za-z0-9:.])|(?<=[A-Za-z0-9_]:))"
"""Where an address may begin: also right after a name ("eth0:fe80::1")."""
_IPV4 = re.compile(r"(?<![A-Za-z0-9.])(?:\d{1,3}\.){3}\d{1,3}(?![A-Za-z0-9]|\.\d)")
_IPV6 = re.compile(rf"{_BEGINS}(?:[0-9a-fA-F]{{0,4}}:){{2,7}}[0-9a-fA-F]{{0,4}}(?![A-Za-z0-9:])")
_MAC = re.compile(rf"{_BEGINS}(?:[0-9a-fA-F]{{2}}:){{5}}[0-9a-fA-F]{{2}}(?![A-Za-z0-9:])")


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


_Word = tuple[re.Pattern[str], str]


def _words(private: Private, public: frozenset[str]) -> list[_Word]:
    """What to look for, and its mark. Homes come before names: those may be in their paths."""
    folders = [(path.rstrip("/"), mark, "(?![A-Za-z0-9_-])") for path, mark in private.folders]
    own = [each for each in folders if each[0] not in _PARENTS]
    parents = [each for each in folders if each[0] in _PARENTS]
    secrets = [(each, SECRET, "") for each in private.secrets]
    return [
        *_patterns([*secrets, *own]),
        (_HOMES, HOME),
        *_patterns(parents),
        *_patterns(_names(private, public)),
    ]


def _names(private: Private, public: frozenset[str]) -> list[tuple[str, str, str]]:
    """Of hosts, with the domain behind them, and of users; not those that many have."""
    return [
        (each, mark, after)
        for words, mark, after in ((private.hosts, HOST, _DOMAIN), (private.users, USER, _ENDS))
        for each in words
        if len(each) >= _SHORTEST and each.lower() not in COMMON and each not in public
    ]


_ENDS = "(?![A-Za-z0-9])"
_DOMAIN = rf"(?:\.[A-Za-z0-9-]+)*{_ENDS}"


def _patterns(words: list[tuple[str, str, str]]) -> list[_Word]:
    """The longest first: a short word may be a part of a long one."""
    found = sorted(words, key=lambda each: len(each[0]), reverse=True)
    return [(_pattern(word, mark, after), mark) for word, mark, after in found if word]


def _pattern(word: str, mark: str, after: str) -> re.Pattern[str]:
    if mark in (HOST, USER):
        return re.compile(rf"(?<![A-Za-z0-9]){re.escape(word)}{after}", re.IGNORECASE)
    return re.compile(re.escape(word) + after)


@dataclass(frozen=True, slots=True)
class _Cleaner:
    words: list[tuple[re.Pattern[str], str]]
    public: frozenset[str]

    def of(self, value: Any, key: str) -> Any:
        """The value without what is private, whatever it is made of."""
        if isinstance(value, str):
            return value if value in self.public else self._text(value)
        if isinstance(value, Mapping):
            return {self._key(name): each for name, each in self._members(value, key)}
        if isinstance(value, list | tuple):
            return [self.of(each, key) for each in value]
        return value

    def _members(self, value: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
        named = clean_flags(value) if key == "flags" else value
        return ((name, self.of(each, name)) for name, each in named.items())

    def _key(self, name: str) -> str:
        """A path goes; any other is a word of the format, or the name of a flag."""
        return self._text(name) if "/" in name else name

    def _text(self, text: str) -> str:
        for pattern, mark in self.words:
            text = pattern.sub(lambda _, mark=mark: mark, text)  # type: ignore[misc]
        text = "\n".join(map(redact, text.split("\n")))
        text = _MAC.sub(ADDRESS, text)
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
