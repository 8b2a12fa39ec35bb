"""`sparkwell pull` as people type it, against a hub on this machine."""

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Home, Json, wait_for
from tests.acceptance.test_bad_input import RECIPE, refused
from tests.hub_server import HubServer, served, sha256

TOKEN = "hf_" + "secret" * 5
SIZE = 2_000_000
HEADER = json.dumps({"w": {"dtype": "U8", "shape": [SIZE], "data_offsets": [0, SIZE]}}).encode()
TENSORS = len(HEADER).to_bytes(8, "little") + HEADER + random.Random(1).randbytes(SIZE)
FILES = {
    "README.md": b"# Mine",
    "config.json": b"{}",
    "tokenizer.json": b'{"version": "1.0"}',
    "model.safetensors": TENSORS,
}
BYTES = sum(len(data) for name, data in FILES.items() if name != "README.md")
MODEL = "/cdn/me/mine/model.safetensors"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    server = HubServer()
    server.add("me/mine", FILES)
    server.tokens[TOKEN] = True
    with served(server):
        yield server


@pytest.fixture
def host(home: Home, hub: HubServer) -> Home:
    """A home with the recipe ``mine``, and that hub as its only one."""
    home.paths.recipes.mkdir()
    (home.paths.recipes / "mine.yaml").write_text(RECIPE.replace("many", "4"))
    for name in ("HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE"):
        home.environ.pop(name, None)
    home.environ |= {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home.root / "hf"),
        "no_proxy": "127.0.0.1",
    }
    return home


def pull(host: Home, *words: str) -> Json:
    """Pull one model that has to come, and what `--json` says of it."""
    (entry,) = host.json("pull", *words)["models"]
    return dict(entry)


def cut_the_network(host: Home) -> None:
    host.environ |= {"HF_ENDPOINT": "http://127.0.0.1:1", "HF_HUB_OFFLINE": "1"}


# ── what is right ───────────────────────────────────────────────────────────────────────────


def test_a_model_is_downloaded_once(host: Home, hub: HubServer) -> None:
    entry = pull(host, "mine")
    snapshot = host.root / "hf" / "hub" / "models--me--mine" / "snapshots"
    assert Path(entry.pop("folder")) == snapshot / hub.repos["me/mine"].commit
    assert entry.pop("seconds") > 0
    assert entry == {
        "model": "mine",
        "repo": "me/mine",
        "revision": None,
        "files": 3,
        "bytes": BYTES,
        "fetched_bytes": BYTES,
        "checked": False,
    }
    hub.log.clear()
    assert pull(host, "mine")["fetched_bytes"] == 0
    assert "nothing was downloaded" in host.run("pull", "mine").stderr
    assert hub.log == []


def test_progress_goes_to_stderr_and_says_how_long_it_takes(host: Home, hub: HubServer) -> None:
    hub.rate_bytes_per_s = 700_000
    done = host.run("pull", "mine")
    assert done.stdout == ""
    assert "mine: downloading, 2.0 MB\n" in done.stderr
    assert "MB, " in done.stderr
    assert "kB/s, about 1 s left" in done.stderr
    assert "✓ mine is here: 2.0 MB in" in done.stderr
    assert "(downloaded 2.0 MB in" in done.stderr


def test_any_repository_of_the_hub(host: Home, hub: HubServer) -> None:
    hub.add("you/Other", FILES)
    entry = pull(host, "hf:you/Other")
    assert (entry["model"], entry["repo"]) == ("hf:you/Other", "you/Other")


def test_several_at_once_in_one_document(host: Home, hub: HubServer) -> None:
    hub.add("you/Other", FILES)
    entries = host.json("pull", "mine", "hf:you/Other", "demo-qwen3")["models"]
    assert [entry["repo"] for entry in entries] == ["me/mine", "you/Other", None]


def test_a_model_that_comes_with_sparkwell_needs_no_download(host: Home, hub: HubServer) -> None:
    cut_the_network(host)
    assert pull(host, "demo-qwen3")["fetched_bytes"] == 0
    assert "comes with Sparkwell" in host.run("pull", "demo-qwen3").stderr
    assert hub.log == []


def test_a_revision_of_the_recipe_is_honoured(host: Home, hub: HubServer) -> None:
    hub.repos["me/mine"].branches = ("v1.0",)
    recipe = host.paths.recipes / "mine.yaml"
    recipe.write_text(recipe.read_text().replace("repo: me/mine", "repo: me/mine\nrevision: v1.0"))
    assert pull(host, "mine")["revision"] == "v1.0"
    assert hub.log[0].path == "/api/models/me/mine/revision/v1.0"


# ── where weights lie ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("setting", "below"), [("folders", ""), ("model_folders", "hub")])
def test_weights_that_are_here_are_used_with_the_network_cut(
    host: Home, hub: HubServer, below: str, setting: str
) -> None:
    """As the guides' --download-dir leaves them, and as the Hub's own library does."""
    shared = host.root / "opt" / "hf"
    host.configure({"folders": {"models": str(shared / below)}})
    snapshot = pull(host, "mine")["folder"]
    assert Path(snapshot).is_relative_to(shared / below / "models--me--mine")

    named = {"models": str(shared)} if setting == "folders" else [str(shared)]
    host.configure({setting: named})
    hub.log.clear()
    cut_the_network(host)
    assert pull(host, "mine")["folder"] == snapshot
    assert hub.log == []


def test_a_download_that_was_cut_goes_on_where_it_is(host: Home, hub: HubServer) -> None:
    blobs = host.root / "old" / "models--me--mine" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{sha256(TENSORS)}.incomplete").write_bytes(TENSORS[:1_500_000])
    old, new = str(host.root / "old"), str(host.root / "new")
    host.configure({"model_folders": [old], "folders": {"models": new}})
    assert pull(host, "mine")["folder"].startswith(old)
    assert hub.bytes_sent(MODEL) == len(TENSORS) - 1_500_000


# ── cuts, wrong bytes ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_is_interrupted_goes_on(host: Home, hub: HubServer, number: int) -> None:
    hub.rate_bytes_per_s = 500_000
    process = host.spawn("pull", "mine", output=host.root / "pull.log")
    wait_for(lambda: hub.bytes_sent(MODEL) > 300_000)
    process.send_signal(number)
    assert process.wait(20) != 0
    wait_for(lambda: host.processes() == [])
    assert "Traceback" not in (host.root / "pull.log").read_text()
    blobs = host.root / "hf" / "hub" / "models--me--mine" / "blobs"
    part = (blobs / f"{sha256(TENSORS)}.incomplete").stat().st_size
    assert part > 200_000

    hub.rate_bytes_per_s = None
    hub.log.clear()
    assert pull(host, "mine")["fetched_bytes"] < BYTES
    assert hub.bytes_sent(MODEL) == len(TENSORS) - part


def test_verify_finds_a_changed_byte_and_fetches_the_file_again(host: Home, hub: HubServer) -> None:
    snapshot = Path(pull(host, "mine")["folder"])
    blob = (snapshot / "model.safetensors").resolve()
    blob.write_bytes(TENSORS[:-1] + bytes([TENSORS[-1] ^ 1]))
    assert pull(host, "mine")["fetched_bytes"] == 0
    entry = pull(host, "mine", "--verify")
    assert (entry["fetched_bytes"], entry["checked"]) == (len(TENSORS), True)
    hub.log.clear()
    cut_the_network(host)
    assert "every checksum is right" in host.run("pull", "mine", "--verify").stderr
    assert hub.log == []


def test_a_file_that_was_cut_on_the_disk_is_found_without_verify(
    host: Home, hub: HubServer
) -> None:
    snapshot = Path(pull(host, "mine")["folder"])
    (snapshot / "model.safetensors").resolve().write_bytes(TENSORS[:-1])
    assert pull(host, "mine")["fetched_bytes"] == len(TENSORS)
    assert (snapshot / "model.safetensors").read_bytes() == TENSORS


# ── refusals ────────────────────────────────────────────────────────────────────────────────


def test_a_gated_model_says_where_to_ask_and_takes_the_token_from_dotenv(
    host: Home, hub: HubServer
) -> None:
    hub.repos["me/mine"].gated = True
    said = refused(host, "pull", "mine")
    assert "me/mine is gated" in said
    assert f"{hub.endpoint}/me/mine" in said
    assert "HF_TOKEN" in said

    (host.paths.config / ".env").write_text(f'HF_TOKEN="{TOKEN}"\n')
    done = host.run("pull", "mine", "--json")
    assert done.returncode == 0, done.stderr
    written = [path for path in host.root.rglob("*") if path.is_file() and path.name != ".env"]
    assert not any(TOKEN.encode() in path.read_bytes() for path in written)
    assert TOKEN not in done.stdout + done.stderr


def test_a_token_that_nobody_knows_is_named_by_its_place(host: Home, hub: HubServer) -> None:
    hub.tokens.clear()
    host.environ["HF_TOKEN"] = TOKEN
    said = refused(host, "pull", "mine")
    assert "does not know the token from HF_TOKEN" in said
    assert TOKEN not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pull",), "Missing argument"),
        (("pull", "qwen3-32b-fp9"), "Did you mean qwen3-32b-fp8"),
        (("pull", "hf:nothing"), "not the name of a repository"),
        (("pull", "hf:me/nothing"), "shows no repository me/nothing"),
    ],
)
def test_wrong_words(host: Home, words: tuple[str, ...], said: str) -> None:
    assert said in refused(host, *words)


def test_no_network(host: Home) -> None:
    host.environ["HF_ENDPOINT"] = "http://127.0.0.1:1"
    assert "cannot be reached" in refused(host, "pull", "mine")
    host.environ["HF_HUB_OFFLINE"] = "1"
    assert "HF_HUB_OFFLINE is set" in refused(host, "pull", "mine")


def test_errors_as_json(host: Home, hub: HubServer) -> None:
    hub.repos["me/mine"].gated = True
    done = host.run("pull", "mine", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "gated"


def test_the_hub_for_tests_runs_by_itself(host: Home, tmp_path: Path) -> None:
    folder = tmp_path / "repos" / "you" / "Folder"
    folder.mkdir(parents=True)
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    command = [sys.executable, "-m", "tests.hub_server", str(tmp_path / "repos"), "--rate", "9e6"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        host.environ["HF_ENDPOINT"] = process.stdout.readline().strip()
        assert pull(host, "hf:you/Folder")["fetched_bytes"] == BYTES
        process.kill()
