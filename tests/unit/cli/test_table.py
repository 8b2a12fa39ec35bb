"""Tables for the terminal."""

import click

from sparkwell.cli.table import table, wrapped_table

HEAD = ("NAME", "WHY")


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(HEAD, [("a", "x"), ("longer", "")]) == "NAME    WHY\na       x\nlonger"


def test_colours_take_no_room() -> None:
    plain, red = (table(HEAD, [(name, "x")]) for name in ("a", click.style("a", fg="red")))
    assert click.unstyle(red) == plain


def test_the_last_column_is_broken_at_words_and_at_line_ends() -> None:
    assert wrapped_table(HEAD, [("a", "one two three\nfour"), ("b", "")], width=13) == (
        "NAME  WHY\na     one two\n      three\n      four\nb"
    )


def test_a_word_that_is_too_long_for_its_column_is_cut_but_nothing_is_lost() -> None:
    said = wrapped_table(HEAD, [("a", "abcdefghij")], width=10)
    assert said.splitlines()[1:] == ["a     abcd", "      efgh", "      ij"]
