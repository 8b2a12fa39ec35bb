"""Which folders may hold checkpoints, and which of them count: looked at, never raised from."""

import json
from pathlib import Path
from typing import Any

import pytest

from sparkwell.drivers import hub
from sparkwell.drivers.hub import cache_folders, find_checkpoint, is_complete, lacking
from sparkwell.drivers.uv import link_mode


def download(root: Path, repo: str = "me/Mine", commit: str = "abc") -> Path:
    snapshot = root / f"models--{repo.replace('/', '--')}" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot / "tokenizer.json").write_text("{}")
    (snapshot / "model.safetensors").touch()
    return snapshot


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder's name that the system refuses to look into (root may look everywhere)."""
    stat = Path.stat

    def refuse(path: Path, **options: Any) -> Any:
        if "locked" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    return "locked"


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)


def test_a_folder_that_may_not_be_read_counts_as_not_there(tmp_path: Path, unreadable: str) -> None:
    locked, readable = tmp_path / unreadable, tmp_path / "open"
    download(locked)
    snapshot = download(readable)
    assert not is_complete(locked / "models--me--Mine" / "snapshots" / "abc")
    assert find_checkpoint("me/Mine", [locked], None) is None
    assert find_checkpoint("me/Mine", [locked, readable], None) == snapshot


def test_a_snapshot_that_may_not_be_read_does_not_hide_another(
    tmp_path: Path, unreadable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    download(tmp_path, commit=unreadable)
    readable = download(tmp_path, commit="open")
    references = tmp_path / "models--me--Mine" / "refs"
    references.mkdir()
    (references / "main").write_text(unreadable)
    assert find_checkpoint("me/Mine", [tmp_path], None) == readable


def test_a_reference_that_is_no_text_counts_as_not_there(tmp_path: Path) -> None:
    download(tmp_path)
    references = tmp_path / "models--me--Mine" / "refs"
    references.mkdir()
    (references / "main").write_bytes(b"\xff\xfe")
    assert find_checkpoint("me/Mine", [tmp_path], None) is None


@pytest.mark.parametrize("index", ["{", "[]", '{"weight_map": {}}', '{"weight_map": {"a": [1]}}'])
def test_a_wrong_index_is_no_checkpoint(tmp_path: Path, index: str) -> None:
    snapshot = download(tmp_path)
    (snapshot / hub.INDEX).write_text(index)
    assert not is_complete(snapshot)


def test_a_right_index(tmp_path: Path) -> None:
    snapshot = download(tmp_path)
    (snapshot / hub.INDEX).write_text(json.dumps({"weight_map": {"a": "model.safetensors"}}))
    assert is_complete(snapshot)


# ── what a checkpoint lacks ─────────────────────────────────────────────────────────────────


def test_a_whole_one_lacks_nothing(tmp_path: Path) -> None:
    assert lacking(download(tmp_path)) == ()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    snapshot = download(tmp_path)
    (snapshot / name).unlink()
    assert lacking(snapshot) == (name,)


def test_a_link_whose_blob_is_gone_is_not_there(tmp_path: Path) -> None:
    snapshot = download(tmp_path)
    (snapshot / "model.safetensors").unlink()
    (snapshot / "model.safetensors").symlink_to("../../blobs/gone")
    assert lacking(snapshot) == ("model.safetensors",)


def test_what_a_cut_download_left_is_no_blob(tmp_path: Path) -> None:
    """The Hub's libraries leave ETAG.incomplete beside the blobs; no snapshot links to it."""
    snapshot = download(tmp_path)
    blobs = snapshot.parent.parent / "blobs"
    blobs.mkdir()
    (blobs / "abc.incomplete").write_bytes(b"the beginning")
    (snapshot / "model.safetensors").unlink()
    assert find_checkpoint("me/Mine", [tmp_path], None) is None


def test_an_index_wants_all_its_files(tmp_path: Path) -> None:
    snapshot = download(tmp_path)
    names = [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    index = {"weight_map": {name: name for name in names}}
    (snapshot / hub.INDEX).write_text(json.dumps(index))
    (snapshot / names[1]).touch()
    assert lacking(snapshot) == (names[0], names[2])


def test_a_series_is_whole_or_not_without_its_index(tmp_path: Path) -> None:
    """Tensors may come before the index does."""
    snapshot = download(tmp_path)
    (snapshot / "model.safetensors").rename(snapshot / "model-00002-of-00003.safetensors")
    assert lacking(snapshot) == (
        "model-00001-of-00003.safetensors",
        "model-00003-of-00003.safetensors",
    )


@pytest.mark.parametrize("name", ["tokenizer.model", "tekken.json", "vocab.json", "qwen.tiktoken"])
def test_a_tokenizer_of_any_kind_will_do(tmp_path: Path, name: str) -> None:
    snapshot = download(tmp_path)
    (snapshot / "tokenizer.json").unlink()
    assert lacking(snapshot) == ("a tokenizer",)
    (snapshot / name).touch()
    assert is_complete(snapshot)


def test_sizes_that_the_library_noted_have_to_be_right(tmp_path: Path) -> None:
    snapshot = download(tmp_path)
    trees = snapshot.parent.parent / "trees"
    trees.mkdir()
    noted = {"model.safetensors": {"size": 134, "lfs_size": 5}, "README.md": {"size": 7}}
    (trees / "abc.json").write_text(json.dumps({"files": noted}))
    assert lacking(snapshot) == ("model.safetensors",)
    (snapshot / "model.safetensors").write_bytes(b"12345")
    assert is_complete(snapshot)


@pytest.mark.parametrize("noted", ["{", "[]", '{"files": 3}', '{"files": {"a": {}}}'])
def test_notes_that_cannot_be_read_say_nothing(tmp_path: Path, noted: str) -> None:
    snapshot = download(tmp_path)
    trees = snapshot.parent.parent / "trees"
    trees.mkdir()
    (trees / "abc.json").write_text(noted)
    assert is_complete(snapshot)


# ── where they are looked for ───────────────────────────────────────────────────────────────


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the guides, here somewhere else; not there yet."""
    monkeypatch.setattr(hub, "SHARED", tmp_path / "opt")
    return tmp_path / "opt"


def test_where_weights_are_looked_for(shared: Path) -> None:
    environ = {"HF_HUB_CACHE": "/hub", "HF_HOME": "/hf"}
    named = [Path(name) for name in ("/hub", "/hub/hub", "/hf", "/hf/hub", "/more", "/more/hub")]
    assert cache_folders(environ, ["/more"]) == named
    shared.mkdir()
    assert cache_folders(environ, ["/more"]) == [*named, shared, shared / "hub"]
    assert cache_folders({"XDG_CACHE_HOME": "/cache", "HOME": "/me"})[0] == Path(
        "/cache/huggingface"
    )


def test_a_folder_that_is_named_twice_is_looked_in_once(shared: Path) -> None:
    shared.mkdir()
    folders = cache_folders({"HF_HOME": "/hf"}, ["/hf", str(shared)])
    assert folders == [Path("/hf"), Path("/hf/hub"), shared, shared / "hub"]


@pytest.mark.parametrize("below", ["", "hub"])
def test_both_layouts_of_the_guides_folder_are_found(shared: Path, below: str) -> None:
    snapshot = download(shared / below)
    assert find_checkpoint("me/Mine", cache_folders({"HF_HOME": "/hf"}), None) == snapshot


def test_a_relative_cache_is_ignored(shared: Path) -> None:
    folders = cache_folders({"XDG_CACHE_HOME": "cache", "HOME": "/me"})
    assert folders == [Path("/me/.cache/huggingface"), Path("/me/.cache/huggingface/hub")]


def test_a_user_without_a_home_has_only_the_folders_that_are_named(
    homeless: None, shared: Path
) -> None:
    assert cache_folders({}, ["/more"]) == [Path("/more"), Path("/more/hub")]


# ── uv's cache ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which everything below a folder "other" lies on another disk."""

    def device(folder: Path) -> int:
        return 2 if "other" in folder.parts else 1

    monkeypatch.setattr("sparkwell.drivers.uv._device", device)


@pytest.mark.parametrize(
    ("environ", "mode"),
    [
        ({"HOME": "/me"}, "hardlink"),
        ({"HOME": "/other/me"}, "copy"),
        ({"HOME": "/me", "XDG_CACHE_HOME": "/other/cache"}, "copy"),
        ({"HOME": "/me", "XDG_CACHE_HOME": "other"}, "hardlink"),
        ({"HOME": "/me", "XDG_CACHE_HOME": "/other", "UV_CACHE_DIR": "/uv"}, "hardlink"),
        ({"HOME": "/me", "UV_CACHE_DIR": "/other/uv"}, "copy"),
    ],
)
def test_links_are_made_only_on_the_disk_of_uvs_cache(
    disks: None, environ: dict[str, str], mode: str
) -> None:
    assert link_mode(Path("/engines"), environ) == mode


def test_a_cache_that_is_not_there_yet_will_lie_on_its_parents_disk(tmp_path: Path) -> None:
    environ = {"UV_CACHE_DIR": str(tmp_path / "not" / "yet")}
    assert link_mode(tmp_path, environ) == "hardlink"


def test_without_a_home_everything_is_copied(tmp_path: Path, homeless: None) -> None:
    assert link_mode(tmp_path, {}) == "copy"
