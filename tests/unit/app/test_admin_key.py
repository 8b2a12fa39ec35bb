"""The admin key."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sparkwell.app.admin_key import AdminKey
from sparkwell.core.errors import EnvironmentFault


@pytest.fixture
def key(tmp_path: Path) -> AdminKey:
    return AdminKey(tmp_path / "state" / "admin.key")


def test_it_is_made_once_for_its_user_alone(key: AdminKey) -> None:
    text = key.text()
    assert re.fullmatch(r"[\w-]{32}", text)
    assert AdminKey(key.file).text() == text
    assert key.file.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in key.file.parent.iterdir()] == ["admin.key"]


def test_of_many_that_make_it_all_have_the_same(key: AdminKey) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: AdminKey(key.file).text(), range(64)))) == 1


def test_only_the_key_is_the_key(key: AdminKey) -> None:
    text = key.text()
    assert key.check(text)
    assert key.check(f" {text}\n")  # as it is pasted
    for wrong in ("", text[:-1], text + "x", text.swapcase(), "ключ"):
        assert not key.check(wrong)


def test_a_new_key_in_the_file_counts_at_once(key: AdminKey) -> None:
    old = key.text()
    key.file.write_text("another-key\n")
    assert key.check("another-key")
    assert not key.check(old)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [("", 0o600, "is empty"), ("abc", 0o644, "can be read by others"), ("abc", 0o640, "mode 640")],
)
def test_a_file_that_is_no_secret_opens_nothing(
    key: AdminKey, text: str, mode: int, said: str
) -> None:
    key.file.parent.mkdir()
    key.file.write_text(text)
    key.file.chmod(mode)
    with pytest.raises(EnvironmentFault, match=said):
        key.check(text)


def test_a_file_that_cannot_be_read_says_what_to_do(key: AdminKey) -> None:
    key.file.mkdir(parents=True)
    with pytest.raises(EnvironmentFault, match="cannot be used") as caught:
        key.text()
    assert "Remove that file" in str(caught.value.hint)
