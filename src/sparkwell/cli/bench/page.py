"""A run as one HTML file that needs nothing else: tables, picture, document, how it was done."""

import io
import json
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from sparkwell.bench.expected_tables import tables
from sparkwell.bench.tables import title
from sparkwell.cli.bench.plot import panels
from sparkwell.cli.picture import drawn

Json = Mapping[str, Any]
_SIZE = (13.0, 8.5)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c1c1c; background: #fff }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; border-bottom: 1px solid #ddd }
th { font-weight: 600 } .wide { overflow-x: auto } svg { max-width: 100%; height: auto }
.bad { color: #b00020 } code { background: #f3f3f3; padding: .1rem .3rem; border-radius: 3px }
dt { font-weight: 600 } dd { margin: 0 0 .4rem }
</style></head><body>
<h1>{{ title }}</h1>
{% if run.broken %}<p class="bad"><strong>Not whole:</strong> {{ run.broken }}</p>{% endif %}
{% for head, rows in tables %}
<h2>{{ head }}</h2>
<div class="wide"><table><tr>{% for each in rows[0] %}<th>{{ each }}</th>{% endfor %}</tr>
{% for row in rows[1:] %}<tr>{% for each in row %}<td>{{ each }}</td>{% endfor %}</tr>
{% endfor %}</table></div>
{% endfor %}
{% if notes %}<ul>{% for each in notes %}<li>{{ each }}</li>{% endfor %}</ul>{% endif %}
<h2>Pictures</h2>
{{ picture }}
<h2>How it was measured</h2>
<dl>
<dt>Command</dt><dd><code>{{ run.command }}</code></dd>
{% for name, value in facts %}<dt>{{ name }}</dt><dd>{{ value }}</dd>
{% endfor %}</dl>
<p>Behind ± is half of a 95 % interval over the repeats (Student's t). A latency counts from when a
request was due. Prompts are random {{ prompts }} that no cache has seen, unless a case shares
them.</p>
<script type="application/json" id="run">{{ document }}</script>
</body></html>
"""


def page(document: Json) -> str:
    """The whole page; raises EnvironmentFault where matplotlib is missing."""
    template = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)
    return template.render(
        title=title(document), run=document, tables=tables(document),
        picture=Markup(_picture(document)),  # noqa: S704 - drawn here
        notes=[f"{case['name']}: {note}" for case in document["cases"] for note in case["notes"]],
        prompts="words" if document.get("prompts") == "text" else "token ids",
        facts=_facts(document), document=Markup(_in_script(document)),  # noqa: S704 - escaped there
    )  # fmt: skip


def _picture(document: Json) -> str:
    text = io.StringIO()
    with drawn(_SIZE) as figure:
        panels(document, figure)
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :]


def _facts(document: Json) -> list[tuple[str, str]]:
    versions = [f"{name} {value}" for name, value in document["versions"].items() if value]
    flags = [f"{name}={value}" for name, value in (document["flags"] or {}).items()]
    repeats = max((len(case["repeats"]) for case in document["cases"]), default=0)
    found = {
        "Versions": ", ".join(versions), "Flags of the engine": " ".join(flags),
        "Repeats": str(repeats), "Seed": str(document["seed"]), "Asked at": str(document["url"]),
    }  # fmt: skip
    return [(name, value) for name, value in found.items() if value]


def _in_script(document: Json) -> str:
    """JSON that ends no script element."""
    return json.dumps(document).replace("<", "\\u003c")
