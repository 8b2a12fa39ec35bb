"""Paths that leave their room: nothing of /admin, of files, or of the engine is given."""

import pytest

from tests.security.conftest import Target
from tests.security.raw import Answer, Wire, ask, completion, get, post

SECRETS = (b'"pid"', b"root:x:", b"sparkwell.yaml", b"daemon_version")
BAD = [
    b"/v1/../admin/status",
    b"/v1/./models",
    b"/v1/..",
    b"/../../etc/passwd",
    b"/v1//models",
    b"//admin/status",
    b"//evil.example/v1/models",
    b"/v1/%2e%2e/admin/status",
    b"/v1/%2E%2E/admin/status",
    b"/v1/.%2e/admin/status",
    b"/v1/%2e./admin/status",
    b"/v1%2f..%2fadmin%2fstatus",
    b"/v1%2Fmodels",
    b"/%2fadmin/status",
    b"/v1/..\\admin\\status",
    b"/v1\\models",
    b"/v1/%5c..%5cadmin/status",
    b"/v1/..%00/admin/status",
    b"/v1/models%00",
    b"/ui/../admin/status",
    b"/ui/%2e%2e/admin/status",
    b"/ui/static/x/../../../../../../etc/passwd",
    b"/ui/static/x/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    b"/ui/static/x/..%2f..%2f..%2f..%2fetc%2fpasswd",
    b"/ui/static/x//etc/passwd",
    b"/ui/static/..",
]
ELSEWHERE = [
    b"/v1/models%0a",
    b"/v1/models%7f",
    b"/v1/models%09",
    b"/v1/models%0d%0aX-Injected:%20yes",
    b"/v1/models/%0d%0aX-Injected:%20yes",
    b"/v1/%252e%252e/admin/status",
    b"/v1/%252fadmin",
    b"/v1/..;/admin/status",
    b"/v1/.../admin/status",
    b"/v1/%c0%ae%c0%ae/admin/status",
    b"/v1/%u002e%u002e/admin/status",
    b"/v1/%",
    b"/v1/%zz",
    b"/v1/%ff%fe",
    b"/ui/static/x/%252e%252e/%252e%252e/etc/passwd",
    b"/admin/status",
    b"/admin",
    b"/ADMIN/status",
    b"/admin/snapshot",
    b"/fake/state",
    b"/sleep",
    b"/collective_rpc",
    b"/v1/load_lora_adapter",
    b"/v1/unload_lora_adapter",
    b"/reset_prefix_cache",
    b"/server_info",
    b"/version",
    b"/is_sleeping",
    b"/invocations",
    b"/metrics/",
    b"/v1",
    b"/v1/",
    b"/v1/models/",
    b"/v1/modelsx",
    b"/v1/completions/",
    b"/v1/completions/..",
    b"/v1/chat",
]


def gives_nothing(answer: Answer) -> None:
    assert not any(word in answer.body for word in SECRETS), answer.body[:500]
    assert answer.one("x-injected") is None


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize("path", BAD)
async def test_a_path_that_has_another_form_is_refused(
    target: Target, path: bytes, method: bytes
) -> None:
    data = get(path) if method == b"GET" else post(completion("lost"), path=path)
    answer = await ask(target.port, data)
    assert answer.status == 400
    gives_nothing(answer)
    assert target.tap.posts() == []


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize("path", ELSEWHERE)
async def test_a_path_that_is_not_served_leads_nowhere(
    target: Target, path: bytes, method: bytes
) -> None:
    data = get(path) if method == b"GET" else post(completion("lost"), path=path)
    answer = await ask(target.port, data)
    assert answer.status in (303, 307, 308, 400, 401, 403, 404, 405)
    gives_nothing(answer)
    assert target.tap.posts() == []
    assert not any(
        path.decode() in asked.line for asked in target.tap.asked if b"metrics" not in path
    )


@pytest.mark.parametrize("path", [b"/ui/", b"/ui/models", b"/ui/recipes", b"/ui/events"])
async def test_the_dashboard_shows_nothing_without_a_session(target: Target, path: bytes) -> None:
    answer = await ask(target.port, get(path))
    assert answer.status in (303, 401, 404)
    assert b"demo-qwen3" not in answer.body


async def test_a_query_is_not_a_path(target: Target) -> None:
    data = post(completion("query"), path=b"/v1/completions?x=../..//%2e%2e%00&y=%zz")
    answer = await ask(target.port, data)
    assert answer.status in (200, 400)
    for asked in target.tap.posts():
        assert asked.line == "POST /v1/completions?x=../..//%2e%2e%00&y=%zz HTTP/1.1"


async def test_a_target_is_at_most_8_kib(target: Target) -> None:
    async with Wire(target.port) as wire:
        await wire.send(get(b"/v1/models?x=" + b"a" * 9000))
        answer = await wire.answer()
        assert answer.status == 414
        await wire.rest()
    assert (await ask(target.port, get(b"/v1/models?x=" + b"a" * 7000))).status == 200
