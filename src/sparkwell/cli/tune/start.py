"""What a tuning needs: its library, and a machine that has nothing else to do."""

from sparkwell.cli.client import AdminClient, is_running
from sparkwell.cli.context import Context
from sparkwell.cli.extras import install_command
from sparkwell.core.errors import ConflictError, EnvironmentFault


def have_optuna() -> None:
    """Raise EnvironmentFault where the library that searches is not installed."""
    from importlib.util import find_spec

    if find_spec("optuna") is None:
        raise EnvironmentFault(
            "`sparkwell tune` searches with Optuna, which is not installed.",
            hint=install_command("tune"),
        )


async def alone(context: Context, model: str) -> None:
    """Raise ConflictError where other models run: they would be measured too."""
    async with AdminClient(context.paths) as client:
        if not await is_running(client):
            return
        status = await client.get("status")
    others = [
        each["model"]
        for each in status["instances"]
        if each["state"] != "failed" and each["model"] != model
    ]
    if others:
        raise ConflictError(
            f"{', '.join(others)} runs here, and would be measured with {model}.",
            hint=f"Stop it first: `sparkwell down {others[0]}`.",
        )
