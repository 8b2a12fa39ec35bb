"""What a log says never gets into a command as words of the shell."""

import re

import pytest

from sparkwell.checks.diagnosis.judge import judge
from sparkwell.checks.logs.digest import digest
from sparkwell.checks.snapshot import Snapshot

EVIL = "$(touch${IFS}x)"
LINES = (
    f"vllm: error: unrecognized arguments: --swap-space{EVIL} --foo{EVIL}=1 `touch x`;touch x",
    f"api_server.py: error: argument --max-model-len: invalid int value: '{EVIL}'",
    f"ValueError: User-specified max_model_len (99999{EVIL}) is greater than the derived "
    f"max_model_len (max_position_embeddings=40960{EVIL} or model_max_length=None in config.json)",
    f"GatedRepoError: 403 Client Error. Cannot access gated repo for url https://huggingface.co/"
    f"meta-llama/{EVIL}/resolve/main/config.json.",
    f"Repository Not Found for url: https://huggingface.co/api/models/{EVIL}/x. 401",
    f"PermissionError: [Errno 13] Permission denied: '/opt/hf/{EVIL}'",
    f"OSError: [Errno 28] No space left on device: '/opt/hf/{EVIL}'",
    f"FileNotFoundError: No such file or directory: '/opt/hf/hub/models--a--{EVIL}/snapshots/1/"
    "model-00001-of-00002.safetensors'",
    f"no matching manifest for linux/arm64/{EVIL} in the manifest list entries: {EVIL}/img:1",
    f"ValueError: The repository {EVIL} contains custom code; set trust_remote_code=True",
    f"Bind for 0.0.0.0:8000{EVIL} failed: port is already allocated",
    f"Config file not found at /x/E=128,N=768,device_name={EVIL}.json",
    f"RuntimeError: NCCL error: unhandled system error {EVIL}",
    f"ValueError: nobody knows {EVIL}",
    f"PermissionError at /opt/hf/hub';{EVIL};' when downloading the file",
    f"There was a problem when trying to write in your cache folder (/opt/hf';{EVIL};')",
    "Not enough free disk space to download the file. The expected file size is: 9.0 MB. The "
    f"target location /opt/hf';{EVIL};' only has 1.0 MB free disk space.",
)


@pytest.mark.parametrize("line", LINES)
def test_it_stands_in_quotes_where_it_stands_at_all(line: str) -> None:
    log = digest([line], "a.log")
    commands = [
        remedy.command or ""
        for finding in judge(Snapshot(0.0, "t", logs=(log,)))
        for remedy in finding.remedies
    ]
    for command in commands:
        assert "touch" not in re.sub(r"'[^']*'", "", command.replace("'\\''", ""))


def test_some_of_them_are_found_at_all() -> None:
    logs = tuple(digest([line], f"{number}.log") for number, line in enumerate(LINES))
    found = {each.about for each in judge(Snapshot(0.0, "t", logs=logs))}
    assert len(found) > len(LINES) / 2
