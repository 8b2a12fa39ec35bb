"""What every candidate does with a request's body, so that only the libraries differ."""

import json
import os

BODY_LIMIT = 8 * 2**20
PATH = "/v1/chat/completions"
HEADERS = {"Content-Type": "application/json"}
MODEL = "m"


def upstream_socket() -> str:
    """Where the upstream listens; run.py sets it."""
    return os.environ["RELAY_UPSTREAM"]


def model_of(body: bytes) -> str:
    """Read the model's name; LookupError when it is not served, ValueError when not JSON."""
    model = json.loads(body)["model"]
    if model != MODEL:
        raise LookupError(model)
    return str(model)
