"""The settings file in a snapshot: without secrets, however YAML lets them be written."""

from pathlib import Path

import pytest

from sparkwell.doctor.settings_text import LONGEST, settings_text

SECRET = "hunter2zz"


@pytest.mark.parametrize(
    "text",
    [
        f"api_key: {SECRET}",
        f"api_keys:\n  - {SECRET}\n  - other",
        f"api_keys:\n- {SECRET}",
        f"gateway:\n  keys:\n  - name: a\n    hash: {SECRET}\n",
        f"token: {SECRET}",
        f"'hf-token' : {SECRET}",
        f"token: |\n  {SECRET}\n\n  {SECRET}",
        f"password: >-\n    {SECRET}",
        f"secrets: [a,\n  {SECRET}]",
        f"users:\n  - password: {SECRET}",
        f"users:\n  - name: a\n    token: {SECRET}",
        f"env: {{ADMIN_TOKEN: {SECRET}}}",
        f"env:\n  OPENAI_KEY: {SECRET}",
        f'env:\n  "MY_SECRET": "{SECRET}"',
        f"url: https://me:a@{SECRET}@example.org/x",
    ],
)
def test_a_secret_is_not_in_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.yaml").write_text(f"{text}\nport: 8000\n")
    found = settings_text(tmp_path / "s.yaml") or ""
    assert SECRET not in found
    assert "…" in found
    assert "port: 8000" in found


@pytest.mark.parametrize(
    "text",
    [
        "gateway:\n  port: 8000\n  host: 0.0.0.0",
        "flags:\n  max_num_batched_tokens: 8192  # more\n  max_num_seqs: 4",
        "# keys: there are none yet\nmodels:\n  - qwen3-8b-fp8\n",
        "key: null\nport: 1",
    ],
)
def test_all_else_stays_as_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    assert settings_text(tmp_path / "s.yaml") == text


def test_a_file_that_is_not_there_has_no_text(tmp_path: Path) -> None:
    assert settings_text(tmp_path / "s.yaml") is None


def test_it_is_no_longer_than_that(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("a: 1\n" * LONGEST)
    assert len(settings_text(tmp_path / "s.yaml") or "") == LONGEST
