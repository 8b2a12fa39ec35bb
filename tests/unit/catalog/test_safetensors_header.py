"""Safetensors headers: right ones are read to the byte, wrong ones are named and refused."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.catalog.files import data_bytes, entries, header, tensors

from sparkwell.catalog.checkpoint import BLOCKS, SAFETENSORS_BLOCKS, Checkpoint, Tensor, joined
from sparkwell.catalog.safetensors_header import read_header
from sparkwell.catalog.safetensors_index import loose_files, shards
from sparkwell.core.errors import DocumentError

SIZES = {"a": ("F8_E4M3", (4, 3)), "b": ("BF16", (2,)), "c": ("F32", ())}


def one(**changes: Any) -> dict[str, Any]:
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


def complaint(start: bytes, file_bytes: int | None = None) -> str:
    with pytest.raises(DocumentError) as caught:
        read_header(start, "x.safetensors", file_bytes)
    assert caught.value.message.startswith("x.safetensors:")
    assert len(caught.value.message) < 2000
    return caught.value.message


def test_a_right_header() -> None:
    start = header(entries(SIZES))
    found = read_header(start, "x", len(start) + 20)
    assert found == tensors(SIZES)
    assert [(each.elements, each.bytes) for each in found] == [(12, 12), (2, 4), (1, 4)]


def test_what_follows_the_header_is_not_read() -> None:
    assert read_header(header(entries(SIZES)) + b"\xff" * 20, "x") == tensors(SIZES)


def test_tensors_come_in_the_order_of_the_file() -> None:
    said = {
        "last": {"dtype": "U8", "shape": [1], "data_offsets": [2, 3]},
        "first": {"dtype": "I16", "shape": [1], "data_offsets": [0, 2]},
        "none": {"dtype": "I16", "shape": [0, 7], "data_offsets": [2, 2]},
    }
    assert [each.name for each in read_header(header(said), "x")] == ["first", "none", "last"]


def test_an_empty_file_of_tensors_is_right() -> None:
    assert read_header(header({}), "x", 10) == ()


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"", "it ends after 0 bytes"),
        (b"\x01\x00\x00", "it ends after 3 bytes"),
        (header({}, 500), "its header has 500 bytes, 2 are there"),
        (header({}, 2**63), "its header claims 9,223,372,036,854,775,808 bytes"),
        (header({}, 2**64 - 1), "its header claims 18,446,744,073,709,551,615 bytes"),
        (header(b"hello"), "this is not JSON"),
        (header(b"\xff\xfe\xff"), "this is not text in UTF-8"),
        (header([]), "expected a JSON object, got []"),
        (header(b"null"), "expected a JSON object, got None"),
        (header(b"[" * 100_000), "this is nested too deeply"),
        (header(b'{"a":' + b"9" * 5000 + b"}"), "Exceeds the limit"),
        (header(b'{"a":1,"a":2}'), "'a': this key is there twice"),
        (header({"a": [1]}), "a: should be "),
        (header({"a": {"dtype": "F32"}}), "a.shape: this key is required and missing"),
        (header(one(dtype="F99")), "'F99' is not a type of safetensors"),
        (header(one(dtype=7)), "a.dtype: should be a valid string, got 7"),
        (header(one(shape=[-2])), "a.shape[0]: should be greater than or equal to 0, got -2"),
        (header(one(shape="ab")), "a.shape: should be a valid tuple, got 'ab'"),
        (header(one(shape=[2.5])), "a.shape[0]: should be a valid integer, got 2.5"),
        (header(one(shape=[True])), "a.shape[0]: should be a valid integer, got True"),
        (header(one(shape=[1] * 17)), "a.shape"),
        (header(one(shape=[3])), "has 8 bytes, F32 of shape [3] needs 12"),
        (header(one(shape=[2**40, 2**40])), "needs "),
        (header(one(data_offsets=None)), "a.data_offsets: should be "),
        (header(one(data_offsets=[8, 0])), "has -8 bytes"),
        (header(one(data_offsets=[0, 10**15])), "its place in the file has 1,000,000,000,000,000"),
        (header(one(data_offsets=[4, 12])), "'a': leaves a gap before it"),
        (header(one(surprise=1)), "a.surprise: "),
        (header(one() | {"b": one()["a"]}), "'b': lies over another tensor"),
    ],
)
def test_wrong_headers(start: bytes, said: str) -> None:
    assert said in complaint(start)


def test_a_file_that_is_cut_or_has_more() -> None:
    start = header(entries(SIZES))
    whole = len(start) + data_bytes(SIZES)
    assert "its tensors have 20 B (20 bytes), 19 bytes are there" in complaint(start, whole - 1)
    assert "0 bytes are there" in complaint(start, len(start) - 5)
    assert "1 bytes more than its header names" in complaint(start, whole + 1)


def test_a_hundred_wrong_tensors_are_a_short_message() -> None:
    said = complaint(header({f"t{n}": {"dtype": "F32"} for n in range(100)}))
    assert said.splitlines()[-1] == "x.safetensors: and 190 more of the kind"


@given(st.binary(max_size=300))
def test_no_bytes_end_in_anything_but_a_document_error(start: bytes) -> None:
    with suppress(DocumentError):
        read_header(start, "x", len(start))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
        max_leaves=8,
    )
)
def test_no_json_ends_in_anything_but_a_document_error(said: Any) -> None:
    with suppress(DocumentError):
        read_header(header({"a": said}), "x")


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=9),
        st.tuples(
            st.sampled_from(sorted(SAFETENSORS_BLOCKS)),
            st.lists(st.integers(0, 9), max_size=4).map(tuple),
        ),
        max_size=8,
    )
)
def test_what_is_written_is_read(sizes: dict[str, tuple[str, tuple[int, ...]]]) -> None:
    sizes.pop("__metadata__", None)
    found = Checkpoint(read_header(header(entries(sizes)), "x"))
    assert {each.name: (each.dtype, each.shape) for each in found} == sizes
    assert found.total_bytes == data_bytes(sizes) == sum(found.bytes_by_dtype.values())


@pytest.mark.parametrize(
    ("dtype", "shape", "size"),
    [
        ("BF16", (3, 5), 30),
        ("F4", (4, 4), 8),
        ("F6_E2M3", (8,), 6),
        ("Q4_K", (2, 256), 288),
        ("Q8_0", (64,), 68),
        ("MXFP4", (32,), 17),
        ("F32", (), 4),
        ("I64", (0,), 0),
    ],
)
def test_bytes_of_a_tensor(dtype: str, shape: tuple[int, ...], size: int) -> None:
    assert Tensor("x", dtype, shape).bytes == size


def test_both_tables_agree_where_they_have_the_same_name() -> None:
    assert all(BLOCKS[name] == block for name, block in SAFETENSORS_BLOCKS.items())


def test_a_tensor_in_two_files_counts_once() -> None:
    checkpoint, twice = joined([tensors(SIZES), tensors({"a": ("F32", (9,)), "d": ("I8", (1,))})])
    assert [each.name for each in checkpoint] == ["a", "b", "c", "d"]
    assert twice == ("a",)
    assert checkpoint.bytes_by_dtype == {"F8_E4M3": 12, "BF16": 4, "F32": 4, "I8": 1}


# ── the index ───────────────────────────────────────────────────────────────────────────────


def test_the_files_of_an_index() -> None:
    names = {"x": "model-00002-of-00002.safetensors", "y": "model-00001-of-00002.safetensors"}
    said = json.dumps({"weight_map": {**names, "z": names["x"]}})
    assert shards(said, "i") == tuple(sorted(set(names.values())))


@pytest.mark.parametrize(
    ("said", "complains"),
    [
        ("{", "not JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "weight_map: expected tensors with their files"),
        ('{"weight_map": {}}', "weight_map: expected"),
        ('{"weight_map": [1]}', "weight_map: expected"),
        ('{"weight_map": {"a": "../../etc/passwd"}}', "'../../etc/passwd' is not the name"),
        ('{"weight_map": {"a": "/x.safetensors"}}', "is not the name"),
        ('{"weight_map": {"a": "sub/x.safetensors"}}', "is not the name"),
        ('{"weight_map": {"a": ["x.safetensors"]}}', "is not the name"),
        ('{"weight_map": {"a": "x.bin"}}', "'x.bin' is not the name"),
    ],
)
def test_wrong_indexes(said: str, complains: str) -> None:
    with pytest.raises(DocumentError) as caught:
        shards(said, "i")
    assert complains in caught.value.message


def test_files_without_an_index() -> None:
    both = ["consolidated.safetensors", "model.safetensors", "config.json", "x/y.safetensors"]
    assert loose_files(both) == ("model.safetensors",)
    assert loose_files(["consolidated.safetensors"]) == ("consolidated.safetensors",)
    assert loose_files(["pytorch_model.bin"]) == ()
