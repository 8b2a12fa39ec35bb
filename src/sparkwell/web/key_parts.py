"""Parts of the page of keys: what its script draws, and the command that tries a key."""

import json
from collections.abc import Mapping
from shlex import quote

from sparkwell.web.key_values import KeyEntry, KeysShown
from sparkwell.web.values import Json


def curl(base: str, secret: str, model: str) -> str:
    """A request to try a key with, for a shell."""
    body = {"model": model, "messages": [{"role": "user", "content": "Say hello."}]}
    said = json.dumps(body, ensure_ascii=False)
    return (
        f"curl {quote(f'{base}/chat/completions')} \\\n"
        f"  -H {quote(f'Authorization: Bearer {secret}')} \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d {quote(said)}"
    )


def model_for(key: KeyEntry, running: Mapping[str, Json]) -> str:
    """A model to try a key with: one that is ready, if the key is for it."""
    ready = [name for name, entry in running.items() if entry["state"] == "ready"]
    fine = [name for name in ready if not key.models or name in key.models]
    return next(iter((*fine, *key.models)), "default")


def chart(shown: KeysShown) -> dict[str, object]:
    """What the page's script draws."""
    return {
        "days": shown.days,
        "courses": [
            {
                "key": each.key,
                "tokens": [day.tokens for day in each.days],
                "requests": [day.requests for day in each.days],
            }
            for each in shown.courses
        ],
    }


def revoked(shown: KeysShown, key: str | None) -> str | None:
    """The name of the key that was revoked just now, as the address says."""
    gone = (each for each in shown.keys if each.id == key and each.state == "revoked")
    return next((each.name for each in gone), None)
