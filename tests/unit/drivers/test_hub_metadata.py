"""The Hub by its metadata, against a small server on this machine that speaks the Hub's API."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from huggingface_hub import close_session, constants
from tests.unit.catalog.files import (
    QWEN3_8B_FP8,
    TINY,
    data_bytes,
    entries,
    halves,
    header,
    index,
    tensor_names,
    write_folder,
)

from sparkwell.catalog import ModelShape, load_catalog
from sparkwell.catalog.described import Described, describe_recipe
from sparkwell.catalog.families import UnknownArchitectureError
from sparkwell.core.errors import (
    DocumentError,
    EnvironmentFault,
    SparkwellError,
    UnknownModelError,
    UsageError,
)
from sparkwell.drivers import hub_metadata
from sparkwell.drivers.hub_metadata import describe_hub

CATALOG = load_catalog()
REPO = "me/Mine"
SHA = "0123456789abcdef0123456789abcdef01234567"
SIZES = {key: value for key, value in TINY.items() if key != "architectures"}
SHAPE = ModelShape.model_validate(
    SIZES | {"hf_class": "LlamaForCausalLM", "head_dim": 8, "native_context": 512}
)
TENSORS = tensor_names(SHAPE)


class Hub:
    """Serves repositories as the Hub does, and counts the bytes of their files.

    A file is its beginning and its length; the rest is zeros that are never made.
    """

    def __init__(self) -> None:
        self.files: dict[str, tuple[bytes, int]] = {}
        self.status = 200
        self.page = ""
        self.headers: dict[str, str] = {}
        self.answer_ranges = True
        self.sent_bytes = 0
        self.seen: list[web.Request] = []
        self.endpoint = ""

    def add(self, name: str, start: bytes, length: int | None = None) -> None:
        self.files[name] = (start, len(start) if length is None else length)

    def add_json(self, name: str, said: Any) -> None:
        self.add(name, json.dumps(said).encode())

    def add_tensors(self, name: str, sizes: Any) -> None:
        start = header(entries(sizes))
        self.add(name, start, len(start) + data_bytes(sizes))

    async def info(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        if self.page:
            return web.Response(text=self.page)
        if self.status != 200:
            return web.Response(status=self.status, headers=self.headers)
        files = [{"rfilename": name, "size": size} for name, (_, size) in self.files.items()]
        return web.json_response({"_id": "1", "id": REPO, "sha": SHA, "siblings": files})

    async def file(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        if "file" in self.headers:
            return web.Response(status=403, headers={"X-Error-Code": self.headers["file"]})
        start, length = self.files[request.match_info["name"]]
        begin, end = 0, length
        if self.answer_ranges:
            asked = request.http_range
            begin, end = asked.start or 0, min(asked.stop or length, length)
        if begin >= length:
            return web.Response(status=416)
        answer = web.StreamResponse(status=206 if self.answer_ranges else 200)
        answer.content_length = end - begin
        await answer.prepare(request)
        while begin < end:
            piece = start[begin : min(end, begin + 65536)] or bytes(min(65536, end - begin))
            await answer.write(piece)
            self.sent_bytes += len(piece)
            begin += len(piece)
        return answer


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A running server; the client is made anew, without proxies and saved tokens."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    close_session()
    served, loop, ready = Hub(), asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_get(f"/api/models/{REPO}/revision/{{revision}}", served.info)
        app.router.add_get(f"/api/models/{REPO}", served.info)
        app.router.add_get(f"/{REPO}/resolve/{SHA}/{{name}}", served.file)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        served.endpoint = f"http://{host}:{port}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield served
    close_session()
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


@pytest.fixture
def describe(hub: Hub, tmp_path: Path) -> Callable[..., Described]:
    def call(repo: str = REPO, revision: str | None = None) -> Described:
        cache = tmp_path / "cache"
        return describe_hub(repo, revision, endpoint=hub.endpoint, cache_dir=cache)

    return call


def complaint(describe: Callable[..., Described], kind: type[SparkwellError]) -> SparkwellError:
    with pytest.raises(kind) as caught:
        describe()
    return caught.value


def tiny(hub: Hub, **changes: Any) -> None:
    hub.add_json("config.json", TINY | changes)
    hub.add_tensors("model.safetensors", TENSORS)


# ── what is right ───────────────────────────────────────────────────────────────────────────


def test_a_repository_of_9_gb_costs_its_headers(
    hub: Hub, describe: Callable[..., Described]
) -> None:
    recipe = CATALOG.get("qwen3-8b-fp8")
    shards = halves(tensor_names(recipe.architecture, "block"))
    hub.add_json("config.json", QWEN3_8B_FP8)
    hub.add_json("model.safetensors.index.json", index(shards))
    for name, sizes in shards.items():
        hub.add_tensors(name, sizes)
    found = describe()
    assert (found.name, found.repo, found.source) == ("Mine", REPO, "hub")
    assert found.revision == SHA
    assert found.weights_bytes == recipe.weights_bytes == 9_436_551_168
    assert found.parts == describe_recipe(recipe).parts
    assert found.notes == ()
    assert hub.sent_bytes < 300_000


def test_a_header_of_half_a_megabyte_is_read_in_two_steps(
    hub: Hub, describe: Callable[..., Described]
) -> None:
    moe = {"num_experts": 128, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
    shape = SHAPE.model_copy(update={"model_type": "qwen3_moe", "qk_norm": True})
    shape = ModelShape.model_validate(shape.model_dump() | {"moe": moe, "num_hidden_layers": 8})
    own = {"model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"]}
    hub.add_json("config.json", TINY | own | moe | {"num_hidden_layers": 8})
    hub.add_tensors("model.safetensors", tensor_names(shape))
    length = len(hub.files["model.safetensors"][0])
    assert length > 300_000
    assert describe().weights_bytes == 2 * shape.total_parameters
    asked = [each.headers["Range"] for each in hub.seen if "model.safe" in each.path]
    assert asked == ["bytes=0-99999", f"bytes=100000-{length - 1}"]
    assert hub.sent_bytes == length + len(hub.files["config.json"][0])


def test_a_server_that_ignores_ranges_is_left_early(
    hub: Hub, describe: Callable[..., Described]
) -> None:
    large = TENSORS | {"model.extra.weight": ("BF16", (100_000, 20_000))}
    hub.add_json("config.json", TINY)
    hub.add_tensors("model.safetensors", large)
    hub.answer_ranges = False
    assert describe().weights_bytes == data_bytes(large) > 4e9
    assert hub.sent_bytes < 50e6  # what is on its way when the client hangs up


def test_the_token_goes_along(hub: Hub, describe: Callable[..., Described]) -> None:
    tiny(hub)
    describe()
    assert {each.headers["Authorization"] for each in hub.seen} == {"Bearer hf_secret"}


def test_a_revision_is_asked_for(hub: Hub, describe: Callable[..., Described]) -> None:
    tiny(hub)
    assert describe(revision="v1.0").revision == SHA
    assert hub.seen[0].path == f"/api/models/{REPO}/revision/v1.0"


def test_modelopts_own_file_is_read(hub: Hub, describe: Callable[..., Described]) -> None:
    hub.add_json("config.json", TINY)
    said = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    hub.add_json("hf_quant_config.json", said)
    hub.add_tensors("model.safetensors", tensor_names(SHAPE, "tensor"))
    found = describe()
    assert (found.quantization.method, found.quantization.kv_cache_dtype) == ("modelopt", "fp8")


def test_the_endpoint_of_the_environment_counts(hub: Hub, tmp_path: Path) -> None:
    """huggingface_hub reads HF_ENDPOINT when it is imported: so a process of its own."""
    tiny(hub)
    code = (
        "from sparkwell.drivers.hub_metadata import describe_hub\n"
        f"print(describe_hub({REPO!r}).weights_bytes)"
    )
    mine = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path), "HF_TOKEN": "hf_other"}
    environ = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environ | mine,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.strip() == str(2 * SHAPE.total_parameters), done.stderr
    assert {each.headers["Authorization"] for each in hub.seen} == {"Bearer hf_other"}


# ── what the Hub refuses ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (404, "RepoNotFound", UnknownModelError, "no repository me/Mine"),
        (401, "RepoNotFound", UnknownModelError, "set HF_TOKEN to a token that may read it"),
        (404, "RevisionNotFound", UnknownModelError, "has no revision"),
        (403, "GatedRepo", EnvironmentFault, "me/Mine is gated"),
        (401, "", EnvironmentFault, "wants a token"),
        (429, "", EnvironmentFault, "limits requests: wait some minutes"),
        (500, "", EnvironmentFault, "answered 500 for me/Mine. Try later."),
    ],
)
def test_refusals(
    hub: Hub,
    describe: Callable[..., Described],
    status: int,
    code: str,
    kind: type[SparkwellError],
    said: str,
) -> None:
    hub.status, hub.headers = status, {"X-Error-Code": code} if code else {}
    assert said in str(complaint(describe, kind))


def test_a_gated_repository_lists_its_files_and_refuses_them(
    hub: Hub, describe: Callable[..., Described]
) -> None:
    tiny(hub)
    hub.headers["file"] = "GatedRepo"
    said = str(complaint(describe, EnvironmentFault))
    assert "me/Mine is gated" in said
    assert f"Ask for access at {hub.endpoint}/{REPO}, then set HF_TOKEN" in said


@pytest.mark.parametrize("name", ["a/b/c", "-x/y", "a b/c", "../etc"])
def test_names_that_are_none(describe: Callable[..., Described], name: str) -> None:
    with pytest.raises(UnknownModelError, match="is not the name of a repository"):
        describe(name)


# ── what is not there or not right ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["model-Q4_K_M.gguf", "README.md"], "has GGUF files only"),
        (["README.md"], "has no config.json"),
        ([], "has no config.json"),
        (["config.json"], "has no safetensors files: it has no weights"),
        (["config.json", "pytorch_model.bin"], "its weights are pickle files, which are not read"),
        (["config.json", "x/model.safetensors"], "has no safetensors files"),
    ],
)
def test_repositories_without_safetensors(
    hub: Hub, describe: Callable[..., Described], files: list[str], said: str
) -> None:
    for name in files:
        hub.add_json(name, TINY)
    assert said in str(complaint(describe, UsageError))


def test_an_index_that_names_what_is_not_there(
    hub: Hub, describe: Callable[..., Described]
) -> None:
    tiny(hub)
    hub.add_json("model.safetensors.index.json", index(halves(TENSORS)))
    said = str(complaint(describe, DocumentError))
    assert "2 of its 2 files are missing (model-00001-of-00002.safetensors first)" in said


def test_an_architecture_that_is_not_known(hub: Hub, describe: Callable[..., Described]) -> None:
    tiny(hub, model_type="deepseek_v3", kv_lora_rank=512)
    said = str(complaint(describe, UnknownArchitectureError))
    assert said.startswith(f"{REPO}/config.json: the KV cache of")


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (header({}, 2**63), "its header claims 9,223,372,036,854,775,808 bytes"),
        (header({}, 500), "its header has 500 bytes, 2 are there"),
        (header({}, 200_000), "its header has 200,000 bytes, 2 are there"),
        (header(b"oops"), "this is not JSON"),
        (b"", "it ends after 0 bytes"),
    ],
)
def test_headers_that_are_not_right(
    hub: Hub, describe: Callable[..., Described], start: bytes, said: str
) -> None:
    hub.add_json("config.json", TINY)
    hub.add("model.safetensors", start)
    found = str(complaint(describe, DocumentError))
    assert found.startswith(f"{REPO}/model.safetensors:")
    assert said in found


def test_a_config_of_100_mb_is_not_read(hub: Hub, describe: Callable[..., Described]) -> None:
    tiny(hub)
    hub.add("config.json", b"{" + b" " * 1000, 100_000_000)
    assert "is larger than 10.0 MB" in str(complaint(describe, DocumentError))
    assert hub.sent_bytes < 11e6


# ── offline ─────────────────────────────────────────────────────────────────────────────────


def fill_cache(cache: Path, shards: Any = None) -> None:
    """The cache as a download leaves it; complete unless ``shards`` says otherwise."""
    repo = cache / "models--me--Mine"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(SHA)
    (repo / "snapshots").mkdir()
    files = {"model.safetensors": TENSORS} if shards is None else shards
    write_folder(repo / "snapshots" / SHA, TINY, files)


def test_offline_the_cache_counts(
    hub: Hub,
    describe: Callable[..., Described],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    fill_cache(tmp_path / "cache")
    found = describe()
    assert (found.name, found.repo, found.source, found.revision) == ("Mine", REPO, "hub", SHA)
    assert found.weights_bytes == 2 * SHAPE.total_parameters
    assert found.notes == ("This is what the cache has: HF_HUB_OFFLINE is set.",)
    assert hub.seen == []


def test_offline_and_not_in_the_cache(
    describe: Callable[..., Described], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    said = str(complaint(describe, EnvironmentFault))
    assert "me/Mine is not in the cache, and HF_HUB_OFFLINE is set." in said
    assert "Unset HF_HUB_OFFLINE; or download it once: `hf download me/Mine`." in said


def test_no_network(hub: Hub, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(EnvironmentFault, match=r"127\.0\.0\.1:1 cannot be reached") as caught:
        describe_hub(REPO, endpoint="http://127.0.0.1:1", cache_dir=cache)
    assert "Check the network, or set HF_ENDPOINT" in (caught.value.hint or "")
    fill_cache(cache, {})
    found = describe_hub(REPO, endpoint="http://127.0.0.1:1", cache_dir=cache)
    assert found.weights_bytes == 2 * SHAPE.total_parameters
    assert "cannot be reached" in found.notes[0]
    assert "there are no weights in the folder" in found.notes[1]


@pytest.mark.parametrize("page", ["<html>log in</html>", "[]", "{}", '{"siblings": 7}'])
def test_a_login_page_is_no_hub(hub: Hub, describe: Callable[..., Described], page: str) -> None:
    hub.page = page
    said = str(complaint(describe, SparkwellError))
    assert "does not answer as a Hub does" in said


@pytest.mark.parametrize("endpoint", ["nowhere", "http://[bad", "ftp://x"])
def test_an_endpoint_that_is_none(hub: Hub, tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        describe_hub(REPO, endpoint=endpoint, cache_dir=tmp_path)
    assert "HF_ENDPOINT" in (caught.value.hint or "")


def test_a_server_that_never_ends_is_no_network(
    hub: Hub, describe: Callable[..., Described], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_metadata, "LONGEST_S", -1.0)
    tiny(hub)
    hub.add("config.json", b"{", 5_000_000)
    assert "cannot be reached" in str(complaint(describe, EnvironmentFault))
