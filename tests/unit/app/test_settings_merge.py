"""More settings into a file that somebody wrote: nothing of it is lost, conflicts are named."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sparkwell.app.settings.file import as_yaml
from sparkwell.app.settings.merge import merged, united
from sparkwell.core.errors import ConflictError, DocumentError

MORE: dict[str, Any] = {
    "gateway": {"port": 8001},
    "folders": {"models": "/opt/hf"},
    "start": ["a"],
    "containers": {"mounts": ["/a:/a"]},
    "models": {"x": {"profile": "guide", "flags": {"a": 1}}, "y": {}},
}
WRITTEN = """# top
gateway:
  # host
  host: 127.0.0.1  # ü

# folders
folders:   # where
  # nothing yet

start: []   # none
containers:
    mounts:
    - /b:/b   # mine
models:
  x:
    flags:
      b: 2
    # end of x
# trailer
"""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# a comment\n",
        "# a comment",
        "{}",
        "~",
        "{gateway: {host: 1.2.3.4}}",
        '{"gateway": {"port": 8001}, "models": {"x": {"flags": {}}}}',
        WRITTEN,
        WRITTEN.replace("\n", "\r\n"),
        "start:\n- b\nmodels:\n  # later\n",
        "gateway:\n  host: >\n    a\n    b\n\nstart: ~\nfolders: null # c",
        "gateway:\n  host: x",
        "models:\n  x: {flags: {b: 1}}\nstart: [c, a]\n",
        "models: {}\nstart: []\ncontainers: {mounts: []}\nfolders: {models: null}\n",
        "models: # soon\n\n\n# end\n",
        "gateway: &g\n  port: 8001\nmodels:\n  z:\n    flags: {t: 'a: b'}\n",
    ],
)
def test_what_comes_out_says_both(text: str) -> None:
    result = merged(text, MORE, "f")
    there = yaml.safe_load(text) or {}
    assert yaml.safe_load(result) == united(there, MORE)
    kept = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    assert [line for line in result.splitlines() if line.lstrip().startswith("#")] == kept
    assert merged(result, MORE, "f") == result


def test_lines_go_where_they_belong() -> None:
    lines = merged(WRITTEN, MORE, "f").splitlines()
    assert lines[3:5] == ["  host: 127.0.0.1  # ü", "  port: 8001"]
    place = lines.index("folders:   # where")
    assert lines[place : place + 3] == [
        "folders:   # where",
        "  models: /opt/hf",
        "  # nothing yet",
    ]
    place = lines.index("    - /b:/b   # mine")
    assert lines[place + 1] == "    - /a:/a"
    place = lines.index("      b: 2")
    assert lines[place + 1 : place + 4] == ["      a: 1", "    profile: guide", "  y: {}"]
    assert lines[-1] == "# trailer"


def test_conflicts_come_at_once_and_name_their_lines() -> None:
    text = "gateway:\n  port: 9\nfolders: {models: /x}\nmodels: {x: {flags: {a: 1}}}\n"
    with pytest.raises(ConflictError) as caught:
        merged(text, MORE, "f.yaml")
    assert caught.value.message.splitlines() == [
        "f.yaml:2: gateway.port is 9 here, and would be 8001",
        "f.yaml:3: folders.models is /x here, and would be /opt/hf",
    ]


@pytest.mark.parametrize("text", ["gateway: 5\n", "start: x\n", "models: [a]\n"])
def test_another_kind_of_value_is_a_conflict(text: str) -> None:
    with pytest.raises(ConflictError):
        merged(text, MORE, "f")


@pytest.mark.parametrize("text", ["- a\n", "words", "a: [", "a: 1\na: 2\n", "a: 1\n---\nb: 2\n"])
def test_texts_that_are_no_settings(text: str) -> None:
    with pytest.raises(DocumentError):
        merged(text, MORE, "f")


names = st.sampled_from(["a", "b", "c", "d"])
values = st.recursive(
    st.integers(0, 3) | st.text("xy#: ü", max_size=3),
    lambda inner: st.lists(st.integers(0, 3), max_size=3) | st.dictionaries(names, inner),
    max_leaves=6,
)
settings = st.dictionaries(names, values, max_size=4)


@given(settings, settings, st.booleans())
def test_any_settings_into_any_others(there: Any, more: Any, flow: bool) -> None:
    text = yaml.safe_dump(there, default_flow_style=flow) if flow else as_yaml(there)
    try:
        result = merged(text, more, "f")
    except ConflictError:
        return
    assert yaml.safe_load(result) == united(there, more)
