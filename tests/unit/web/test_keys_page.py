"""The page of keys and usage: what it says, what its forms do, and where a secret is not."""

import json
import re
from dataclasses import replace
from html import unescape
from shlex import split
from typing import Any

import pytest
from multidict import MultiDict
from tests.unit.web import fake_status as documents
from tests.unit.web.browsing import Visitor
from tests.unit.web.fake_keys import LAPTOP, OWN_SECRET, ROBOT, SECRET, FakeClientKeys
from tests.unit.web.fake_services import CATALOG
from tests.unit.web.fake_status import NEMO, QWEN

from sparkwell.core.errors import ConflictError, EnvironmentFault
from sparkwell.web.figures import until
from sparkwell.web.key_forms import KeyForm, end_of_day, form_from, overlap_of, read_form
from sparkwell.web.key_parts import curl
from sparkwell.web.key_values import MadeKey, Used

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>'\""
FIRST = SECRET.format(1)


@pytest.fixture
def keys(visitor: Visitor) -> FakeClientKeys:
    return visitor.site.services.client_keys


async def test_what_keys_may_and_what_they_used(visitor: Visitor) -> None:
    _, page, _ = await visitor.get("/ui/keys")
    text = plain(page)
    assert "laptop ends in 9fQk active does not expire all models no limits 412 requests" in text
    assert "60 requests/min, 40,000 tokens/min, 2 at a time, priority -10" in text
    assert "2 revoked or expired" in text
    assert "The secret before this one is good until" in text
    assert "laptop qwen3-8b-fp8 8,100 30 3,400,112 940,002" in text
    assert "without a key qwen3-8b-fp8 300 0" in text
    assert "Answers of which the tokens are not known: 4." in text
    assert "Everybody who reaches" not in text


async def test_the_span_can_be_chosen(visitor: Visitor) -> None:
    for days, found in (("7", 7), ("90", 90), ("1", 30), ("x", 30), ("", 30)):
        _, page, _ = await visitor.get(f"/ui/keys?days={days}")
        assert f'value="{found}" aria-pressed="true"' in page
        assert len(chart(page)["days"]) == found
        assert [len(each["tokens"]) for each in chart(page)["courses"]] == [found] * 3


async def test_no_keys_yet(visitor: Visitor, keys: FakeClientKeys) -> None:
    keys.empty()
    _, page, _ = await visitor.get("/ui/keys")
    assert "No keys yet" in page
    assert "With the first key every request needs one" in page
    assert "Nothing was used in these days." in page
    assert "js/keys.js" not in page


async def test_lost_keys_say_what_to_do_and_none_can_be_made(
    visitor: Visitor, keys: FakeClientKeys
) -> None:
    keys.standing = "broken"
    _, page, _ = await visitor.get("/ui/keys")
    assert "The keys are lost: <code>keys.used</code> says so." in page
    assert "Put a copy of the store back." in page
    assert "/keys/add" not in page
    assert "8,100" in page  # what was used is known all the same


async def test_everybody_served_is_said(visitor: Visitor) -> None:
    visitor.site.services.more = {"open_to_all": "0.0.0.0:8000"}
    visitor.site.services.client_keys.keys = [LAPTOP]
    _, page, _ = await visitor.get("/ui/keys")
    assert "Everybody who reaches 0.0.0.0:8000 may use every model" in page
    assert "It is the last one" not in page


async def test_nobody_served_is_said(visitor: Visitor, keys: FakeClientKeys) -> None:
    keys.keys = [LAPTOP]
    assert "It is the last one" in (await visitor.get("/ui/keys"))[1]
    status, _, answer = await visitor.post(f"/ui/keys/{LAPTOP.id}/revoke", htmx=False)
    assert (status, answer.headers["Location"]) == (303, f"/ui/keys?revoked={LAPTOP.id}")
    assert keys.revoked == [LAPTOP.id]
    _, page, _ = await visitor.get(answer.headers["Location"])
    assert "laptop is revoked." in page
    assert "No key is left: no request is served," in page


async def test_a_key_is_made_and_its_secret_shown_once(
    visitor: Visitor, keys: FakeClientKeys
) -> None:
    sent = {"name": " ci ", "rpm": "60", "tpm": "", "priority": "-5", "expires": "2030-12-31"}
    status, page, answer = await visitor.post("/ui/keys/add", sent, htmx=False)
    assert (status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "Location" not in answer.headers
    (wish,) = keys.wishes
    assert (wish.name, wish.rpm, wish.tpm, wish.priority) == ("ci", 60, None, -5)
    assert wish.expires_at == end_of_day("2030-12-31")
    assert page.count(FIRST) == 2  # alone, and in the command
    assert FIRST not in (await visitor.get("/ui/keys"))[1]
    assert "From now on every request needs a key" not in page


async def test_behind_a_proxy_the_command_has_the_clients_scheme(visitor: Visitor) -> None:
    told = {"X-Forwarded-Proto": "https"}
    _, page, _ = await visitor.post("/ui/keys/add", {"name": "ci"}, told, htmx=False)
    assert visitor.site.base.replace("http:", "https:") + "/v1/chat/completions" in page


async def test_the_first_key_says_what_it_changes(visitor: Visitor, keys: FakeClientKeys) -> None:
    keys.empty()
    _, page, _ = await visitor.post("/ui/keys/add", {"name": "ci"}, htmx=False)
    assert "From now on every request needs a key" in page
    keys.empty()
    visitor.site.services.more = {"open_to_all": "0.0.0.0:8000"}
    _, page, _ = await visitor.post("/ui/keys/add", {"name": "ci"}, htmx=False)
    assert "From now on every request needs a key" not in page


async def test_a_key_for_some_models_is_tried_with_one_of_them(
    visitor: Visitor, keys: FakeClientKeys
) -> None:
    async def tried(*models: str) -> str:
        data = MultiDict([("name", f"k{len(keys.wishes)}"), *(("models", each) for each in models)])
        _, page, _ = await visitor.post("/ui/keys/add", data, htmx=False)  # type: ignore[arg-type]
        assert keys.wishes[-1].models == models
        found = re.search(r'<pre class="code" id="curl"[^>]*>(.*?)</pre>', page, re.DOTALL)
        assert found
        words = split(unescape(found[1]).replace("\\\n", ""))
        assert words[1] == f"{visitor.site.base}/v1/chat/completions"
        return str(json.loads(words[-1])["model"])

    assert await tried() == NEMO  # it is ready
    assert await tried(QWEN, NEMO) == NEMO
    assert await tried(QWEN, "qwen3-235b") == QWEN
    visitor.site.services.instances = []
    assert await tried() == "default"


async def test_the_address_is_as_the_client_asked(visitor: Visitor) -> None:
    headers = {"x-sparkwell-scheme": "https"}
    _, page, _ = await visitor.post("/ui/keys/add", {"name": "a"}, headers, htmx=False)
    assert visitor.site.base.replace("http:", "https:") + "/v1" in page


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("name", "", "A key needs a name"),
        ("rpm", "many", "'many' is no whole number."),
        ("rpm", "9" * 16, "is no whole number."),
        ("tpm", "1.5", "'1.5' is no whole number."),
        ("concurrency", "\N{ARABIC-INDIC DIGIT ONE}", "is no whole number."),
        ("priority", "--5", "'--5' is no whole number."),
        ("expires", "tomorrow", "'tomorrow' is no date such as 2026-12-31."),
        ("expires", "9999-12-31", "is no date"),
    ],
)
async def test_what_is_wrong_is_said_beside_the_field(
    visitor: Visitor, keys: FakeClientKeys, field: str, text: str, said: str
) -> None:
    sent = {"name": "ci", "rpm": "61", field: text}
    status, page, _ = await visitor.post("/ui/keys/add", sent, htmx=False)
    assert (status, keys.wishes) == (400, [])
    wrong = re.search(rf'id="key-{field}-wrong">([^<]*)<', page)
    assert wrong
    assert said in unescape(wrong[1])
    assert page.count('aria-invalid="true"') == 1
    assert (field == "rpm") or 'value="61"' in page  # nobody types again


async def test_a_refusal_leaves_the_form_as_it_was(visitor: Visitor, keys: FakeClientKeys) -> None:
    keys.refusal = ConflictError("There is a key 'ci' already.", hint="Take `another` name.")
    data = MultiDict([("name", "ci"), ("models", QWEN), ("models", "gone")])
    status, page, _ = await visitor.post("/ui/keys/add", data, htmx=False)  # type: ignore[arg-type]
    assert status == 409
    assert "There is a key &#39;ci&#39; already. Take <code>another</code> name." in page
    assert f'value="{QWEN}" checked' in page
    assert 'value="gone" checked' in page
    assert 'value="ci"' in page


@pytest.mark.parametrize(("sent", "overlap_s"), [("3600", 3600.0), ("", 0.0), ("99999999", 0.0)])
async def test_a_new_secret(
    visitor: Visitor, keys: FakeClientKeys, sent: str, overlap_s: float
) -> None:
    path = f"/ui/keys/{ROBOT.id}/rotate"
    status, page, answer = await visitor.post(path, {"overlap": sent}, htmx=False)
    assert (status, answer.headers["Cache-Control"]) == (200, "no-store")
    assert keys.rotated == [(ROBOT.id, overlap_s)]
    assert SECRET.format(7) in page
    is_good = "The secret before it is good until" in page
    assert is_good is bool(overlap_s)
    assert ("is refused from now on" in page) is not is_good


@pytest.mark.parametrize("verb", ["rotate", "revoke"])
async def test_a_key_that_is_not_there(visitor: Visitor, verb: str) -> None:
    status, page, _ = await visitor.post(f"/ui/keys/key-none/{verb}", htmx=False)
    assert status == 400
    assert "There is no key" in page


async def test_what_could_not_be_written_down_is_said(
    visitor: Visitor, keys: FakeClientKeys
) -> None:
    keys.refusal = EnvironmentFault("The disk is full.", hint="Make room.")
    for path in (f"{LAPTOP.id}/revoke", "add"):
        _, page, _ = await visitor.post(f"/ui/keys/{path}", {"name": "a"}, htmx=False)
        assert "The disk is full." in page
        assert "Make room." in page


@pytest.mark.parametrize("path", ["keys/add", f"keys/{LAPTOP.id}/revoke", "playground/key"])
@pytest.mark.parametrize("headers", [{"X-Csrf-Token": "wrong"}, {"Origin": "http://evil.example"}])
async def test_others_make_and_get_no_keys(
    visitor: Visitor, keys: FakeClientKeys, path: str, headers: dict[str, str]
) -> None:
    status, page, _ = await visitor.post(f"/ui/{path}", {"name": "x"}, headers, htmx=False)
    assert (status, keys.wishes, keys.revoked) == (403, [], [])
    assert "sk-sw-" not in page


@pytest.mark.parametrize("path", ["keys/add", f"keys/{LAPTOP.id}/rotate", "playground/key"])
async def test_strangers_make_and_get_no_keys(stranger: Visitor, path: str) -> None:
    status, page, answer = await stranger.post(f"/ui/{path}", {"name": "x"}, htmx=False)
    assert (status, answer.headers["Location"]) == (303, "/ui/login")
    assert "sk-sw-" not in page
    assert stranger.site.services.client_keys.wishes == []


async def test_the_own_key_is_in_one_answer_alone(visitor: Visitor) -> None:
    status, text, answer = await visitor.post("/ui/playground/key")
    assert (status, json.loads(text)) == (200, {"key": OWN_SECRET})
    assert answer.headers["Cache-Control"] == "no-store"
    for path in ("", "models", "playground", "logs", "events", "keys", "compare", "login"):
        assert OWN_SECRET not in (await visitor.get(f"/ui/{path}"))[1]
    assert (await visitor.get("/ui/playground/key"))[0] == 405


async def test_the_playground_knows_whether_keys_are_needed(
    visitor: Visitor, keys: FakeClientKeys
) -> None:
    assert 'data-keys="1"' in (await visitor.get("/ui/playground"))[1]
    keys.empty()
    assert 'data-keys=""' in (await visitor.get("/ui/playground"))[1]


async def test_forms_work_without_scripts(visitor: Visitor, keys: FakeClientKeys) -> None:
    """A browser sends each form as it stands in the page, and nothing else."""
    _, page, _ = await visitor.get("/ui/keys")
    visitor.token = ""
    forms = re.findall(r'<form class="row" method="post" action="([^"]+)">(.*?)</form>', page)
    assert len(forms) == 4
    for action, inside in forms:
        fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', inside))
        assert (await visitor.post(action, fields, htmx=False))[0] in (200, 303)
    assert [each for each, _ in keys.rotated] == keys.revoked == [LAPTOP.id, ROBOT.id]


async def test_nothing_of_a_key_is_taken_for_html(visitor: Visitor, keys: FakeClientKeys) -> None:
    services = visitor.site.services
    services.catalog = (replace(CATALOG[0], name=EVIL), *CATALOG)
    services.instances = [documents.instance(EVIL, "ready")]
    keys.keys = [replace(LAPTOP, name=EVIL, id=EVIL, hint=EVIL, models=(EVIL,), last_used=EVIL)]
    for path in ("/ui/keys", f"/ui/keys?revoked={EVIL}"):
        assert harmless((await visitor.get(path))[1])
    for name in (EVIL, ""):
        sent = {"name": name, "models": EVIL, "rpm": EVIL if not name else ""}
        _, page, _ = await visitor.post("/ui/keys/add", sent, htmx=False)
        assert harmless(page)


async def test_a_broken_line_in_an_id_makes_no_header(
    visitor: Visitor, keys: FakeClientKeys
) -> None:
    keys.keys = [replace(LAPTOP, id="a\r\nSet-Cookie: x=y")]
    path = "/ui/keys/a%0D%0ASet-Cookie:%20x=y/revoke"
    _, _, answer = await visitor.post(path, htmx=False)
    assert "Set-Cookie" not in answer.headers


# ── values ──────────────────────────────────────────────────────────────────────────────────────


def test_a_secret_is_in_no_representation() -> None:
    assert "sk-sw-" not in repr(MadeKey(LAPTOP, "sk-sw-x", 1))


def test_a_command_is_one_whatever_the_model_is_called() -> None:
    words = split(curl("http://h:1/v1", "sk-sw-x", "it's; rm -rf $HOME").replace("\\\n", ""))
    assert len(words) == 8
    assert json.loads(words[-1])["model"] == "it's; rm -rf $HOME"


def test_an_empty_form_means_no_limits() -> None:
    wish = read_form(KeyForm(name="a")).wish
    assert wish is not None
    assert (wish.rpm, wish.tpm, wish.concurrency, wish.expires_at) == (None,) * 4
    assert (wish.priority, wish.models) == (0, ())


def test_a_form_with_files_and_repeated_fields() -> None:
    posted: MultiDict[Any] = MultiDict([("name", b"x"), ("name", "y"), ("models", "a")])
    posted.extend([("models", "a"), ("models", "b")])
    assert form_from(posted).models == ("a", "b")
    assert overlap_of(posted) == 0


def test_the_end_of_a_day_is_told_as_that_day() -> None:
    assert until(end_of_day("2030-12-31")) == "the end of 2030-12-31"
    assert until((end_of_day("2030-12-31") or 0) + 60).startswith("2031-01-01 00:01")
    assert until(None) == "\N{EN DASH}"


def test_tokens_are_those_of_prompt_and_output() -> None:
    assert Used(prompt_tokens=3, output_tokens=4).tokens == 7


def plain(page: str) -> str:
    """The words of a page."""
    text = re.sub(r'<span class="offscreen">.*?</span>', "", page)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)))


def harmless(page: str) -> bool:
    return "<script>" not in page and "<img" not in page and "made a mistake" not in page


def chart(page: str) -> Any:
    found = re.search(r'data-chart="([^"]*)"', page)
    assert found
    return json.loads(unescape(found[1]))
