"""What the Hub refuses."""

import pytest
from tests.unit.checks.diagnosis.ask import asked

from sparkwell.checks.diagnosis.downloads.auth import CHECK

LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
URL = f"https://huggingface.co/{LLAMA}"
ID = "(Request ID: Root=1-68dd2f1a-11c9;0d4e)"


@pytest.mark.parametrize(
    ("lines", "title", "first"),
    [
        (f"httpx.HTTPStatusError: Client error '401 Unauthorized' for url '{URL}/resolve/main/x'\n"
         "You must have access to it and be authenticated to access it.", "no token", URL),
        (f"huggingface_hub.errors.GatedRepoError: 401 Client Error. {ID}\nCannot access gated repo "
         f"for url {URL}/resolve/main/config.json.", "no token was sent", URL),
        (f"403 Client Error. {ID}\nAccess to model x is restricted and you are not in the "
         f"authorized list. Visit {URL} to ask for access.", "has no access", URL),
        ("403 Forbidden: Please enable access to public gated repositories in your fine-grained "
         f"token settings.\nCannot access content at: {URL}.", "may not read gated", "token"),
        (f"401 Client Error. {ID}\nInvalid credentials in Authorization header",
         "refuses the token", "token"),
        (f"GatedRepoError: 403 Client Error.\nCannot access gated repo for url {URL}/resolve/x",
         "has no access", URL),
        (f"RepositoryNotFoundError: 401 Client Error. {ID}\nIf you are trying to access a private "
         "or gated repo, make sure you are authenticated", "no such repository", "name is right"),
        (f"RepositoryNotFoundError: 401 Client Error. {ID}", "no such repository", "name is right"),
    ],
)  # fmt: skip
def test_each_refusal_has_its_own_way_out(lines: str, title: str, first: str) -> None:
    [finding] = asked(CHECK, lines)
    assert title in finding.title
    assert first in finding.remedies[0].text


def test_qwen_needs_no_token_so_a_wrong_one_goes_first() -> None:
    lines = (
        f"OSError: 401 Client Error. {ID}\nat https://huggingface.co/Qwen/Qwen3-8B-FP8/resolve/x"
    )
    [finding] = asked(CHECK, lines)
    assert finding.remedies[0].command == "unset HF_TOKEN"


@pytest.mark.parametrize(
    "line",
    [
        'INFO:     172.18.0.1:51312 - "POST /v1/chat/completions HTTP/1.1" 401 Unauthorized',
        "aiohttp: 403 Client Error: Forbidden for url: https://example.com/cat.png",
        "WARNING: You are sending unauthenticated requests to the HF Hub. Please set a HF_TOKEN",
    ],
)
def test_clients_and_pictures_are_not_the_hub(line: str) -> None:
    assert asked(CHECK, line) == []
