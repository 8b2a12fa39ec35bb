"""Downloads through the real process and huggingface_hub's real client, from a hub of our own."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from huggingface_hub import close_session, constants, snapshot_download
from tests.hub_server import HubServer, git_sha1, sha256

from sparkwell.core.errors import SparkwellError, UnknownModelError, UsageError
from sparkwell.drivers.download import (
    DownloadRequest,
    Fetched,
    Progress,
    Stage,
    fetch,
    transfer,
    worker,
)
from sparkwell.drivers.download.listing import Hub
from sparkwell.drivers.download.messages import DownloadFault
from sparkwell.drivers.hub import find_checkpoint
from sparkwell.drivers.hub_token import Token

REPO = "me/Mine"
TOKEN = Token("hf_" + "secret" * 5, ".env")
TENSORS = random.Random(1).randbytes(3_000_000)
FILES = {
    ".gitattributes": b"*.safetensors filter=lfs",
    "README.md": b"# Mine",
    "config.json": b'{"model_type": "llama"}',
    "generation_config.json": b"{}",
    "tokenizer.json": b'{"version": "1.0"}',
    "model.safetensors": TENSORS,
    "pytorch_model.bin": b"pickle",
}
WANTED = {"config.json", "generation_config.json", "tokenizer.json", "model.safetensors"}
WANTED_BYTES = sum(len(FILES[name]) for name in WANTED)
MODEL = f"/cdn/{REPO}/model.safetensors"


@pytest.fixture
async def hub() -> AsyncIterator[HubServer]:
    async with HubServer() as served:
        served.tokens[TOKEN.value] = True
        served.add(REPO, FILES)
        yield served


Pull = Callable[..., Awaitable[Fetched]]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "hf"


@pytest.fixture
def environ(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "HF_ENDPOINT": hub.endpoint}


@pytest.fixture
def spawn(environ: dict[str, str], cache: Path) -> Pull:
    """Pull in a process of its own, as always outside of tests: a second for each."""

    async def call(
        *, said: list[Progress] | None = None, token: Token | None = None, **more: str
    ) -> Fetched:
        request = DownloadRequest(REPO, cache, token_source=token.source if token else None)
        tell = (said if said is not None else []).append
        return await fetch(request, tell, environ={**environ, **more}, token=token)

    return call


@pytest.fixture
def pull(hub: HubServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pull]:
    """What the process does, in this one, with short waits; ``said`` collects the progress."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(transfer, "WAITS_S", (0.01, 0.02, 0.04))

    async def call(
        repo: str = REPO,
        revision: str | None = None,
        *,
        said: list[Progress] | None = None,
        token: Token | None = None,
        verify: bool = False,
        endpoint: str | None = None,
    ) -> Fetched:
        source = token.source if token else None
        request = DownloadRequest(repo, cache, revision, verify, source)
        where = Hub(endpoint or hub.endpoint, token.value if token else None)
        tell = (said if said is not None else []).append
        return await asyncio.to_thread(worker.download, request, tell, where)

    yield call
    close_session()


def own_children() -> list[psutil.Process]:
    """The processes of a download; whatever else this test run may have left does not count."""
    return [each for each in psutil.Process().children() if _downloads(each)]


def _downloads(process: psutil.Process) -> bool:
    try:
        return "sparkwell.drivers.download" in process.cmdline()
    except psutil.Error:
        return False


async def refused(pulling: Awaitable[Fetched], kind: type[SparkwellError]) -> SparkwellError:
    """The error of a pull that has to fail; it never shows the token, and says what to do."""
    with pytest.raises(kind) as caught:
        await pulling
    error = caught.value
    assert TOKEN.value not in f"{error} {error!r}"
    assert error.hint
    return error


def blobs(cache: Path) -> set[str]:
    return {path.name for path in (cache / "models--me--Mine" / "blobs").iterdir()}


# ── what is right ───────────────────────────────────────────────────────────────────────────


async def test_a_download(spawn: Pull, hub: HubServer, cache: Path) -> None:
    said: list[Progress] = []
    done = await spawn(said=said)
    assert done.snapshot == cache / "models--me--Mine" / "snapshots" / hub.repos[REPO].commit
    assert {path.name for path in done.snapshot.iterdir()} == WANTED
    assert all((done.snapshot / name).read_bytes() == FILES[name] for name in WANTED)
    assert (done.files, done.total_bytes, done.fetched_bytes) == (4, WANTED_BYTES, WANTED_BYTES)
    assert hub.bytes_sent() == WANTED_BYTES
    assert [said[0].stage, said[-1].stage] == [Stage.LISTING, Stage.FETCHING]
    assert (said[-1].done_bytes, said[-1].total_bytes) == (WANTED_BYTES, WANTED_BYTES)
    assert (cache / "models--me--Mine" / "refs" / "main").read_text() == hub.repos[REPO].commit


async def test_blobs_are_named_as_the_library_names_them(pull: Pull, cache: Path) -> None:
    await pull()
    small = {git_sha1(FILES[name]) for name in WANTED - {"model.safetensors"}}
    assert blobs(cache) == {sha256(TENSORS), *small}


async def test_the_library_takes_the_snapshot_for_its_own(pull: Pull, cache: Path) -> None:
    """vLLM asks it so with HF_HUB_OFFLINE; README.md, which was not fetched, is not missed."""
    done = await pull()
    found = snapshot_download(REPO, cache_dir=cache, local_files_only=True)
    assert Path(found) == done.snapshot
    assert find_checkpoint(REPO, [cache], None) == done.snapshot


async def test_what_the_library_fetched_is_not_fetched_again(
    pull: Pull, hub: HubServer, cache: Path
) -> None:
    options = {"endpoint": hub.endpoint, "cache_dir": cache, "token": False}
    only = ["*.json", "*.safetensors"]
    await asyncio.to_thread(snapshot_download, REPO, allow_patterns=only, **options)  # type: ignore[arg-type]
    sent = hub.bytes_sent()
    assert sent >= len(TENSORS)
    done = await pull()
    assert (hub.bytes_sent(), done.fetched_bytes) == (sent, 0)


async def test_a_second_time_only_the_listing_is_asked_for(pull: Pull, hub: HubServer) -> None:
    await pull()
    hub.log.clear()
    done = await pull()
    assert done.fetched_bytes == 0
    assert [seen.path for seen in hub.log] == [f"/api/models/{REPO}"]


async def test_a_new_commit_brings_only_what_is_new(
    pull: Pull, hub: HubServer, cache: Path
) -> None:
    first = await pull()
    hub.add(REPO, {**FILES, "config.json": b'{"model_type": "qwen3"}'})
    hub.log.clear()
    second = await pull()
    assert hub.bytes_sent() == second.fetched_bytes == len(b'{"model_type": "qwen3"}')
    assert first.snapshot != second.snapshot
    assert find_checkpoint(REPO, [cache], None) == second.snapshot


async def test_a_revision(pull: Pull, hub: HubServer, cache: Path) -> None:
    hub.repos[REPO].branches = ("main", "v1.0")
    done = await pull(revision="v1.0")
    assert hub.log[0].path == f"/api/models/{REPO}/revision/v1.0"
    assert (cache / "models--me--Mine" / "refs" / "v1.0").read_text() == done.snapshot.name
    by_commit = await pull(revision=done.snapshot.name)
    assert by_commit.snapshot == done.snapshot
    assert not (cache / "models--me--Mine" / "refs" / done.snapshot.name).exists()


async def test_the_token_goes_to_the_hub_and_nowhere_else(pull: Pull, hub: HubServer) -> None:
    hub.repos[REPO].gated = True
    await pull(token=TOKEN)
    to_cdn = [seen for seen in hub.log if seen.path.startswith("/cdn/")]
    to_hub = [seen for seen in hub.log if "/resolve/" in seen.path or "/api/models" in seen.path]
    assert to_cdn
    assert {seen.authorization for seen in to_cdn} == {None}
    assert {seen.authorization for seen in to_hub} == {f"Bearer {TOKEN.value}"}


async def test_the_token_is_in_no_argument(spawn: Pull, hub: HubServer) -> None:
    hub.rate_bytes_per_s = 2_000_000  # it lives long enough to be looked at
    seen: list[str] = []

    class Look(list[Progress]):
        def append(self, progress: Progress) -> None:
            with suppress(psutil.Error):
                seen.extend(" ".join(child.cmdline()) for child in own_children())

    await spawn(said=Look(), token=TOKEN)
    assert any("sparkwell.drivers.download" in line for line in seen)
    assert not any(TOKEN.value in line for line in seen)


async def test_a_mirror_that_lists_only_names(pull: Pull, hub: HubServer, cache: Path) -> None:
    hub.bare = True
    done = await pull()
    assert done.total_bytes == WANTED_BYTES
    assert sha256(TENSORS) in blobs(cache)
    assert {seen.method for seen in hub.log} == {"HEAD", "GET"}


# ── cuts ────────────────────────────────────────────────────────────────────────────────────


async def test_a_cut_connection_goes_on_where_it_was(pull: Pull, hub: HubServer) -> None:
    hub.cuts["model.safetensors"] = [1_000_000, 500_000]
    done = await pull()
    assert (done.snapshot / "model.safetensors").read_bytes() == TENSORS
    asked = [(seen.range, seen.sent) for seen in hub.log if seen.path == MODEL]
    assert asked == [
        (None, 1_000_000),
        ("bytes=1000000-", 500_000),
        ("bytes=1500000-", 1_500_000),
    ]


async def test_a_server_that_ignores_ranges_sends_all_again(pull: Pull, hub: HubServer) -> None:
    hub.cuts["model.safetensors"] = [1_000_000]
    hub.answer_ranges = False
    said: list[Progress] = []
    done = await pull(said=said)
    assert (done.snapshot / "model.safetensors").read_bytes() == TENSORS
    assert hub.bytes_sent(MODEL) == 4_000_000
    assert said[-1].done_bytes == WANTED_BYTES, "bytes that came twice count once"


async def test_what_is_killed_goes_on_the_next_time(
    spawn: Pull, hub: HubServer, cache: Path
) -> None:
    hub.rate_bytes_per_s = 2_000_000
    said: list[Progress] = []
    task = asyncio.ensure_future(spawn(said=said))
    while not any((each.done_bytes or 0) > 500_000 for each in said):
        await asyncio.sleep(0.05)
    children = own_children()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children
    assert not any(child.is_running() for child in children), "the process ended with the call"
    assert find_checkpoint(REPO, [cache], None) is None
    part = (cache / "models--me--Mine" / "blobs" / f"{sha256(TENSORS)}.incomplete").stat().st_size
    assert part > 400_000

    hub.rate_bytes_per_s = None
    hub.log.clear()
    done = await spawn()
    assert hub.bytes_sent(MODEL) == len(TENSORS) - part
    assert (done.snapshot / "model.safetensors").read_bytes() == TENSORS
    assert not any(name.endswith("incomplete") for name in blobs(cache))


async def test_a_process_that_somebody_kills_is_an_error(spawn: Pull, hub: HubServer) -> None:
    hub.rate_bytes_per_s = 500_000

    class Kill(list[Progress]):
        def append(self, progress: Progress) -> None:
            if progress.done_bytes:
                own_children()[0].kill()

    error = await refused(spawn(said=Kill()), DownloadFault)
    assert "killed by signal 9" in error.message
    assert "goes on" in (error.hint or "")


async def test_two_pulls_of_one_repository_share_the_work(pull: Pull, hub: HubServer) -> None:
    hub.rate_bytes_per_s = 3_000_000
    said: list[Progress] = []

    async def later() -> Fetched:
        while not hub.bytes_sent():
            await asyncio.sleep(0.02)
        return await pull(said=said)

    first, second = await asyncio.gather(pull(), later())
    assert first.snapshot == second.snapshot
    assert hub.bytes_sent() == WANTED_BYTES
    assert Stage.WAITING in {each.stage for each in said}


async def test_a_part_that_the_library_left_is_gone_on_with(
    pull: Pull, hub: HubServer, cache: Path
) -> None:
    folder = cache / "models--me--Mine" / "blobs"
    folder.mkdir(parents=True)
    (folder / f"{sha256(TENSORS)}.1f2e3d4c.incomplete").write_bytes(TENSORS[:2_000_000])
    await pull()
    assert hub.bytes_sent(MODEL) == 1_000_000
    assert not any(name.endswith("incomplete") for name in blobs(cache))


# ── wrong bytes ─────────────────────────────────────────────────────────────────────────────


async def test_a_wrong_checksum_is_tried_once_more(pull: Pull, hub: HubServer) -> None:
    hub.wrong["model.safetensors"] = 1
    done = await pull()
    assert (done.snapshot / "model.safetensors").read_bytes() == TENSORS
    assert hub.bytes_sent(MODEL) == 2 * len(TENSORS)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
async def test_a_checksum_that_stays_wrong(
    pull: Pull, hub: HubServer, cache: Path, name: str
) -> None:
    hub.wrong[name] = 2
    error = await refused(pull(), DownloadFault)
    assert (error.code, error.message.split()[0]) == ("wrong_checksum", name)
    assert {sha256(FILES[name]), git_sha1(FILES[name])}.isdisjoint(
        each.partition(".")[0] for each in blobs(cache)
    )
    assert find_checkpoint(REPO, [cache], None) is None
    await pull()


async def test_a_wrong_part_is_fetched_again_from_the_start(
    pull: Pull, hub: HubServer, cache: Path
) -> None:
    folder = cache / "models--me--Mine" / "blobs"
    folder.mkdir(parents=True)
    (folder / f"{sha256(TENSORS)}.incomplete").write_bytes(b"X" * 2_000_000)
    done = await pull()
    assert (done.snapshot / "model.safetensors").read_bytes() == TENSORS
    assert hub.bytes_sent(MODEL) == 1_000_000 + len(TENSORS)


async def test_a_blob_of_the_wrong_size_is_fetched_again(
    pull: Pull, hub: HubServer, cache: Path
) -> None:
    await pull()
    (cache / "models--me--Mine" / "blobs" / sha256(TENSORS)).write_bytes(TENSORS[:100])
    done = await pull()
    assert done.fetched_bytes == len(TENSORS)
    assert (done.snapshot / "model.safetensors").read_bytes() == TENSORS


async def test_verify_asks_nobody_when_all_is_right(pull: Pull, hub: HubServer) -> None:
    first = await pull()
    hub.log.clear()
    said: list[Progress] = []
    again = await pull(verify=True, said=said)
    assert hub.log == []
    assert again == Fetched(first.snapshot, 4, WANTED_BYTES, 0)
    assert {each.stage for each in said} == {Stage.CHECKING}
    assert said[-1].done_bytes == WANTED_BYTES


async def test_verify_fetches_again_what_is_wrong(pull: Pull, hub: HubServer, cache: Path) -> None:
    await pull()
    changed = bytes([TENSORS[0] ^ 1]) + TENSORS[1:]
    (cache / "models--me--Mine" / "blobs" / sha256(TENSORS)).write_bytes(changed)
    assert (await pull()).fetched_bytes == 0, "of the right size: only reading it tells"
    done = await pull(verify=True)
    assert done.fetched_bytes == len(TENSORS)
    assert (done.snapshot / "model.safetensors").read_bytes() == TENSORS


async def test_verify_of_a_copy_without_links(pull: Pull, hub: HubServer, cache: Path) -> None:
    folder = cache / "models--me--Mine" / "snapshots" / hub.repos[REPO].commit
    folder.mkdir(parents=True)
    for name in WANTED:
        (folder / name).write_bytes(FILES[name])
    assert (await pull(verify=True)).fetched_bytes == 0
    (folder / "model.safetensors").write_bytes(bytes(len(TENSORS)))
    assert (await pull(verify=True)).fetched_bytes == len(TENSORS)
    assert (folder / "model.safetensors").read_bytes() == TENSORS


# ── refusals ────────────────────────────────────────────────────────────────────────────────


async def test_a_repository_that_there_is_not(pull: Pull, cache: Path) -> None:
    error = await refused(pull("me/Other"), UnknownModelError)
    assert "shows no repository me/Other" in error.message
    assert not cache.exists(), "nothing is made for it"


async def test_a_name_that_is_none(pull: Pull) -> None:
    error = await refused(pull("me/-x--y"), UnknownModelError)
    assert "not the name of a repository" in error.message


async def test_a_revision_that_there_is_not(pull: Pull) -> None:
    error = await refused(pull(revision="v9"), UnknownModelError)
    assert f"{REPO} has no revision 'v9'" in error.message


async def test_a_gated_repository_without_a_token(pull: Pull, hub: HubServer) -> None:
    hub.repos[REPO].gated = True
    error = await refused(pull(), DownloadFault)
    assert error.code == "gated"
    assert f"Accept the terms at {hub.endpoint}/{REPO}" in (error.hint or "")
    assert "hf auth login" in (error.hint or "")
    assert "HF_TOKEN" in (error.hint or "")


async def test_a_gated_repository_that_did_not_let_in_yet(pull: Pull, hub: HubServer) -> None:
    hub.repos[REPO].gated = True
    hub.tokens[TOKEN.value] = False
    error = await refused(pull(token=TOKEN), DownloadFault)
    assert error.code == "gated"
    assert "the token from .env has not been let in" in error.message


async def test_a_private_repository_looks_like_none(pull: Pull, hub: HubServer) -> None:
    hub.repos[REPO].private = True
    error = await refused(pull(), UnknownModelError)
    assert "set HF_TOKEN to a token that may read it" in (error.hint or "")
    await pull(token=TOKEN)


async def test_a_token_that_the_hub_does_not_know(pull: Pull, hub: HubServer) -> None:
    hub.tokens.clear()
    error = await refused(pull(token=TOKEN), DownloadFault)
    assert error.code == "token_refused"
    assert "the token from .env" in error.message
    assert "open need none" in (error.hint or "")


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "", "does not allow the download"),
        (404, "EntryNotFound", "a file that it lists is not there"),
        (410, "", "answered 410"),
    ],
)
async def test_files_that_are_refused(
    pull: Pull, hub: HubServer, status: int, code: str, said: str
) -> None:
    hub.refuse["model.safetensors"] = (status, code)
    assert said in (await refused(pull(token=TOKEN), SparkwellError)).message


async def test_a_hub_that_is_busy_is_asked_again(pull: Pull, hub: HubServer) -> None:
    hub.refuse["model.safetensors"] = (503, "")
    task = asyncio.ensure_future(pull())
    while not any(seen.status == 503 for seen in hub.log):
        await asyncio.sleep(0.02)
    hub.refuse.clear()
    assert (await task).fetched_bytes == WANTED_BYTES


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"config.json": b"{}", "model.gguf": b"x"}, "GGUF files only"),
        ({"config.json": b"{}", "model.safetensors": b"x"}, "lacks a tokenizer"),
    ],
)
async def test_repositories_that_no_engine_loads(
    pull: Pull, hub: HubServer, files: dict[str, bytes], said: str
) -> None:
    hub.add(REPO, files)
    assert said in (await refused(pull(), UsageError)).message


async def test_names_that_lead_out_are_not_followed(
    pull: Pull, hub: HubServer, cache: Path
) -> None:
    outside = cache.parent / "outside"
    names = [f"{outside}/evil.json", "../../../evil.json", "a/../../../../evil.safetensors"]
    hub.add(REPO, {**FILES, **dict.fromkeys(names, b"{}")})
    done = await pull()
    assert {path.name for path in done.snapshot.iterdir()} == WANTED
    assert not outside.exists()
    assert list(cache.parent.rglob("evil*")) == []


# ── no network, no hub ──────────────────────────────────────────────────────────────────────


async def test_no_network(pull: Pull, cache: Path) -> None:
    error = await refused(pull(endpoint="http://127.0.0.1:1"), DownloadFault)
    assert error.code == "no_network"
    assert "http://127.0.0.1:1 cannot be reached" in error.message
    assert "goes on where it stopped" in (error.hint or "")


async def test_offline_asks_nobody(spawn: Pull, hub: HubServer) -> None:
    error = await refused(spawn(HF_HUB_OFFLINE="1"), DownloadFault)
    assert error.code == "offline"
    assert "HF_HUB_OFFLINE is set" in error.message
    assert hub.log == []


@pytest.mark.parametrize("page", ["<html>log in</html>", "[]", "{}", '{"siblings": 7}'])
async def test_a_login_page_is_no_hub(pull: Pull, hub: HubServer, page: str) -> None:
    hub.page = page
    error = await refused(pull(), SparkwellError)
    assert "does not answer as a Hub does" in error.message


@pytest.mark.parametrize("endpoint", ["nowhere", "ftp://x", "http://127.0.0.1:x"])
async def test_an_endpoint_that_is_none(pull: Pull, endpoint: str) -> None:
    error = await refused(pull(endpoint=endpoint), DownloadFault)
    assert "HF_ENDPOINT" in (error.hint or "")


async def test_an_endpoint_that_the_library_does_not_even_read(spawn: Pull) -> None:
    error = await refused(spawn(HF_ENDPOINT="http://[bad"), DownloadFault)
    assert error.code == "not_a_hub"
    assert "HF_ENDPOINT" in (error.hint or "")


async def test_a_line_that_stays_dead_is_given_up(pull: Pull, hub: HubServer, cache: Path) -> None:
    hub.cuts["model.safetensors"] = [1_000_000, *[0] * 10]
    error = await refused(pull(), DownloadFault)
    assert error.code == "download_cut"
    assert "goes on where it stopped" in (error.hint or "")
    asked = [seen.range for seen in hub.log if seen.path == MODEL]
    assert asked == [None, *["bytes=1000000-"] * (len(transfer.WAITS_S) + 1)]
    assert find_checkpoint(REPO, [cache], None) is None
    hub.cuts.clear()
    await pull()
    assert hub.bytes_sent(MODEL) == len(TENSORS)


async def test_certificates_that_are_not_there(spawn: Pull, environ: dict[str, str]) -> None:
    error = await refused(
        spawn(HF_ENDPOINT="https://127.0.0.1:1", SSL_CERT_FILE="/nowhere.pem"), DownloadFault
    )
    assert error.code == "no_network"


# ── the disk ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small_disk(cache: Path) -> Any:
    """A disk of 4 MB under the cache."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(cache)]
    if subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("this machine does not allow mounting")
    yield cache
    subprocess.run(["umount", str(cache)], check=True)


async def test_too_little_space_is_said_before_anything_is_fetched(
    pull: Pull, hub: HubServer, small_disk: Path
) -> None:
    (small_disk / "other").write_bytes(bytes(2_000_000))
    error = await refused(pull(), DownloadFault)
    assert error.code == "no_space"
    assert "needs 3.0 MB more" in error.message
    assert "2.2 MB free" in error.message
    assert hub.bytes_sent() == 0


async def test_what_is_there_already_needs_no_space(
    pull: Pull, hub: HubServer, small_disk: Path
) -> None:
    folder = small_disk / "models--me--Mine" / "blobs"
    folder.mkdir(parents=True)
    (folder / f"{sha256(TENSORS)}.incomplete").write_bytes(TENSORS[:2_500_000])
    (small_disk / "other").write_bytes(bytes(800_000))
    await pull()
    assert hub.bytes_sent(MODEL) == 500_000


async def test_a_disk_that_fills_in_the_middle(
    pull: Pull, hub: HubServer, small_disk: Path
) -> None:
    hub.rate_bytes_per_s = 1_000_000
    said: list[Progress] = []
    task = asyncio.ensure_future(pull(said=said))
    while not any((each.done_bytes or 0) > 300_000 for each in said):
        await asyncio.sleep(0.02)
    with (small_disk / "other").open("wb", buffering=0) as other, suppress(OSError):
        while other.write(bytes(4096)):
            pass
    error = await refused(task, DownloadFault)
    assert error.code == "no_space"
    assert "is full" in error.message
    assert find_checkpoint(REPO, [small_disk], None) is None

    (small_disk / "other").unlink()
    part = (small_disk / "models--me--Mine/blobs" / f"{sha256(TENSORS)}.incomplete").stat().st_size
    assert part > 0
    hub.rate_bytes_per_s = None
    hub.log.clear()
    await pull()
    assert hub.bytes_sent(MODEL) == len(TENSORS) - part


async def test_a_folder_that_cannot_be_written(environ: dict[str, str]) -> None:
    request = DownloadRequest(REPO, Path("/proc/hf"))
    error = await refused(fetch(request, lambda _: None, environ=environ), DownloadFault)
    assert error.code == "not_writable"
    assert "/proc/hf" in error.message
    assert "folders.models" in (error.hint or "")


# ── the process by itself ───────────────────────────────────────────────────────────────────


async def test_a_request_that_is_none_is_an_error_and_no_traceback() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sparkwell.drivers.download",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate(b'{"repo": 3}')
    assert process.returncode == 2
    assert json.loads(said)["error"]["code"] == "invalid_request"
    assert complained == b""


async def test_it_ends_when_nobody_listens_any_more(
    hub: HubServer, environ: dict[str, str], cache: Path
) -> None:
    hub.rate_bytes_per_s = 100_000
    process = subprocess.Popen(
        [sys.executable, "-m", "sparkwell.drivers.download"],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps({"repo": REPO, "folder": str(cache)}).encode())
    process.stdin.close()
    await asyncio.to_thread(process.stdout.readline)
    process.stdout.close()
    assert await asyncio.to_thread(process.wait, 10) == 1
