"""`sparkwell demo`: from nothing to a real answer."""

import json

import aiohttp
import click

from sparkwell.cli.client import AdminClient, Json, run
from sparkwell.cli.context import Context, pass_context
from sparkwell.cli.engine import ensure
from sparkwell.cli.up import bring_up
from sparkwell.engines.environments import environment

QUESTION = "What is the KV cache?"


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
    await bring_up(context, model, (), port=port)
    async with AdminClient(context.paths) as client:
        about = await client.get("version")
    click.echo(f"\n  > {QUESTION}\n  ", nl=False)
    await _ask(about["gateway"], model)
    click.echo(_goodbye(about["gateway"], model))


async def _ask(gateway: str, model: str) -> None:
    """Ask through the gateway, as any client would, and print the answer as it comes."""
    messages = [{"role": "user", "content": QUESTION}]
    body = {"model": model, "messages": messages, "stream": True, "max_tokens": 120}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{gateway}/v1/chat/completions", json=body) as response,
    ):
        async for line in response.content:
            click.echo(_text_of(line), nl=False)
    click.echo()


def _text_of(line: bytes) -> str:
    """The text in one line of the event stream; empty for all other lines."""
    data = line.removeprefix(b"data: ").strip()
    if not line.startswith(b"data: ") or data == b"[DONE]":
        return ""
    event: Json = json.loads(data)
    choices = event.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or ""


def _goodbye(gateway: str, model: str) -> str:
    return f"""
Ask it yourself:
  curl {gateway}/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Who are you?"}}]}}'
Look around:  sparkwell status · sparkwell models · {gateway}/docs
End it:       sparkwell down"""
