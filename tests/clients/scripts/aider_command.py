"""What people do with the command `aider`: one message, without a repository."""

# What it imports is not in the environment that is checked.
# mypy: ignore-errors

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from trying import BASE, FAKE, KEY, MODEL, main, trial

QUIET = ("--no-git", "--yes-always", "--no-show-model-warnings", "--no-check-update", "--no-pretty")
QUIET += ("--analytics-disable", "--no-show-release-notes", "--no-gitignore", "--map-tokens", "0")


def aider(*words: str) -> str:
    """Run it in an empty folder; what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        prices = Path(folder) / ".aider" / "caches" / "model_prices_and_context_window.json"
        prices.parent.mkdir(parents=True)
        prices.write_text('{"none": {}}')  # else it fetches a list of prices when it begins
        done = subprocess.run(
            [Path(sys.executable).with_name("aider"), "--model", f"openai/{MODEL}", *QUIET, *words],
            cwd=folder,
            env={
                **os.environ,
                "OPENAI_API_BASE": BASE,
                "OPENAI_API_KEY": KEY,
                "HOME": folder,
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Error" not in done.stdout, done.stdout
    return done.stdout


@trial()
def chat_streamed() -> None:
    """Streamed, as it does by itself."""
    said = aider("--chat-mode", "ask", "--message", "Hello there")
    assert f"{MODEL} heard:" in said if FAKE else "Tokens:" in said, said


@trial(fake_only=True)
def chat() -> None:
    """Whole. Once with the real engine is enough: each run takes seconds to begin."""
    said = aider("--chat-mode", "ask", "--no-stream", "--message", "Hello there")
    assert f"{MODEL} heard:" in said if FAKE else "Tokens:" in said, said


if __name__ == "__main__":
    main("aider-chat", "litellm")
