"""Every command is documented, and every command line in the documents is right."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import pytest

from sparkwell.cli.main import COMMANDS, cli
from tests.docs.documents import GENERATED, PAGES, README, ROOT, blocks, name, read, spans

SHELL = {"bash", "console", "sh", ""}
CUT = re.compile(r"\s[|>&]|&&|\s#\s")


def all_commands(group: click.Group, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for below in group.list_commands(context):
        command = group.get_command(context, below)
        assert command is not None
        if isinstance(command, click.Group):
            yield from all_commands(command, (*words, below))
        elif not command.hidden:
            yield (*words, below)


def lines_to_type(page: Path) -> Iterator[str]:
    """Lines of shell blocks that call sparkwell, from that word on."""
    for block in blocks(page):
        if block.language in SHELL:
            yield from filter(None, map(called, block.text.splitlines()))


def mentions(page: Path) -> Iterator[str]:
    """Code spans that begin with sparkwell; they may leave out what has to follow."""
    return filter(None, map(called, spans(page)))


def called(line: str) -> str | None:
    found = re.match(r"(?:\$ )?(?:\.venv/bin/)?(sparkwell(?: .*)?)$", line.strip())
    return CUT.split(found[1])[0] if found else None


def parse(line: str) -> None:
    """Parse a command line to its end without running anything; raises click.ClickException."""
    words = shlex.split(line)[1:]
    command: click.Command = cli
    context: click.Context | None = None
    called_as = "sparkwell"
    try:
        while True:
            context = command.make_context(called_as, words, parent=context)
            if not isinstance(command, click.Group):
                return
            words = [*context._protected_args, *context.args]
            if not words and command.invoke_without_command:
                return
            if not words:
                raise click.exceptions.NoArgsIsHelpError(context)
            found, next_command, words = command.resolve_command(context, words)
            assert next_command is not None, line
            called_as, command = found or "", next_command
    except click.exceptions.Exit:  # --help, --version
        return


@pytest.mark.parametrize("words", list(all_commands(cli, ())), ids=" ".join)
def test_every_command_is_explained_by_hand(words: tuple[str, ...]) -> None:
    """In the README for the command itself; what is below a group, anywhere but in a table."""
    assert f"`sparkwell {words[0]}" in read(README)
    if len(words) == 2:
        text = "".join(read(page) for page in PAGES if page not in GENERATED)
        row = next(line for line in read(README).splitlines() if f"`sparkwell {words[0]}" in line)
        assert " ".join(words) in text or f"`{words[1]}`" in row


def test_the_command_table_and_the_commands_agree() -> None:
    context = click.Context(cli)
    said = {word: cli.get_command(context, word) for word in COMMANDS}
    assert {word: command.short_help for word, command in said.items() if command} == COMMANDS


def test_there_are_command_lines_to_check() -> None:
    assert "sparkwell up qwen3-32b-fp8" in lines_to_type(README)
    assert len([line for page in PAGES for line in mentions(page)]) > 40


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_command_lines_parse(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "FOLDER").mkdir()  # --recipes FOLDER has to exist
    monkeypatch.chdir(tmp_path)
    for line in lines_to_type(page):
        parse(line)
    for line in mentions(page):
        with suppress(click.MissingParameter, click.exceptions.NoArgsIsHelpError):
            parse(line)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_exist(page: Path) -> None:
    makefile = read(ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    written = [*spans(page), *(line for block in blocks(page) for line in block.text.splitlines())]
    named = {found[1] for text in written if (found := re.match(r"make ([a-z-]+)\b", text))}
    assert named <= targets


@pytest.mark.parametrize("line", ["sparkwell pull", "sparkwell fly", "sparkwell ps --jason"])
def test_a_wrong_command_line_is_noticed(line: str) -> None:
    with pytest.raises(click.ClickException):
        parse(line)
