"""`sparkwell demo`: from nothing to a real answer."""

import json
import ssl
from contextlib import suppress

import aiohttp
import click

from sparkwell.cli.bringing_up import Wanted, bring_up
from sparkwell.cli.client import AdminClient, Json, run
from sparkwell.cli.context import Context, pass_context
from sparkwell.cli.engine import ensure
from sparkwell.core.errors import EnvironmentFault
from sparkwell.engines.environments import environment

QUESTION = "What is the KV cache?"
SILENCE_S = 120
_OF_ENGINES = ("engine_unreachable", "engine_not_http", "engine_ended", "engine_no_stream")
"""Codes of the gateway's own errors of which the engine's log says more."""


class _RefusedError(ValueError):
    """The gateway itself said no; its words say what helps."""


@click.command(short_help="A real engine with a small model, installed and started in one go.")
@click.argument("model", default="demo-qwen3")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of a daemon that is started.")
@pass_context
def demo(context: Context, model: str, port: int | None) -> None:
    """Install vLLM's CPU build if need be, serve a small model and ask it a question.

    The model (default: demo-qwen3; also: demo-llama) comes with Sparkwell. Everything goes on
    running in the background until `sparkwell down`.
    """
    recipe = context.catalog.get(model)
    ensure(context, environment(recipe.serve.environment))
    run(_demo(context, recipe.name, port))


async def _demo(context: Context, model: str, port: int | None) -> None:
    await bring_up(context, Wanted((model,)), port=port)
    from sparkwell.app.listener.trust import trust_by

    async with AdminClient(context.paths) as client:
        about = await client.get("version")
        key = (await client.post("own-key", {}))["key"]
        keyless = (await client.get("keys"))["standing"] == "none"
    click.echo(f"\n  > {QUESTION}\n  ", nl=False)
    await _ask(about["gateway"], model, key, trust_by(about.get("certificate")))
    click.echo(_goodbye(about["gateway"], model, keyless=keyless))


async def _ask(gateway: str, model: str, key: str, trust: ssl.SSLContext | bool = True) -> None:
    """Ask through the gateway, as any client would, and print the answer as it comes.

    ``key`` is the daemon's own: where there are keys nobody is served without one. ``trust`` is
    how the gateway's certificate is checked.
    """
    messages = [{"role": "user", "content": QUESTION}]
    body = {"model": model, "messages": messages, "stream": True, "max_tokens": 120}
    try:
        said = await _print_answer(f"{gateway}/v1/chat/completions", body, key, trust)
    except TimeoutError:
        raise _no_answer(model, f"not a word for {SILENCE_S} s", _its_log(model)) from None
    except (aiohttp.ClientError, ValueError) as error:
        why, helps = str(error) or type(error).__name__, _what_helps(model, error)
        raise _no_answer(model, why, helps) from None
    finally:
        click.echo()
    if not said:
        raise _no_answer(model, "the answer has no text", _its_log(model))


async def _print_answer(url: str, body: Json, key: str, trust: ssl.SSLContext | bool) -> bool:
    """Print the answer as it comes; False when there was none. Raises ValueError for an error."""
    said = False
    timeout = aiohttp.ClientTimeout(total=None, sock_read=SILENCE_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(
            url, json=body, headers={"Authorization": f"Bearer {key}"}, ssl=trust
        ) as response,
    ):
        if response.status != 200:
            raise _refusal(await response.text(errors="replace"), response.status)
        async for line in response.content:
            text = _text_of(line)
            said = said or bool(text.strip())
            click.echo(text, nl=False)
    return said


def _no_answer(model: str, why: str, helps: str | None) -> EnvironmentFault:
    return EnvironmentFault(
        f"{model} runs, but did not answer: {why.rstrip('.')}.",
        hint=helps,
    )


def _its_log(model: str) -> str:
    return f"Its log: `sparkwell logs {model}`."


def _what_helps(model: str, error: Exception) -> str | None:
    """What to do next; None where the error says it."""
    if isinstance(error, _RefusedError):
        return None
    if isinstance(error, aiohttp.ClientSSLError):
        return (
            "The daemon serves with another certificate than its file has now, or with one that "
            "is not valid. A new one is taken up within seconds; if not, the daemon's own log "
            "says why: `sparkwell logs --daemon`, or where `sparkwell serve` runs."
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return "Whether the daemon still runs, and where it listens: `sparkwell status`."
    return _its_log(model)


def _refusal(text: str, status: int) -> ValueError:
    """What the body of a refusal says, or the status where it says nothing readable.

    A code that is a word is the gateway's: vLLM's are numbers.
    """
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        said = json.loads(text)["error"]
        own = isinstance(said.get("code"), str) and said["code"] not in _OF_ENGINES
        return (_RefusedError if own else ValueError)(str(said["message"]))
    return ValueError(f"HTTP status {status}")


def _text_of(line: bytes) -> str:
    """The text in one line of the event stream; empty for all other lines. Raises ValueError."""
    data = line.removeprefix(b"data: ").strip()
    if not line.startswith(b"data: ") or data == b"[DONE]":
        return ""
    try:
        return _text_in(json.loads(data))
    except (AttributeError, LookupError, TypeError):
        raise ValueError(f"this is no part of an answer: {line[:200]!r}") from None


def _text_in(event: Json) -> str:
    """The text of one event; raises ValueError for an error, which a stream tells as an event."""
    if "error" in event:
        raise _refusal(json.dumps(event), 500)
    delta = (event.get("choices") or [{}])[0].get("delta", {})
    # With a reasoning parser, thinking comes apart from the answer, and may take all tokens.
    return delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning") or ""


def _goodbye(gateway: str, model: str, *, keyless: bool) -> str:
    """What to type next; ``keyless`` is whether programs of this machine are served without one."""
    key = "" if keyless else " -H 'Authorization: Bearer YOUR_KEY'"
    return f"""
Ask it yourself:
  curl {gateway}/v1/chat/completions -H 'Content-Type: application/json'{key} \\
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Who are you?"}}]}}'
Look around:  sparkwell status · sparkwell models · {gateway}/docs
End it:       sparkwell down"""
