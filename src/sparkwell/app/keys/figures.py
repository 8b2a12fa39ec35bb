"""What keys used, for /metrics: by name, since a name is what people know."""

from collections import Counter
from collections.abc import Sequence

from sparkwell.core.keys import Key
from sparkwell.gateway.keys.tally import Tally
from sparkwell.monitor.exposition_keys import KeyFigures

NO_KEY = "(none)"
"""What requests without a key are told as; no key can be named so."""


def figures_of(tally: Tally, keys: Sequence[Key]) -> KeyFigures:
    """All that was counted; keys that had the same name one after the other are one."""
    names = {"": NO_KEY, **{key.id: key.name for key in keys}}
    requests: Counter[tuple[str, str, str]] = Counter()
    prompt: Counter[tuple[str, str]] = Counter()
    output: Counter[tuple[str, str]] = Counter()
    refused: Counter[tuple[str, str]] = Counter()
    for (key_id, model), used in tally.totals():
        name = names.get(key_id, key_id)
        prompt[name, model] += used.prompt_tokens
        output[name, model] += used.output_tokens
        for status, count in used.codes.items():
            requests[name, model, str(status)] += count
    for (key_id, limit), count in tally.refused():
        refused[names.get(key_id, key_id), limit] += count
    return KeyFigures(requests, prompt, output, refused)
