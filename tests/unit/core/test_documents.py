"""YAML to values: every complaint names the line and the path, and nothing else is ever raised."""

import json
import time
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from sparkwell.core.documents import dotted, parse_document
from sparkwell.core.errors import DocumentError


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: PositiveInt
    colour: str = "green"


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    by_name: dict[str, Leaf] = Field(default_factory=dict)
    options: dict[str, bool | int | float | str] = Field(default_factory=dict)
    shortname: str = Field(default="t", alias="short-name")


def complaints(text: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        parse_document(text, Tree, "tree.yaml")
    return caught.value.message.splitlines()


def test_a_right_document() -> None:
    tree = parse_document("name: oak\nleaves:\n- size: 2\n", Tree, "tree.yaml")
    assert tree == Tree(name="oak", leaves=(Leaf(size=2),))


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert parse_document("\ufeffname: oak\n", Tree, "tree.yaml").name == "oak"


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ((), ""),
        (("a",), "a"),
        (("a", "b"), "a.b"),
        (("a", 0, "b"), "a[0].b"),
        ((0, "a"), "[0].a"),
        (("a", 1, 2), "a[1][2]"),
    ],
)
def test_dotted(path: tuple[str | int, ...], written: str) -> None:
    assert dotted(path) == written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nam: oak", "tree.yaml:1: nam: unknown key; did you mean 'name'?"),
        ("name: oak\nleaf: {sise: 1}", "tree.yaml:2: leaf.sise: unknown key; did you mean 'size'?"),
        (
            "name: oak\nleaves:\n- size: 1\n- size: 1\n  color: red",
            "tree.yaml:5: leaves[1].color: unknown key; did you mean 'colour'?",
        ),
        (
            "name: oak\nby_name:\n  top:\n    sise: 1",
            "tree.yaml:4: by_name.top.sise: unknown key; did you mean 'size'?",
        ),
        ("name: oak\nshortname: o", "unknown key; did you mean 'short-name'?"),
        ("name: oak\nleaf: {size: 1, q: 2}", "unknown key; expected one of: size, colour"),
        ("leaf: {size: 1}", "tree.yaml:1: name: this field is required and missing"),
        ("name: oak\nleaf: {}", "tree.yaml:2: leaf.size: this field is required and missing"),
        ("name: oak\nleaf: 3", "tree.yaml:2: leaf: expected a mapping (key: value) (got 3)"),
        ("name: oak\nby_name: 3", "tree.yaml:2: by_name: expected a mapping (key: value) (got 3)"),
        ("name: oak\nleaf: {size: 0}", "leaf.size: input should be greater than 0 (got 0)"),
        ("name: 2024-01-02", "name: input should be a valid string (got datetime.date"),
        (
            "name: oak\noptions: {a: [1]}",
            "tree.yaml:2: options.a: input should be a valid boolean or",
        ),
        ("name: oak\n1: x", "tree.yaml:2: 1: keys should be strings"),
        ("name: oak\noptions:\n  3: x", "tree.yaml:3: options.3: input should be a valid string"),
        ("a: 1\nb: 2\na: 3", "tree.yaml:3: a: this key is there twice, first in line 1"),
        (
            "name: oak\nleaf:\n  size: 1\n  size: 2",
            "tree.yaml:4: leaf.size: this key is there twice, first in line 3",
        ),
        (
            "name: oak\nleaves: [{size: 1, size: 2}]",
            "tree.yaml:2: leaves[0].size: this key is there twice, first in line 2",
        ),
    ],
)
def test_complaints(text: str, said: str) -> None:
    assert any(said in line for line in complaints(text)), complaints(text)


def test_all_complaints_come_at_once_by_line() -> None:
    said = complaints("leaves:\n- size: x\n- size: 0\nleaf: {size: y}\nzz: 1\nname: oak")
    assert [line.split(":")[1] for line in said] == ["2", "3", "4", "5"]


def test_a_long_value_is_cut() -> None:
    (said,) = complaints(f"name: oak\nleaf: {{size: {'x' * 500}}}")
    assert len(said) < 250


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "tree.yaml:1: this is not YAML: "),
        ("name: oak\n\tleaf: 1", "tree.yaml:2: this is not YAML: "),
        ("a: b: c", "tree.yaml:1: this is not YAML: "),
        ("name: *nowhere", "tree.yaml:1: this is not YAML: "),
        ("name: !!python/object:os.system x", "tree.yaml:1: this is not YAML: "),
        ("name: oak\nleaf: {[a]: 1}", "tree.yaml:2: this is not YAML: found unhashable key"),
        ("name: oak\n? {a: 1}\n: 2", "tree.yaml:2: this is not YAML: found unhashable key"),
        (
            "name: 2026-99-99",
            "tree.yaml:1: this is not YAML: '2026-99-99' cannot be read as timestamp",
        ),
        ("name: !!timestamp soon", "'soon' cannot be read as timestamp"),
        ("name: !!bool maybe", "'maybe' cannot be read as bool"),
        ("name: !!int ''", "'' cannot be read as int"),
        ("name: 0b_", "'0b_' cannot be read as int"),
        ("name: \x00", "this is not YAML: "),
        ("name: \ud800", "tree.yaml: this is not text in UTF-8"),
        ("name: oak\nleaf:\n  " + "[" * 99, "tree.yaml:3: this is nested deeper than 50 levels"),
        ("[" * 100_000, "tree.yaml:1: this is nested deeper than 50 levels"),
        ("{a: " * 900, "tree.yaml:1: this is nested deeper than 50 levels"),
    ],
)
def test_what_is_not_yaml(text: str, said: str) -> None:
    assert said in "\n".join(complaints(text))


def test_a_number_too_long_to_print() -> None:
    said = complaints(f"name: 0x{'f' * 5000}")
    assert said == ["tree.yaml:1: name: input should be a valid string (got a very large number)"]


def test_aliases_are_followed_once() -> None:
    text = "name: oak\nleaf: &leaf {size: 1}\nleaves: [*leaf, *leaf]\n"
    assert parse_document(text, Tree, "tree.yaml").leaves == (Leaf(size=1), Leaf(size=1))


@pytest.mark.parametrize(
    "key", ["<<: *leaf", "? <<\n    : *leaf", "!!merge x: *leaf", "? {<<: *leaf}\n    : 1"]
)
def test_merge_keys_are_refused(key: str) -> None:
    text = f"name: oak\nleaf: &leaf {{size: 1}}\nby_name:\n  top:\n    {key}\n"
    assert complaints(text) == [
        "tree.yaml:5: the merge key << is not taken here; write the fields out"
    ]


def test_what_only_looks_like_a_merge_key_is_a_key() -> None:
    text = "name: '<<'\noptions: {'<<': 1}\n"
    assert parse_document(text, Tree, "tree.yaml").options == {"<<": 1}
    assert "this key is there twice" in complaints("name: a\noptions: {'<<': 1, '<<': 2}")[0]


def test_merge_keys_that_multiply_are_refused_quickly() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 8)}]}}" for n in range(1, 8)]
    began = time.monotonic()
    assert complaints("\n".join(lines))[0].startswith("tree.yaml:2: the merge key <<")
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("text", ["name: &a [*a]", "leaf: &a {leaf: *a}", "leaf: &a {<<: *a}"])
def test_documents_that_contain_themselves(text: str) -> None:
    assert all(line.startswith("tree.yaml") for line in complaints(text))


def test_documents_that_grow_by_aliases_are_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 40)]
    assert "unknown key" in complaints("\n".join(lines))[-1]


yaml_like = st.text(alphabet="ab:-[]{}&*!|>'\"#%@,?<=0x1._~ \n\t\\", max_size=60)


@given(
    st.text(max_size=80) | yaml_like | st.binary(max_size=40).map(lambda raw: raw.decode("latin-1"))
)
@example("")
@example("~")
@example("...")
@example("<<: 1")
@example("=: =")
@example("? ")
@example("1:1:1:1.5")
@example(".inf")
def test_nothing_but_document_errors(text: str) -> None:
    with suppress(DocumentError):
        parse_document(text, Tree, "tree.yaml")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
        max_leaves=12,
    )
)
def test_nothing_but_document_errors_on_wrong_values(data: object) -> None:
    text = json.dumps({"name": data, "leaf": data, "leaves": data, "options": data})
    with suppress(DocumentError):
        parse_document(text, Tree, "tree.yaml")
