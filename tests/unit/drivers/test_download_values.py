"""The pieces of a download that need no network: what is fetched, where to, what is whole."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hub_server import git_sha1, sha256

from sparkwell.core.errors import EnvironmentFault, UnknownModelError, UsageError
from sparkwell.drivers.download import locks
from sparkwell.drivers.download.choose import engine_files
from sparkwell.drivers.download.client import child_environment
from sparkwell.drivers.download.files import RemoteFile, digest_for, is_checksum, matches
from sparkwell.drivers.download.folder import RepoFolder
from sparkwell.drivers.download.lengths import cut_files, declared_bytes
from sparkwell.drivers.download.locks import is_locked, locked
from sparkwell.drivers.download.messages import (
    DownloadFault,
    DownloadRequest,
    Fetched,
    Message,
    Progress,
    Stage,
    read_message,
    read_request,
    write_message,
    write_request,
)
from sparkwell.drivers.download.meter import WINDOW_S, Meter
from sparkwell.drivers.download.partial import Partial, TooLongError, WrongChecksumError
from sparkwell.drivers.download.place import Candidate, candidates, choose_folder
from sparkwell.drivers.hub_token import Token

# ── what an engine needs ────────────────────────────────────────────────────────────────────


def words(text: str) -> list[str]:
    return text.split()


QWEN = words(""".gitattributes LICENSE README.md config.json generation_config.json merges.txt
model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json
tokenizer.json tokenizer_config.json vocab.json""")
LLAMA = words("""README.md USE_POLICY.md config.json model.safetensors original/consolidated.00.pth
original/params.json original/tokenizer.model special_tokens_map.json tokenizer.json""")
MISTRAL = words("""config.json consolidated.safetensors params.json tekken.json
model-00001-of-00001.safetensors model.safetensors.index.json""")
MIXED = words("""config.json model.safetensors pytorch_model.bin pytorch_model.bin.index.json
tf_model.h5 flax_model.msgpack onnx/model.onnx onnx/config.json model-Q4_K_M.gguf
figures/speed.png chat_template.jinja additional_chat_templates/tools.jinja modeling_own.py
1_Pooling/config.json .cache/x.json qwen.tiktoken tokenizer.model""")


@pytest.mark.parametrize(
    ("names", "left_out"),
    [
        (QWEN, {".gitattributes", "LICENSE", "README.md"}),
        (LLAMA, {name for name in LLAMA if "/" in name or name.endswith(".md")}),
        (MISTRAL, {"consolidated.safetensors"}),
        (
            MIXED,
            {
                "pytorch_model.bin",
                "pytorch_model.bin.index.json",
                "tf_model.h5",
                "flax_model.msgpack",
                "onnx/model.onnx",
                "onnx/config.json",
                "model-Q4_K_M.gguf",
                "figures/speed.png",
                ".cache/x.json",
            },
        ),
    ],
)
def test_what_is_fetched(names: Sequence[str], left_out: set[str]) -> None:
    chosen = engine_files("me/Mine", names)
    assert set(names) - set(chosen) == left_out
    tensors = [name.endswith(".safetensors") for name in chosen]
    assert tensors == sorted(tensors), "the tensors come last"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["config.json", "model.gguf"], "GGUF files only"),
        (["README.md"], "has no config.json"),
        (["model.safetensors"], "has no config.json"),
        (["config.json"], "it has no weights"),
        (["config.json", "pytorch_model.bin"], "pickle files"),
    ],
)
def test_what_cannot_be_served_is_not_fetched(names: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        engine_files("me/Mine", names)


# ── where it goes ───────────────────────────────────────────────────────────────────────────

A, B, C, D = (Path(f"/{name}") for name in "abcd")


@pytest.mark.parametrize(
    ("having", "where", "chosen"),
    [
        ([], {"own": D}, D),
        ([], {"shared": C, "own": D}, C),
        ([], {"explicit": B, "shared": C, "own": D}, B),
        ([], {"named": A, "explicit": B, "shared": C, "own": D}, A),
        ([Candidate(D, 5, True)], {"named": A, "shared": C}, D),
        ([Candidate(C, 5, True), Candidate(D, 9, True)], {"named": A}, D),
        ([Candidate(C, 5, True), Candidate(D, 5, True)], {}, C),
        ([Candidate(D, 9, False), Candidate(C, 1, True)], {"named": A}, C),
        ([Candidate(D, 9, False)], {"named": A}, A),
        ([Candidate(D, 9, False)], {"shared": C}, D),
    ],
)
def test_the_folder_for_a_download(
    having: list[Candidate], where: dict[str, Path], chosen: Path
) -> None:
    assert choose_folder(having, **where) == chosen


def test_no_folder_at_all() -> None:
    with pytest.raises(EnvironmentFault, match="no folder to download to"):
        choose_folder([])


def test_folders_that_have_something(tmp_path: Path) -> None:
    some, empty, none = (tmp_path / name for name in ("some", "empty", "none"))
    blobs = some / "models--me--Mine" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "a").write_bytes(b"123")
    (blobs / "b.incomplete").write_bytes(b"45")
    (empty / "models--me--Mine" / "blobs").mkdir(parents=True)
    assert candidates("me/Mine", [none, empty, some]) == [Candidate(some, 5, True)]


# ── how far it is ───────────────────────────────────────────────────────────────────────────


def test_rate_and_time_left_come_from_the_last_seconds() -> None:
    meter = Meter()
    assert meter.progress(0.0) == Progress(Stage.LISTING)
    meter.begin(Stage.FETCHING, total_bytes=1_000_000, done_bytes=400_000)
    assert meter.progress(10.0) == Progress(Stage.FETCHING, 400_000, 1_000_000, None, None)
    meter.add(50_000)
    assert meter.progress(10.5).rate_bytes_per_s is None, "half a second says nothing yet"
    meter.add(50_000)
    now = meter.progress(12.0)
    assert (now.rate_bytes_per_s, now.left_s, now.fraction) == (50_000.0, 10.0, 0.5)


def test_a_download_that_stands_still_has_no_end_in_sight() -> None:
    meter = Meter()
    meter.begin(Stage.FETCHING, total_bytes=1000)
    meter.progress(0.0)
    meter.add(500)
    meter.progress(1.0)
    still = meter.progress(1.0 + 2 * WINDOW_S)
    still = meter.progress(2.5 + 2 * WINDOW_S)
    assert (still.rate_bytes_per_s, still.left_s, still.fraction) == (0.0, None, 0.5)


def test_bytes_that_have_to_come_again_are_no_negative_rate() -> None:
    meter = Meter()
    meter.begin(Stage.FETCHING, total_bytes=1000, done_bytes=900)
    meter.progress(0.0)
    meter.add(-900)
    assert meter.progress(2.0).rate_bytes_per_s == 0.0


def test_a_meter_is_safe_in_threads() -> None:
    meter = Meter()
    meter.begin(Stage.FETCHING, total_bytes=1)

    def count() -> None:
        for _ in range(5000):
            meter.add(1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.progress(0.0).done_bytes == 20_000


# ── what the processes say to each other ────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "message",
    [
        Progress(Stage.LISTING),
        Progress(Stage.FETCHING, 1, 2, 3.5, None),
        Fetched(Path("/x/y"), 3, 4, 5),
    ],
)
def test_messages_come_back_as_they_were(message: Message) -> None:
    line = write_message(message)
    assert "\n" not in line
    assert read_message(line) == message


@pytest.mark.parametrize(
    "error",
    [
        UsageError("wrong", hint="do it right"),
        UnknownModelError("none"),
        DownloadFault("gated", "closed", hint="ask"),
    ],
)
def test_errors_come_back_as_what_they_were(error: UsageError) -> None:
    found = read_message(write_message(error))
    assert type(found) is type(error)
    assert isinstance(found, UsageError | DownloadFault)
    assert (found.code, found.message, found.hint) == (error.code, error.message, error.hint)


@pytest.mark.parametrize("line", ["", "[]", "3", "{", "Traceback"])
def test_a_line_that_is_no_message(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own
        read_message(line)


def test_requests() -> None:
    request = DownloadRequest("me/Mine", Path("/x"), "v1.0", verify=True, token_source=".env")
    assert read_request(write_request(request)) == request


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"repo": "a/b/c"}, "repo"),
        ({"revision": "../../x"}, "revision"),
        ({"folder": None}, "folder"),
    ],
)
def test_requests_that_are_not_right(change: dict[str, object], said: str) -> None:
    words = {"repo": "me/Mine", "folder": "/x"} | change
    with pytest.raises(UsageError, match=said):
        read_request(json.dumps(words))


def test_the_process_sees_few_variables() -> None:
    environ = {
        "HOME": "/me",
        "HF_ENDPOINT": "http://mirror",
        "https_proxy": "http://proxy",
        "HTTPS_PROXY": "http://proxy",
        "SSL_CERT_FILE": "/c.pem",
        "OPENAI_API_KEY": "secret",
        "PYTHONPATH": "/elsewhere",
        "HF_TOKEN": "old",
        "HF_HUB_DISABLE_XET": "0",
    }
    seen = child_environment(environ, Token("hf_new", ".env"))
    assert {"OPENAI_API_KEY", "PYTHONPATH"}.isdisjoint(seen)
    kept = set(environ) - {"OPENAI_API_KEY", "PYTHONPATH", "HF_TOKEN", "HF_HUB_DISABLE_XET"}
    assert {name: seen[name] for name in kept} == {name: environ[name] for name in kept}
    assert (seen["HF_TOKEN"], seen["HF_HUB_DISABLE_XET"]) == ("hf_new", "1")
    assert "HF_TOKEN" not in child_environment({}, None)


def test_importing_the_client_does_not_import_the_library() -> None:
    code = "import sys, sparkwell.drivers.download; print('huggingface_hub' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


# ── checksums and parts ─────────────────────────────────────────────────────────────────────

DATA = b"weights" * 1000
LARGE = RemoteFile("model.safetensors", len(DATA), sha256(DATA))


@given(st.binary(max_size=300))
def test_both_kinds_of_checksums(data: bytes) -> None:
    for etag in (sha256(data), git_sha1(data)):
        digest = digest_for(etag, len(data))
        assert digest is not None
        digest.update(data)
        assert digest.hexdigest() == etag


def test_git_itself_agrees(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(DATA)
    said = subprocess.run(["git", "hash-object", file], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == git_sha1(DATA)
    assert matches(file, git_sha1(DATA))
    assert not matches(file, git_sha1(DATA + b"x"))
    assert matches(file, '"W/weak"'), "an etag that is no checksum cannot be wrong"
    assert [is_checksum(etag) for etag in (sha256(DATA), git_sha1(DATA), "abc")] == [
        True,
        True,
        False,
    ]


def test_a_part_goes_on_and_becomes_the_blob(tmp_path: Path) -> None:
    path, blob = tmp_path / "x.incomplete", tmp_path / "x"
    with Partial(path, LARGE) as partial:
        partial.append(DATA[:3000])
    with Partial(path, LARGE) as partial:
        assert partial.length == 3000
        partial.append(DATA[3000:])
        assert partial.is_full
        partial.finish(blob)
    assert blob.read_bytes() == DATA
    assert not path.exists()


def test_a_wrong_part_is_removed_and_never_gets_the_name(tmp_path: Path) -> None:
    path, blob = tmp_path / "x.incomplete", tmp_path / "x"
    path.write_bytes(b"X" * 3000)
    with Partial(path, LARGE) as partial:
        partial.append(DATA[3000:])
        with pytest.raises(WrongChecksumError):
            partial.finish(blob)
    assert list(tmp_path.iterdir()) == []


def test_more_bytes_than_listed_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "x.incomplete"
    path.write_bytes(DATA + b"more")
    with Partial(path, LARGE) as partial:
        assert partial.length == 0
        partial.append(DATA)
        with pytest.raises(TooLongError):
            partial.append(b"x")
        assert partial.length == path.stat().st_size == 0
        partial.append(DATA)
        partial.finish(tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA


# ── the folder of a repository ──────────────────────────────────────────────────────────────


@pytest.fixture
def folder(tmp_path: Path) -> RepoFolder:
    made = RepoFolder(tmp_path, "me/Mine")
    made.make()
    return made


def test_the_longest_part_goes_on_whoever_left_it(folder: RepoFolder) -> None:
    """huggingface_hub 2 gives each attempt a name of its own, and leaves it when it is killed."""
    for name, size in (("", 10), (".1f2e3d4c", 300), (".aaaaaaaa", 200)):
        (folder.blobs / f"{LARGE.etag}{name}.incomplete").write_bytes(DATA[:size])
    (folder.blobs / "other.incomplete").write_bytes(b"1")
    assert folder.part_bytes(LARGE) == 300
    folder.adopt_part(LARGE.etag)
    assert folder.partial(LARGE.etag).read_bytes() == DATA[:300]
    assert len(list(folder.blobs.iterdir())) == 2


def test_a_part_with_holes_was_not_written_in_order(folder: RepoFolder) -> None:
    hollow = folder.blobs / f"{LARGE.etag}.1f2e3d4c.incomplete"
    with hollow.open("wb") as file:
        file.truncate(50_000_000)
        file.seek(49_999_000)
        file.write(b"x")
    assert folder.part_bytes(RemoteFile("m", 60_000_000, LARGE.etag)) == 0
    folder.adopt_part(LARGE.etag)
    assert list(folder.blobs.iterdir()) == []


def test_a_file_is_there_in_its_size_or_not(folder: RepoFolder) -> None:
    assert not folder.has(LARGE, "abc")
    folder.blob(LARGE.etag).write_bytes(DATA[:-1])
    assert not folder.has(LARGE, "abc")
    folder.blob(LARGE.etag).write_bytes(DATA)
    assert folder.has(LARGE, "abc")


def test_a_snapshot_that_was_copied_without_links_counts(folder: RepoFolder) -> None:
    copy = folder.snapshot("abc") / LARGE.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(DATA)
    assert folder.has(LARGE, "abc")
    folder.link((LARGE,), "abc", "main")
    assert copy.read_bytes() == DATA
    assert not copy.is_symlink()


def test_links_are_relative_and_replace_what_is_wrong(folder: RepoFolder, tmp_path: Path) -> None:
    folder.blob(LARGE.etag).write_bytes(DATA)
    link = folder.snapshot("abc") / LARGE.name
    link.parent.mkdir(parents=True)
    link.symlink_to("../../blobs/gone")
    nested = RemoteFile("1_Pooling/config.json", len(DATA), LARGE.etag)
    folder.link((LARGE, nested), "abc", "v1")
    assert (folder.root / "refs" / "v1").read_text() == "abc"
    folder.root.rename(tmp_path / "moved")
    moved = tmp_path / "moved" / "snapshots" / "abc"
    assert (moved / LARGE.name).read_bytes() == (moved / nested.name).read_bytes() == DATA


def test_a_wrong_blob_that_is_shared_goes_with_its_target(folder: RepoFolder) -> None:
    store = folder.cache / "blobs" / "12"
    store.mkdir(parents=True)
    (store / "1234").write_bytes(b"wrong")
    folder.blob(LARGE.etag).symlink_to(os.path.relpath(store / "1234", folder.blobs))
    folder.remove(LARGE.etag)
    assert list(store.iterdir()) == list(folder.blobs.iterdir()) == []


# ── locks ───────────────────────────────────────────────────────────────────────────────────

HOLDER = """
import sys, time
from pathlib import Path
from sparkwell.drivers.download.locks import locked
with locked(Path(sys.argv[1]), lambda: None):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_ends_with_its_process_even_when_that_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "x.lock"
    command = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_locked(lock)
        waited = []

        def kill() -> None:
            waited.append(1)
            holder.kill()
            holder.wait()

        with locked(lock, kill):
            assert waited
    assert lock.exists(), "the file stays behind,"
    assert not is_locked(lock), "and is free"


def test_a_lock_file_that_was_removed_meanwhile_is_not_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, tries, really = tmp_path / "x.lock", [], locks._try

    def removed_at_first(descriptor: int) -> bool:
        tries.append(descriptor)
        if len(tries) == 1:
            lock.unlink()
        return really(descriptor)

    monkeypatch.setattr(locks, "_try", removed_at_first)
    with locked(lock, lambda: None):
        assert len(tries) == 2
        assert is_locked(lock)


def test_the_librarys_lock_is_the_same(tmp_path: Path) -> None:
    from filelock import Timeout  # noqa: PLC0415
    from huggingface_hub.utils._fixes import WeakFileLock  # noqa: PLC0415 - half a second

    lock = tmp_path / "x.lock"
    with WeakFileLock(lock):
        assert is_locked(lock)
    refused = pytest.raises(Timeout)
    with locked(lock, lambda: None), refused, WeakFileLock(lock, timeout=0.1):
        pass


# ── lengths ─────────────────────────────────────────────────────────────────────────────────


def tensors(size: int, **more: object) -> bytes:
    about = {"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}, **more}
    text = json.dumps(about).encode()
    return len(text).to_bytes(8, "little") + text + bytes(size)


def test_a_tensor_file_says_how_long_it_is(tmp_path: Path) -> None:
    data = tensors(500, __metadata__={"format": "pt"})
    for name, content in {
        "a": data,
        "b": data[:-1],
        "c": data + b"x",
        "d": b"",
        "e": b"\xff" * 100,
        "f": data[:20],
    }.items():
        (tmp_path / f"{name}.safetensors").write_bytes(content)
    assert declared_bytes(tmp_path / "a.safetensors") == len(data)
    assert cut_files(tmp_path) == tuple(f"{name}.safetensors" for name in "bcdef")


def test_a_file_without_tensors_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    assert cut_files(tmp_path) == ()
