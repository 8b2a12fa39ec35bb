"""Which words of a container's command line are vLLM's arguments. Pure."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from posixpath import basename

from sparkwell.engines.compose.reading_fields import Word

_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")
_MODULES = ("vllm.entrypoints.openai.api_server", "vllm.entrypoints.api_server")
_CLI = "vllm.entrypoints.cli.main"
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh"})
_WRAPPERS = frozenset(
    {"exec", "nohup", "env", "tini", "--", "dumb-init", "nvidia_entrypoint.sh", "time", "sudo"}
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
# Images whose own entrypoint is vLLM's server: what follows are its arguments.
_SERVER_IMAGE = re.compile(r"(?:^|/)vllm-openai(?::|@|-|$)|(?:^|/)vllm-cpu-release-repo(?::|@|$)")
_JOINS = frozenset("&|;\n")
_NOT_TAKEN = "runs beside vLLM, and only vLLM's command line is taken over"


@dataclass(frozen=True, slots=True)
class Arguments:
    """vLLM's arguments, and what else the command runs, with the reason why it is left."""

    words: tuple[Word, ...]
    left: tuple[tuple[Word, str], ...] = ()


def vllm_arguments(argv: Sequence[Word], image: str | None) -> Arguments | None:
    """The arguments of vLLM's server; None for a command that starts something else."""
    inner = _in_shell(argv)
    if inner is not None:
        return _of_script(inner)
    found = _after_program(argv)
    if found is not None:
        return Arguments(tuple(found))
    if _SERVER_IMAGE.search(image or "") and _are_arguments(argv):
        return Arguments(tuple(argv))
    return None


def _in_shell(argv: Sequence[Word]) -> list[Word] | None:
    """The words of the script in ``sh -c SCRIPT``, its operators words of their own."""
    words = _unwrapped(argv)
    if len(words) < 3 or basename(words[0].text) not in _SHELLS:
        return None
    if not re.fullmatch(r"-[a-z]*c", words[1].text):
        return None
    script = words[2]
    lexer = shlex.shlex(script.text.replace("\\\n", " "), posix=True, punctuation_chars="&|;\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return [Word(word, script.line) for word in lexer]
    except ValueError:
        return []


def _of_script(words: Sequence[Word]) -> Arguments | None:
    """The one command of a script that is vLLM's; the others are named by their first word."""
    commands: list[list[Word]] = [[]]
    for word in words:
        if word.text and set(word.text) <= _JOINS:
            commands.append([])
        else:
            commands[-1].append(word)
    found: Arguments | None = None
    left: list[tuple[Word, str]] = []
    for command in filter(None, commands):
        arguments = None if found else _after_program(command)
        if arguments is not None:
            found = Arguments(tuple(arguments))
        else:
            left.append((command[0], _NOT_TAKEN))
    return Arguments(found.words, tuple(left)) if found else None


def _unwrapped(argv: Sequence[Word]) -> Sequence[Word]:
    """Without what only starts the next program: entry scripts, exec, assignments."""
    place = 0
    while place < len(argv):
        text = argv[place].text
        if basename(text) not in _WRAPPERS and not _ASSIGNMENT.fullmatch(text):
            break
        place += 1
    return argv[place:]


def _after_program(argv: Sequence[Word]) -> Sequence[Word] | None:
    """What follows ``vllm serve`` or ``python -m vllm…``; None where neither is there."""
    words = _unwrapped(argv)
    texts = [word.text for word in words]
    if texts[:1] and basename(texts[0]) == "vllm":
        return words[2:] if texts[1:2] == ["serve"] else None
    if not texts or not _PYTHON.fullmatch(basename(texts[0])):
        return None
    rest = words[1:]
    while rest and re.fullmatch(r"-[uOBsIE]+", rest[0].text):
        rest = rest[1:]
    if len(rest) > 1 and rest[0].text == "-m":
        return _after_module(rest[1:])
    # A script by its path, as the vllm command is one: python /usr/bin/vllm serve MODEL
    return _after_program(rest) if rest and basename(rest[0].text) == "vllm" else None


def _after_module(words: Sequence[Word]) -> Sequence[Word] | None:
    if words[0].text in _MODULES:
        return words[1:]
    if words[0].text == _CLI and len(words) > 1 and words[1].text == "serve":
        return words[2:]
    return None


def _are_arguments(argv: Sequence[Word]) -> bool:
    """Whether these are options, or a model with options behind it."""
    first = argv[0].text if argv else ""
    return first.startswith("-") or bool(re.fullmatch(r"[\w.-]+/[\w./-]+|/[\w./-]+", first))
