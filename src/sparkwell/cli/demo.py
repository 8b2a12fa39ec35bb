"""`sparkwell demo`: from nothing to a real answer."""

import json
from contextlib import suppress

import aiohttp
import click

from sparkwell.cli.client import AdminClient, Json, run
from sparkwell.cli.context import Context, pass_context
from sparkwell.cli.engine import ensure
from sparkwell.cli.up import Wanted, bring_up
from sparkwell.core.errors import EnvironmentFault
from sparkwell.engines.environments import environment

QUESTION = "What is the KV cache?"
SILENCE_S = 120


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
    async with AdminClient(context.paths) as client:
        about = await client.get("version")
        key = (await client.post("own-key", {}))["key"]
        keyless = (await client.get("keys"))["standing"] == "none"
    click.echo(f"\n  > {QUESTION}\n  ", nl=False)
    await _ask(about["gateway"], model, key)
    click.echo(_goodbye(about["gateway"], model, keyless=keyless))


async def _ask(gateway: str, model: str, key: str) -> None:
    """Ask through the gateway, as any client would, and print the answer as it comes.

    ``key`` is the daemon's own: where there are keys nobody is served without one.
    """
    messages = [{"role": "user", "content": QUESTION}]
    body = {"model": model, "messages": messages, "stream": True, "max_tokens": 120}
    try:
        said = await _print_answer(f"{gateway}/v1/chat/completions", body, key)
    except TimeoutError:
        raise _no_answer(model, f"not a word for {SILENCE_S} s") from None
    except (aiohttp.ClientError, ValueError) as error:
        raise _no_answer(model, str(error) or type(error).__name__) from None
    finally:
        click.echo()
    if not said:
        raise _no_answer(model, "the answer has no text")


async def _print_answer(url: str, body: Json, key: str) -> bool:
    """Print the answer as it comes; False when there was none. Raises ValueError for an error."""
    said = False
    timeout = aiohttp.ClientTimeout(total=None, sock_read=SILENCE_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.post(url, json=body, headers={"Authorization": f"Bearer {key}"}) as response,
    ):
        if response.status != 200:
            raise ValueError(_message(await response.text(errors="replace"), response.status))
        async for line in response.content:
            text = _text_of(line)
            said = said or bool(text.strip())
            click.echo(text, nl=False)
    return said


def _no_answer(model: str, why: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"{model} runs, but did not answer: {why.rstrip('.')}.",
        hint=f"Its log: `sparkwell logs {model}`.",
    )


def _message(text: str, status: int) -> str:
    """What the body of a refusal says, or the status where it says nothing readable."""
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(text)["error"]["message"])
    return f"HTTP status {status}"


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
        raise ValueError(_message(json.dumps(event), 500))
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
