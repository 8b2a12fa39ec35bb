"""What a tuning needs before it begins: its library."""

from sparkwell.cli.extras import install_command
from sparkwell.core.errors import EnvironmentFault


def have_optuna() -> None:
    """Raise EnvironmentFault where the library that searches is not installed."""
    from importlib.util import find_spec

    if find_spec("optuna") is None:
        raise EnvironmentFault(
            "`sparkwell tune` searches with Optuna, which is not installed.",
            hint=install_command("tune"),
        )
