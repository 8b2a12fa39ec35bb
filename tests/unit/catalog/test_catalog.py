"""Finding recipes, and what happens to files that are not right."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from sparkwell.catalog import load_catalog
from sparkwell.catalog.catalog import SHIPPED, load_recipe
from sparkwell.core.errors import DocumentError, UnknownModelError

SHIPPED_TEXT = (SHIPPED / "qwen3-8b-fp8.yaml").read_text(encoding="utf-8")


def mine(**changes: Any) -> str:
    """A correct recipe with some of its top-level fields changed; None leaves one out."""
    data = yaml.safe_load(SHIPPED_TEXT) | {"name": "mine", "repo": "me/Mine"} | changes
    return yaml.safe_dump({key: value for key, value in data.items() if value is not None})


def complaint(folder: Path, text: str | bytes) -> str:
    file = folder / "bad.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DocumentError) as caught:
        load_recipe(file)
    return caught.value.message.replace(str(file), "bad.yaml")


def line_of(text: str, start: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), 1) if line.strip().startswith(start))


def test_recipes_of_the_user_join(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(mine())
    catalog = load_catalog([tmp_path])
    assert catalog.get("ME/mine").name == "mine"
    assert len(catalog.names) == len(load_catalog().names) + 1


def test_a_recipe_of_the_user_replaces_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "other.yml").write_text(mine(name="qwen3-8b-fp8", title="My own"))
    catalog = load_catalog([tmp_path])
    assert catalog.get("qwen3-8b-fp8").title == "My own"
    assert catalog.names == load_catalog().names


def test_a_later_folder_wins(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.yaml").write_text(mine(title=f"From {folder}"))
    assert load_catalog([tmp_path / "a", tmp_path / "b"]).get("mine").title == "From b"


def test_a_missing_folder_is_an_empty_one(tmp_path: Path) -> None:
    assert load_catalog([tmp_path / "nowhere"]).names == load_catalog().names


def test_a_bad_file_is_a_problem_and_the_others_still_load(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(mine())
    (tmp_path / "wrong.yaml").write_text(mine(weights_bytes="much"))
    (tmp_path / "broken.yaml").write_text("name: [")
    (tmp_path / "folder.yaml").mkdir()
    catalog = load_catalog([tmp_path])
    assert catalog.find("mine")
    assert len(catalog.problems) == 3
    assert any(
        "wrong.yaml" in problem and "weights_bytes" in problem for problem in catalog.problems
    )


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("qwen3-32b-pf8", "qwen3-32b-fp8"),
        ("qwen-8b-fp8", "qwen3-8b-fp8"),
        ("Qwen/Qwen3-30B-A3B-FP8", "qwen3-30b-a3b-fp8"),
        ("llama3.3-70b", "llama33-70b-fp8"),
        ("mistral-nemo", "mistral-nemo-12b-fp8"),
    ],
)
def test_an_unknown_name_suggests_near_ones(said: str, meant: str) -> None:
    with pytest.raises(UnknownModelError) as caught:
        load_catalog().get(said)
    assert repr(said) in caught.value.message
    assert meant in (caught.value.hint or "")


def test_a_name_of_megabytes_is_neither_compared_nor_quoted_back() -> None:
    began = time.monotonic()
    with pytest.raises(UnknownModelError) as caught:
        load_catalog().get("qwen3-8b-fp8" * 2_000_000)
    assert len(str(caught.value)) < 500
    assert time.monotonic() - began < 2


def test_a_far_off_name_lists_what_there_is() -> None:
    catalog = load_catalog()
    with pytest.raises(UnknownModelError, match="There are: ") as caught:
        catalog.get("zzzz")
    assert all(name in (caught.value.hint or "") for name in catalog.names)


def test_unknown_is_none_for_find() -> None:
    assert load_catalog().find("zzzz") is None


def test_wrong_type_deep_inside(tmp_path: Path) -> None:
    text = SHIPPED_TEXT.replace("hidden_size: 4096", "hidden_size: wide")
    line = line_of(text, "hidden_size")
    said = complaint(tmp_path, text)
    assert said.startswith(f"bad.yaml:{line}: architecture.hidden_size: ")
    assert "integer" in said
    assert "got 'wide'" in said


def test_wrong_type_in_a_list(tmp_path: Path) -> None:
    text = SHIPPED_TEXT.replace("block: [128, 128]", "block: [128, wide]")
    said = complaint(tmp_path, text)
    assert said.startswith(f"bad.yaml:{line_of(text, 'block')}: quantization.block[1]: ")


def test_a_flag_with_a_list_is_one_complaint(tmp_path: Path) -> None:
    text = SHIPPED_TEXT.replace("max_num_seqs: 64", "max_num_seqs: [64]", 1)
    said = complaint(tmp_path, text)
    line = line_of(text, "max_num_seqs: [")
    assert said.startswith(f"bad.yaml:{line}: serve.flags.max_num_seqs: ")
    assert "\n" not in said
    assert "integer" in said
    assert "string" in said


def test_heads_that_do_not_divide(tmp_path: Path) -> None:
    text = SHIPPED_TEXT.replace("num_key_value_heads: 8", "num_key_value_heads: 7")
    said = complaint(tmp_path, text)
    assert said == (
        f"bad.yaml:{line_of(text, 'architecture')}: architecture: num_attention_heads (32) "
        "must be a multiple of num_key_value_heads (7)"
    )


def test_an_unknown_key_with_a_near_one(tmp_path: Path) -> None:
    text = SHIPPED_TEXT.replace("  hidden_size:", "  hiden_size:")
    said = complaint(tmp_path, text).splitlines()
    assert f"bad.yaml:{line_of(text, 'hiden_size')}: architecture.hiden_size: " in "\n".join(said)
    assert any("did you mean 'hidden_size'?" in line for line in said)
    assert any("architecture.hidden_size: this field is required" in line for line in said)


def test_an_unknown_key_lists_the_known(tmp_path: Path) -> None:
    said = complaint(tmp_path, mine(licence={"name": "MIT", "zzz": 1}))
    assert "licence.zzz: unknown key; expected one of: name, url, gated" in said


def test_a_missing_field_names_the_line_of_what_it_belongs_to(tmp_path: Path) -> None:
    text = SHIPPED_TEXT.replace("  vocab_size: 151936\n", "")
    assert complaint(tmp_path, text) == (
        f"bad.yaml:{line_of(text, 'architecture')}: architecture.vocab_size: "
        "this field is required and missing"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"repo": None}, "set exactly one of repo"),
        ({"bundled": "demo"}, "set exactly one of repo"),
        ({"repo": None, "bundled": "../../../../etc"}, "bundled: string should match pattern"),
        ({"repo": None, "bundled": "/etc"}, "bundled: string should match pattern"),
        ({"repo": None, "bundled": "demo//qwen3"}, "bundled: string should match pattern"),
        ({"revision": "../../main"}, "revision: string should match pattern"),
        ({"revision": ".."}, "revision: string should match pattern"),
        ({"revision": "a..b"}, "revision: string should match pattern"),
        ({"use_for": []}, "use_for: "),
        ({"sources": None}, "sources: this field is required and missing"),
        ({"name": "Mine"}, "name: string should match pattern"),
        ({"repo": "no-slash"}, "repo: string should match pattern"),
        ({"weights_bytes": 0}, "weights_bytes: input should be greater than 0 (got 0)"),
    ],
)
def test_rules_of_a_recipe(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    assert said in complaint(tmp_path, mine(**changes))


@pytest.mark.parametrize("revision", ["main", "v1.0.2", "9a3c", "release-2_b"])
def test_revisions(tmp_path: Path, revision: str) -> None:
    (tmp_path / "mine.yaml").write_text(mine(revision=revision))
    assert load_recipe(tmp_path / "mine.yaml").revision == revision


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "bad.yaml:1: name: this field is required and missing"),
        ("# nothing\n", "bad.yaml:1: name: this field is required and missing"),
        ("- name: x\n", "bad.yaml:1: document: expected a mapping (key: value)"),
        ("just words", "bad.yaml:1: document: expected a mapping (key: value) (got 'just words')"),
        ("name: x\n\trepo: y\n", "bad.yaml:2: this is not YAML: "),
        ("name: [", "bad.yaml:1: this is not YAML: "),
        ("name: x\n---\nname: y\n", "bad.yaml:2: this is not YAML: "),
        (b"\xff\xfe\x00\x01", "bad.yaml: this file cannot be read: "),
        (b"\x7fELF\x00\x01", "this is not YAML: "),
    ],
)
def test_files_that_are_no_recipe(tmp_path: Path, text: str | bytes, said: str) -> None:
    assert said in complaint(tmp_path, text)


def test_a_key_that_is_there_twice(tmp_path: Path) -> None:
    text = SHIPPED_TEXT + "title: Another\n"
    last = len(text.splitlines())
    assert complaint(tmp_path, text) == (
        f"bad.yaml:{last}: title: this key is there twice, first in line 2"
    )


def test_a_missing_file_is_said_to_be_unreadable(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="this file cannot be read"):
        load_recipe(tmp_path / "none.yaml")
