"""Nothing private stays in a report."""

import json
from pathlib import Path

import pytest

import sparkwell
from sparkwell.app.verifying.private import private_here, registry_of
from sparkwell.app.verifying.scrub import Private, scrub

PRIVATE = Private(
    secrets=("correct horse battery",),
    users=("alice", "Alice Example", "root"),
    hosts=("alices-spark.example.org", "alices-spark"),
    folders=(("/data/sw", "$SPARKWELL_HOME"), ("/home/alice", "~")),
)


def clean(text: str, *public: str) -> str:
    return str(scrub({"a": [{"b": text}]}, PRIVATE, public)["a"][0]["b"])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("said correct horse battery here", "said … here"),
        ("HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz0123456789", "HF_TOKEN=…"),
        ("Authorization: Bearer abcdef0123456789", "Authorization: …"),
        ("/data/sw/state/sparkwell.db", "$SPARKWELL_HOME/state/sparkwell.db"),
        ("/home/alice/.cache/huggingface", "~/.cache/huggingface"),
        ("/home/bob/models", "~/models"),
        ("/Users/carol/x", "~/x"),
        ("/root/.cache", "~/.cache"),
        ("on alices-spark.example.org", "on [host]"),
        ("on Alices-Spark, port 80", "on [host], port 80"),
        ("owned by alice", "owned by [user]"),
        ("owned by Alice Example", "owned by [user]"),
        ("malice is no name", "malice is no name"),
        ("as root", "as root"),
        ("listens on 192.168.4.17:8000", "listens on [address]:8000"),
        ("http://10.1.2.3/v1", "http://[address]/v1"),
        ("listens on 127.0.0.1:8000", "listens on 127.0.0.1:8000"),
        ("listens on 0.0.0.0", "listens on 0.0.0.0"),
        ("vLLM 0.10.1.1", "vLLM 0.10.1.1"),
        ("driver 580.159.04", "driver 580.159.04"),
        ("fe80::1c2d:3eff:fe4f:5061 is up", "[address] is up"),
        ("2001:db8::7", "[address]"),
        ("at 12:30:45 it began", "at 12:30:45 it began"),
        ("std::vector, ::1", "std::vector, ::1"),
        ("00:1a:2b:3c:4d:5e", "[address]"),
        ("Using eth0:fe80::1c2d:3eff:fe4f:5061%eth0<0>", "Using eth0:[address]%eth0<0>"),
        ("addr:2001:db8::7", "addr:[address]"),
        ("HWaddr:00:1a:2b:3c:4d:5e", "HWaddr:[address]"),
        ("peer_192.168.1.5", "peer_[address]"),
        ("192.168.1.5_1", "[address]_1"),
        ("on alices-spark.corp.example.com.", "on [host]."),
        ("v1.2.3.4, torch::x", "v1.2.3.4, torch::x"),
    ],
)
def test_what_is_private_is_taken_out_and_the_rest_stays(text: str, left: str) -> None:
    assert clean(text) == left


@pytest.mark.parametrize("parent", ["/home", "/Users", "/export", "/export/home"])
def test_homes_below_the_working_folder_keep_no_name(parent: str) -> None:
    private = Private(
        users=("bob",), folders=((parent, "."), (f"{parent}/al/sw", "$SPARKWELL_HOME"))
    )
    homes = "/export/home" if parent == "/export" else parent
    told = {"a": f"{homes}/bob/models", "b": f"{parent}/al/sw/x", "c": f"{parent}/x"}
    found = scrub(told, private, ())
    assert (found["a"], found["b"]) == ("~/models", "$SPARKWELL_HOME/x")


def test_what_the_model_and_the_machine_are_called_stays() -> None:
    assert clean("alice", "alice") == "alice"
    assert clean("the model alice", "alice") == "the model alice"


def test_flags_lose_what_is_secret_by_its_name() -> None:
    flags = {"api_key": "abcdef", "max_model_len": 8192, "download_dir": "/home/alice/w"}
    assert scrub({"flags": flags}, PRIVATE, ())["flags"] == {
        "api_key": "…", "max_model_len": 8192, "download_dir": "~/w"
    }  # fmt: skip


def test_keys_are_looked_at_and_figures_stay_what_they_are() -> None:
    found = scrub({"a": {"/home/alice/x": 1.5, "n": None, "t": True}}, PRIVATE, ())
    assert found == {"a": {"~/x": 1.5, "n": None, "t": True}}


@pytest.mark.parametrize(
    "name",
    ["PGPASSWORD", "DB_PASS", "MYSQL_PWD", "SSHPASS", "GITHUB_PAT", "HF_TOKEN_2", "JWT", "hubToken",
     "apiKey", "MY_KEY"],
)  # fmt: skip
def test_a_name_says_that_its_value_is_secret(name: str, tmp_path: Path) -> None:
    environ = {"HOME": "/h/x", name: "planted-0815"}
    assert "planted-0815" in private_here(environ, tmp_path / "none.yaml").secrets


@pytest.mark.parametrize("name", ["PWD", "PATH", "max_num_batched_tokens", "COMPAT", "XAUTHORITY"])
def test_other_names_do_not(name: str, tmp_path: Path) -> None:
    environ = {"HOME": "/h/x", name: "planted-0815"}
    assert "planted-0815" not in private_here(environ, tmp_path / "none.yaml").secrets


def test_a_secret_of_the_settings_may_be_a_number(tmp_path: Path) -> None:
    settings = tmp_path / "sparkwell.yaml"
    settings.write_text("admin: {password: 48154711}\nflags: {max_num_batched_tokens: 131072}\n")
    assert private_here({"HOME": "/h/x"}, settings).secrets == ("48154711",)


def test_a_folder_that_is_gone_and_a_user_without_an_entry_are_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.setattr("sparkwell.app.verifying.private.getuid", lambda: 2**31 - 3)
    found = private_here({"WEB_PASSWORD": "geheim99"}, tmp_path / "none.yaml")
    assert found.secrets == ("geheim99",)
    assert {"~", "."} & {mark for _, mark in found.folders} == set()


def test_secrets_of_environment_and_settings_are_known(tmp_path: Path) -> None:
    settings = tmp_path / "sparkwell.yaml"
    lines = (
        "gateway: {port: 8000}",
        "admin:",
        "  password: [swordfish-1, swordfish-2]",
        "hub_token: 'tk-abc-9'",
    )
    settings.write_text("\n".join(lines))
    environ = {
        "HF_TOKEN": "notthehubsform", "MY_API_KEY": "k-123456", "WEB_PASSWORD": "geheim99",
        "TOKENIZERS_PARALLELISM": "false-one", "KEY": "short", "HOME": str(tmp_path),
        "SPARKWELL_HOME": "/data/sw", "USER": "zoe", "HOSTNAME": "box.lan",
    }  # fmt: skip
    found = private_here(environ, settings)
    for each in (
        "notthehubsform",
        "k-123456",
        "geheim99",
        "swordfish-1",
        "swordfish-2",
        "tk-abc-9",
    ):
        assert each in found.secrets
    assert "false-one" not in found.secrets
    assert "short" not in found.secrets
    assert ("/data/sw", "$SPARKWELL_HOME") in found.folders
    assert (str(tmp_path), "~") in found.folders
    assert str(Path(sparkwell.__file__).parent) in dict(found.folders), "where it was installed"
    assert "zoe" in found.users
    assert {"box.lan", "box"} <= set(found.hosts)


def test_hosts_that_programs_are_sent_to_are_known(tmp_path: Path) -> None:
    environ = {"HF_ENDPOINT": "https://hub.corp.example/x", "https_proxy": "http://proxy.corp:3128"}
    found = private_here({**environ, "HOME": "/h/x"}, tmp_path / "a.yaml", ["own.registry.example"])
    assert {"hub.corp.example", "proxy.corp", "own.registry.example"} <= set(found.hosts)
    public = private_here({"HF_ENDPOINT": "https://huggingface.co", "HOME": "/h/x"}, tmp_path)
    assert "huggingface.co" not in public.hosts


@pytest.mark.parametrize(
    ("image", "hosts"),
    [
        ("vllm/vllm-openai:v0.25.0", []),
        ("registry.corp.example:5000/vllm:1", ["registry.corp.example:5000"]),
        ("box:5000/vllm", ["box:5000"]),
        (None, []),
    ],
)
def test_an_image_may_come_from_a_host_of_ones_own(image: str | None, hosts: list[str]) -> None:
    assert list(registry_of(image)) == hosts


def test_every_token_for_the_hub_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("HF_TOKEN=of-this-folder\n")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / ".env").write_text("HF_TOKEN='of-the-settings'\n")
    monkeypatch.chdir(tmp_path)
    environ = {"HF_TOKEN": "of-the-environment", "HOME": str(tmp_path)}
    found = private_here(environ, tmp_path / "conf" / "sparkwell.yaml")
    assert {"of-this-folder", "of-the-settings", "of-the-environment"} <= set(found.secrets)


def test_settings_that_cannot_be_read_tell_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    for name in ("none.yaml", "broken.yaml"):
        assert isinstance(private_here({"HOME": "/h/x"}, tmp_path / name), Private)


def test_a_report_of_words_is_json_all_the_same() -> None:
    text = json.dumps(scrub({"a": 'alice said "hf_abcdefghijklmnopqrst1"'}, PRIVATE, ()))
    assert "alice" not in json.loads(text)["a"]
