"""The endpoints described: as OpenAPI for programs, as a page for people.

The page needs no script and nothing from the network.
"""

from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import yaml

import sparkwell
from sparkwell.gateway.backend import Model


@cache
def openapi_document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the gateway."""
    text = files(__package__).joinpath("openapi.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    document["info"]["version"] = sparkwell.__version__
    return document


def docs_page(base: str, models: Sequence[Model], *, keyed: bool = False) -> str:
    """The page at /docs: what there is, and one example that can be pasted.

    ``base`` is the URL by which the page was asked for; ``keyed``: nobody is served without a key.
    """
    rows = "\n".join(_row(*entry) for entry in _operations())
    names = ", ".join(f"<code>{escape(each.name)}</code>" for each in models)
    return _PAGE.format(
        version=escape(sparkwell.__version__),
        rows=rows,
        models=names or "none yet",
        example=escape(_example(base, models, keyed)),
    )


def _example(base: str, models: Sequence[Model], keyed: bool) -> str:
    """A request to a model that is loaded, if one is: that answers at once."""
    ready = [each.name for each in models if each.state == "ready"]
    name = next(iter((*ready, *(each.name for each in models))), "demo-qwen3")
    return _EXAMPLE.format(base=base, model=name, key=_KEY if keyed else "")


def _operations() -> list[tuple[str, str, str]]:
    paths = openapi_document()["paths"]
    return [
        (method.upper(), path, operation["summary"])
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]


def _row(method: str, path: str, summary: str) -> str:
    cells = (f"<code>{escape(method)}</code>", f"<code>{escape(path)}</code>", escape(summary))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


_KEY = "  -H 'Authorization: Bearer YOUR_KEY' \\\n"
_EXAMPLE = """curl {base}/v1/chat/completions \\
{key}  -H 'Content-Type: application/json' \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'"""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sparkwell: API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }}
body {{ max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
td, th {{ text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8884; }}
pre {{ padding: 1rem; border: 1px solid #8884; border-radius: .5rem; overflow-x: auto; }}
small {{ opacity: .7; }}
</style></head><body>
<h1>Sparkwell <small>{version}</small></h1>
<p>OpenAI's API, served by the engines of this machine. Models that can be started here:
{models}.</p>
<table><thead><tr><th>Method</th><th>Path</th><th>What it does</th></tr></thead>
<tbody>
{rows}
</tbody></table>
<h2>Try it</h2>
<pre>{example}</pre>
<p>Any OpenAI client works with the base URL of this host and <code>/v1</code>.
The same as a document for programs: <a href="/openapi.json">openapi.json</a>.</p>
</body></html>
"""
