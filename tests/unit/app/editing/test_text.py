"""One model's values in the text of sparkwell.yaml: only they change."""

from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.app.editing.text import Changes, edited
from sparkwell.core.errors import DocumentError

WRITTEN = """\
# this host
gateway:
  port: 8001  # ü

models:
  # the small one
  a:
    # tuned in May
    flags:
      max_num_seqs: 8   # few
      # why not
      seed: 1
    pinned: true
  "b": {profile: latency, flags: {seed: 2, max_num_seqs: 4}}  # other
# end
"""


def comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]


def change(text: str, model: str, changes: Changes) -> str:
    return edited(text, model, changes, "f")


def test_another_value_keeps_its_line() -> None:
    result = change(WRITTEN, "a", {("flags", "max_num_seqs"): 16})
    assert result == WRITTEN.replace("max_num_seqs: 8 ", "max_num_seqs: 16 ")


def test_a_value_is_added_where_it_belongs() -> None:
    result = change(WRITTEN, "a", {("flags", "kv_cache_dtype"): "fp8", ("priority",): 3})
    assert result == WRITTEN.replace(
        "      seed: 1\n", "      seed: 1\n      kv_cache_dtype: fp8\n"
    ).replace("    pinned: true\n", "    pinned: true\n    priority: 3\n")


def test_one_that_is_taken_out_leaves_the_rest() -> None:
    result = change(WRITTEN, "a", {("flags", "max_num_seqs"): None})
    assert result == WRITTEN.replace("      max_num_seqs: 8   # few\n", "")


def test_what_is_empty_goes_and_its_comments_stay() -> None:
    changes = {("flags", "max_num_seqs"): None, ("flags", "seed"): None, ("pinned",): None}
    result = change(WRITTEN, "a", changes)
    assert yaml.safe_load(result)["models"] == {
        "b": {"profile": "latency", "flags": {"seed": 2, "max_num_seqs": 4}}
    }
    assert comments(result) == comments(WRITTEN)
    last = change(
        result,
        "b",
        {("profile",): None, ("flags", "seed"): None, ("flags", "max_num_seqs"): None},
    )
    assert yaml.safe_load(last) == {"gateway": {"port": 8001}}
    assert comments(last) == comments(WRITTEN)


def test_in_braces() -> None:
    def line(changes: Changes) -> str:
        return change(WRITTEN, "b", changes).splitlines()[-2]

    assert line({("profile",): None}) == '  "b": {flags: {seed: 2, max_num_seqs: 4}}  # other'
    assert (
        line({("flags", "max_num_seqs"): None})
        == '  "b": {profile: latency, flags: {seed: 2}}  # other'
    )
    both: Changes = {("flags", "max_num_seqs"): None, ("flags", "seed"): None}
    assert line(both) == '  "b": {profile: latency}  # other'
    assert "priority: 1}  # other" in line({("priority",): 1})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only this\n",
        "{}",
        "models:\n",
        "models: {}\n",
        "models:\n  a:\n",
        "models:\n  a: ~\n",
        "models:\n  a: {}\n  b: {pinned: true}\n",
        "models:\n  a:\n    flags:\n    pinned: true\n",
        "models:\n  a:\n    profile: null # none\n",
        "gateway: {port: 8001}",
        "{models: {a: {flags: {seed: 5}}}}",
    ],
)
def test_there_and_back(text: str) -> None:
    changes: dict[tuple[str, ...], Any] = {
        ("flags", "max_num_seqs"): 4,
        ("profile",): "latency",
        ("back_end",): "cold",
    }
    there = change(text, "a", changes)
    data = yaml.safe_load(there)["models"]["a"]
    assert (data["flags"]["max_num_seqs"], data["profile"], data["back_end"]) == (
        4,
        "latency",
        "cold",
    )
    back = change(there, "a", dict.fromkeys(changes))
    assert "max_num_seqs" not in back
    assert comments(back) == comments(text)
    kept = (yaml.safe_load(back) or {}).get("gateway")
    assert kept == (yaml.safe_load(text) or {}).get("gateway")


def test_ends_of_lines_stay_as_they_are() -> None:
    windows = WRITTEN.replace("\n", "\r\n")
    result = change(windows, "a", {("flags", "max_num_seqs"): 16, ("priority",): 3})
    assert result.count("\r\n") == result.count("\n")
    assert result.replace("\r\n", "\n") == change(
        WRITTEN, "a", {("flags", "max_num_seqs"): 16, ("priority",): 3}
    )


def test_without_an_end_of_the_last_line() -> None:
    text = "models:\n  a:\n    flags:\n      seed: 1"
    assert change(text, "a", {("flags", "seed"): 2}) == text[:-1] + "2"
    assert change(text, "a", {("flags", "seed"): None}) == ""


@pytest.mark.parametrize("value", ["null", "true", "1e3", "0x10", "yes", "~", "2026-01-01", "a"])
def test_a_name_stays_a_text(value: str) -> None:
    result = change(WRITTEN, "a", {("flags", "quantization"): value, ("flags", "seed"): value})
    flags = yaml.safe_load(result)["models"]["a"]["flags"]
    assert flags["quantization"] == flags["seed"] == value


@pytest.mark.parametrize(
    "text",
    [
        "models:\n  a: &x\n    flags: {seed: 1}\n  b: *x\n",
        "models:\n  a:\n    flags: &f\n      seed: 1\n  b:\n    flags: *f\n",
        "models:\n  a:\n    flags:\n      seed: &s 1\n  b:\n    flags:\n      seed: *s\n",
    ],
)
@pytest.mark.parametrize("model", ["a", "b"])
@pytest.mark.parametrize("value", [2, None])
def test_an_alias_never_changes_another_model(text: str, model: str, value: int | None) -> None:
    other = "b" if model == "a" else "a"
    with suppress(DocumentError):
        result = change(text, model, {("flags", "seed"): value})
        assert yaml.safe_load(result)["models"][other] == yaml.safe_load(text)["models"][other]


def test_what_cannot_be_changed_says_so() -> None:
    text = "models:\n  a: &x\n    flags: {seed: 1}\n  b: *x\n"
    with pytest.raises(DocumentError, match="f: this setting cannot be changed here"):
        change(text, "a", {("flags", "seed"): 2})


def test_what_gets_something_new_stays_where_it_is() -> None:
    text = "models:\n  a:  # mine\n    flags:  # tuned\n      seed: 1\n  b: {}\n"
    result = change(text, "a", {("flags", "seed"): None, ("flags", "dtype"): "half"})
    assert result == text.replace("seed: 1", "dtype: half")


def test_a_folded_text_is_replaced_whole() -> None:
    text = "models:\n  a:\n    flags:\n      dtype: >-\n        auto\n      seed: 1\n"
    result = change(text, "a", {("flags", "dtype"): "half"})
    assert yaml.safe_load(result)["models"]["a"]["flags"] == {"dtype": "half", "seed": 1}
    result = change(text, "a", {("flags", "dtype"): None})
    assert yaml.safe_load(result)["models"]["a"]["flags"] == {"seed": 1}


NAMES = ["seed", "max_num_seqs", "dtype"]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(0, 99), st.sampled_from(["a", "null", "1"])
)
MODELS = st.dictionaries(
    st.sampled_from("ab"),
    st.fixed_dictionaries(
        {},
        optional={
            "flags": st.dictionaries(st.sampled_from(NAMES), st.integers(0, 9)),
            "pinned": st.booleans(),
        },
    ),
)


@given(MODELS, st.booleans(), st.dictionaries(st.sampled_from(NAMES), VALUES), VALUES)
def test_it_says_what_was_meant_and_nothing_else(
    models: dict[str, Any], flow: bool, flags: dict[str, Any], pinned: Any
) -> None:
    text = yaml.safe_dump({"start": ["x"], "models": models}, default_flow_style=flow)
    changes: dict[tuple[str, ...], Any] = {("flags", name): each for name, each in flags.items()}
    changes[("pinned",)] = pinned
    after = yaml.safe_load(change(text, "a", changes))
    assert after["start"] == ["x"]
    now = after.get("models") or {}
    assert now.get("b") == models.get("b")
    found = now.get("a") or {}
    before = models.get("a", {})
    wanted = {**before.get("flags", {}), **flags}
    assert (found.get("flags") or {}) == {k: v for k, v in wanted.items() if v is not None}
    assert found.get("pinned") == pinned
