"""The environment of Ollama's server: what its own defaults would get wrong on a shared machine.

Variables and defaults as in Ollama's FAQ (docs/faq.mdx) and docs/context-length.mdx.
"""

from sparkwell.engines.ollama.launch import LONGEST_CONTEXT, PORT

CONTAINER = "sparkwell-ollama"
"""The name of the container that Sparkwell makes; one of the user's own is `ollama` mostly."""
KEEP_ALIVE = "30m"
"""How long a model stays that somebody loads by hand; the guide's figure, Ollama's own is 5m."""
MOST_LOADED = 16
"""Models at once. Ollama's own limit is three a GPU, and a fourth would push one out that
Sparkwell serves: here memory decides, and Sparkwell counts it."""


def server_environment(
    num_ctx: int = LONGEST_CONTEXT,
    *,
    keep_alive: str = KEEP_ALIVE,
    parallel: int = 1,
    listen: str = "0.0.0.0",  # noqa: S104 - inside the container; what is published decides
) -> dict[str, str]:
    """The server's variables. ``num_ctx`` is the context in tokens of a model loaded by hand.

    ``parallel`` requests of one model at a time take as many contexts; what a plan counts is one.
    """
    return {
        "OLLAMA_HOST": f"{listen}:{PORT}",
        "OLLAMA_CONTEXT_LENGTH": str(num_ctx),
        "OLLAMA_KEEP_ALIVE": keep_alive,
        "OLLAMA_NUM_PARALLEL": str(parallel),
        "OLLAMA_MAX_LOADED_MODELS": str(MOST_LOADED),
    }
