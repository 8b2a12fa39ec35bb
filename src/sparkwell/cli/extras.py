"""What Sparkwell can do without: how its extras are installed here."""

import os
import shlex
import sys
from importlib.util import find_spec

from sparkwell.core.errors import EnvironmentFault


def install_command(extra: str) -> str:
    """The command that adds an extra to this environment.

    `make install` makes one without pip, and with uv in it.
    """
    from sparkwell.drivers.uv import find_uv

    usual = f"pip install 'sparkwell[{extra}]'"
    if find_spec("pip") is not None:
        return usual
    try:
        uv = find_uv(os.environ)
    except EnvironmentFault:
        return usual
    return f"{shlex.quote(uv)} {usual} --python {shlex.quote(sys.executable)}"
