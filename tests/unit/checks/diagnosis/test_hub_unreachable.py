"""The Hub that is not reached."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.downloads.unreachable import CHECK

TRIED = (
    "'(MaxRetryError(\"HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded "
    "with url: /Qwen/x (Caused by NameResolutionError(Failed to resolve 'huggingface.co'))\"))' "
    "thrown while requesting HEAD https://huggingface.co/Qwen/x"
)
LOCAL = "huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate"
LOADED = "(EngineCore pid=7) INFO 07-21 09:17:48 [d.py:1] Loading weights took 203.81 seconds"


@pytest.mark.parametrize(
    "line",
    [
        TRIED,
        LOCAL,
        "httpx.ConnectError: [Errno -3] Temporary failure in name resolution",
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't",
        "requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: "
        "https://huggingface.co/api/models/a/b",
    ],
)
def test_the_weights_are_to_be_fetched_from_here(line: str) -> None:
    [finding] = asked(CHECK, line)
    assert finding.remedies[0].command == "sparkwell pull MODEL"


def test_an_engine_that_was_told_to_stay_offline() -> None:
    [finding] = asked(
        CHECK, "LocalEntryNotFoundError: outgoing traffic has been disabled. To enable"
    )
    assert "HF_HUB_OFFLINE" in (finding.cause or "")


@pytest.mark.parametrize(
    "log",
    [
        f"{TRIED}\n{LOADED}",
        "INFO:     Application startup complete.\nhttpx.ConnectError: [Errno -2] a picture's host",
        f"{LOCAL}\nGatedRepoError: 401 Client Error. (Request ID: Root=1)",
        "[c10d] The IPv6 network addresses of (spark, 29500) cannot be retrieved (gai error: -3 - "
        "Temporary failure in name resolution).",
    ],
    ids=["all-was-here", "a-request", "refused", "c10d"],
)
def test_other_troubles_and_none_are_not_this_one(log: str) -> None:
    assert asked(CHECK, log) == []
