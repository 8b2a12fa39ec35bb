"""The rim: what of this machine is nobody's business, so that a report goes without it."""

import platform
import pwd
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from os import getuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

import sparkwell
from sparkwell.app.verifying.scrub import Private
from sparkwell.drivers.hub_token import NAMES, read_token

_SECRET_NAME = re.compile(
    r"(?:(?i:(?:^|[_.-])(?:(?:api_?)?keys?|tokens?|secrets?|pw|pass|pat|jwt|credentials?|auth))"
    r"|[a-z0-9](?:Key|Token|Secret|Pass|Pwd|Credential|Auth)s?"
    r"|(?i:passw(?:or)?d|passphrase|sshpass|[_.-]pwd))(?:[_.-]?\d+)?$"
)
"""PWD alone is the working folder."""
_COUNT = re.compile(r"(?:max|min|num|n)_(?:\w*_)?tokens$", re.IGNORECASE)
_SHORTEST_SECRET = 6
"""What is shorter would be found within plain words."""
_FOLDERS = ("SPARKWELL_HOME", "HF_HUB_CACHE", "HF_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
_USERS = ("USER", "LOGNAME", "SUDO_USER")
_HOSTS = ("HOSTNAME", "HOST")
_URLS = ("HF_ENDPOINT", "DOCKER_HOST", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_PUBLIC_HOSTS = frozenset(
    ("huggingface.co", "docker.io", "nvcr.io", "ghcr.io", "quay.io", "localhost", "127.0.0.1")
)


def private_here(
    environ: Mapping[str, str], settings_file: Path, hosts: Iterable[str] = ()
) -> Private:
    """What this machine, this user, the environment and the settings file say.

    ``hosts`` are further ones: those of the run's own addresses.
    """
    here = _here()
    tokens = _tokens(environ, (*here, settings_file.parent))
    secrets = (*_of_environment(environ), *_of_settings(settings_file), *tokens)
    named = (each for each in (*_hosts(environ), *hosts) if each.lower() not in _PUBLIC_HOSTS)
    return Private(
        secrets=tuple(dict.fromkeys(secrets)),
        users=tuple(dict.fromkeys(_users(environ))),
        hosts=tuple(dict.fromkeys(named)),
        folders=tuple(_folders(environ, here)),
    )


def registry_of(image: str | None) -> Iterator[str]:
    """The host that an image comes from; none where its name has no host."""
    host, slash, _ = (image or "").partition("/")
    if slash and ("." in host or ":" in host):
        yield host


def _here() -> list[Path]:
    """The working folder, unless somebody has removed it."""
    with suppress(OSError):
        return [Path.cwd()]
    return []


def _home(environ: Mapping[str, str]) -> list[Path]:
    """The user's; a container may have neither the variable nor an entry of the user."""
    with suppress(KeyError):
        return [Path(environ.get("HOME") or pwd.getpwuid(getuid()).pw_dir)]
    return []


def _tokens(environ: Mapping[str, str], folders: Iterable[Path]) -> Iterator[str]:
    """Every token for the Hub that there is, not the one alone that is used."""
    bare = {name: value for name, value in environ.items() if name not in NAMES}
    found = (read_token(environ), read_token(bare), *(read_token(bare, [each]) for each in folders))
    return (each.value for each in found if each)


def _of_environment(environ: Mapping[str, str]) -> Iterator[str]:
    """The values of variables whose names say that they are secret."""
    for name, value in environ.items():
        if _is_secret(name) and len(value.strip()) >= _SHORTEST_SECRET:
            yield value.strip()


def _of_settings(file: Path) -> list[str]:
    """The same of the settings, at whatever depth; a file that is not YAML has been refused.

    All is read as it is written: a secret may be a number.
    """
    with suppress(OSError, ValueError, yaml.YAMLError):
        text = file.read_text(encoding="utf-8")
        found = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes strings alone
        return list(_below(found, secret=False))
    return []


def _below(value: Any, *, secret: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _below(each, secret=secret or _is_secret(str(name)))
    elif isinstance(value, list):
        for each in value:
            yield from _below(each, secret=secret)
    elif secret and len(str(value)) >= _SHORTEST_SECRET:
        yield str(value)


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _COUNT.match(name)


def _users(environ: Mapping[str, str]) -> Iterator[str]:
    """Names of the user: of the account, and the person's own where the system has it."""
    yield from _named(environ, _USERS)
    with suppress(KeyError):  # a container may have no entry for it
        entry = pwd.getpwuid(getuid())
        yield entry.pw_name
        yield entry.pw_gecos.partition(",")[0].strip()


def _hosts(environ: Mapping[str, str]) -> Iterator[str]:
    """Names of this machine, and of those that the environment sends programs to."""
    for name in (platform.node(), *_named(environ, _HOSTS)):
        yield name
        yield name.partition(".")[0]
    for name in (*_URLS, *map(str.lower, _URLS)):
        with suppress(ValueError):
            yield urlsplit(environ.get(name, "")).hostname or ""


def _named(environ: Mapping[str, str], names: Iterable[str]) -> Iterator[str]:
    return (environ[name] for name in names if environ.get(name))


def _folders(environ: Mapping[str, str], here: list[Path]) -> Iterator[tuple[str, str]]:
    """Folders by what may stand in their place: a variable's name, or the shell's own signs."""
    for name in _FOLDERS:
        if _is_own(Path(environ.get(name, ""))):
            yield environ[name], f"${name}"
    package, python = Path(sparkwell.__file__).parent, Path(sys.prefix)
    known = ((here, "."), (_home(environ), "~"), ([package], "[sparkwell]"), ([python], "[python]"))
    for folders, mark in known:
        yield from ((str(folder), mark) for folder in folders if _is_own(folder))


def _is_own(folder: Path) -> bool:
    """Not the root itself, which begins every path."""
    return folder.is_absolute() and len(folder.parts) > 1
