"""Where this host's weights are and go; what is here whole starts no download."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.hub_server import sha256

from sparkwell.app.launching import fetching
from sparkwell.app.launching.fetching import (
    Fetching,
    Wanted,
    bundled,
    wanted_recipe,
    wanted_repository,
)
from sparkwell.app.settings.config import FolderSettings, Settings
from sparkwell.catalog import load_catalog
from sparkwell.core.errors import UsageError
from sparkwell.drivers import hub
from sparkwell.drivers.download import DownloadRequest, Fetched
from sparkwell.drivers.hub_token import Token

CATALOG = load_catalog()
HEADER = json.dumps({"w": {"dtype": "U8", "shape": [9], "data_offsets": [0, 9]}}).encode()
TENSORS = len(HEADER).to_bytes(8, "little") + HEADER + b"123456789"
MINE = Wanted("mine", "me/Mine")


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the guides, here somewhere else; not there yet."""
    monkeypatch.setattr(hub, "SHARED", tmp_path / "opt")
    return tmp_path / "opt"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[DownloadRequest, Token | None]]:
    """The downloads that are started; none of them does anything."""
    started: list[tuple[DownloadRequest, Token | None]] = []

    async def fetch(request: DownloadRequest, _tell: Any, **how: Any) -> Fetched:
        started.append((request, how["token"]))
        return Fetched(request.folder / "snapshot", 1, 2, 2)

    monkeypatch.setattr(fetching, "fetch", fetch)
    return started


def checkpoint(cache: Path) -> Path:
    root = cache / "models--me--Mine"
    snapshot = root / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (root / "blobs").mkdir()
    for name, data in {
        "config.json": b"{}",
        "tokenizer.json": b"",
        "m.safetensors": TENSORS,
    }.items():
        (root / "blobs" / sha256(data)).write_bytes(data)
        (snapshot / name).symlink_to(f"../../blobs/{sha256(data)}")
    return snapshot


def host(tmp_path: Path, models: Path | None = None, **environ: str) -> Fetching:
    settings = Settings(folders=FolderSettings(models=str(models) if models else None))
    return Fetching(settings, {"HOME": str(tmp_path), **environ}, [tmp_path])


def test_where_a_download_goes(tmp_path: Path, shared: Path) -> None:
    mine = tmp_path / "mine"
    own = tmp_path / ".cache/huggingface/hub"
    assert host(tmp_path).target("me/Mine") == own
    shared.mkdir()
    assert host(tmp_path).target("me/Mine") == shared
    assert host(tmp_path, HF_HOME="/h").target("me/Mine") == Path("/h/hub")
    assert host(tmp_path, HF_HOME="/h", HF_HUB_CACHE="/c").target("me/Mine") == Path("/c")
    assert host(tmp_path, mine, HF_HUB_CACHE="/c").target("me/Mine") == mine
    checkpoint(own)
    assert host(tmp_path, mine).target("me/Mine") == own


@pytest.mark.parametrize("below", ["", "hub"])
async def test_what_is_here_whole_starts_nothing(
    tmp_path: Path, shared: Path, asked: list[Any], below: str
) -> None:
    snapshot = checkpoint(shared / below)
    done = await host(tmp_path).pull(MINE, lambda _: None)
    assert (done.folder, done.fetched_bytes, done.checked) == (snapshot, 0, False)
    assert (done.files, done.bytes) == (3, len(TENSORS) + 2)
    assert asked == []


async def test_a_cut_file_is_fetched_where_it_is(
    tmp_path: Path, shared: Path, asked: list[Any]
) -> None:
    snapshot = checkpoint(shared)
    (snapshot / "m.safetensors").resolve().write_bytes(TENSORS[:-1])
    assert host(tmp_path).find("me/Mine") is None
    await host(tmp_path, tmp_path / "mine").pull(MINE, lambda _: None)
    assert [request.folder for request, _ in asked] == [shared]


async def test_verify_looks_where_the_weights_are(
    tmp_path: Path, shared: Path, asked: list[Any]
) -> None:
    checkpoint(shared / "hub")
    done = await host(tmp_path, tmp_path / "mine").pull(MINE, lambda _: None, verify=True)
    assert done.checked
    assert [(request.folder, request.verify) for request, _ in asked] == [(shared / "hub", True)]


async def test_the_token_of_dotenv_goes_along_by_its_place(
    tmp_path: Path, shared: Path, asked: list[Any]
) -> None:
    (tmp_path / ".env").write_text("HF_TOKEN=hf_secret")
    await host(tmp_path).pull(MINE, lambda _: None)
    ((request, token),) = asked
    assert token == Token("hf_secret", str(tmp_path / ".env"))
    assert request.token_source == token.source
    assert "hf_secret" not in repr(request)


def test_what_names_mean() -> None:
    recipe = CATALOG.get("qwen3-8b-fp8")
    assert wanted_recipe(recipe) == Wanted("qwen3-8b-fp8", "Qwen/Qwen3-8B-FP8", None)
    assert wanted_repository("hf:me/Mine") == Wanted("hf:me/Mine", "me/Mine")
    demo = CATALOG.get("demo-qwen3")
    assert wanted_recipe(demo) is None
    assert (bundled(demo).repo, bundled(demo).fetched_bytes) == (None, 0)
    assert bundled(demo).bytes > demo.weights_bytes


@pytest.mark.parametrize("name", ["hf:", "hf:me", "hf:a/b/c", "hf:a b/c", "hf:" + "x" * 1000])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a repository") as caught:
        wanted_repository(name)
    assert len(str(caught.value)) < 200
