"""`python -m sparkwell.drivers.download`: a request on stdin, messages on stdout.

The token comes from the environment or from huggingface_hub's own file, never from argv or stdin.
"""

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from sparkwell.core.errors import SparkwellError
from sparkwell.drivers.download.messages import (
    DownloadFault,
    DownloadRequest,
    Fetched,
    Message,
    Progress,
    read_request,
    write_message,
)


def main() -> int:
    """Do what stdin says. The exit status is 0, 2 with an error message, 1 for a fault of ours."""
    try:
        request = read_request(sys.stdin.buffer.read())
        say(_work()(request, say))
    except SparkwellError as error:
        say(error)
        return 2
    return 0


def _work() -> Callable[[DownloadRequest, Callable[[Progress], None]], Fetched]:
    """The download. huggingface_hub is imported here, and reads its variables while it is."""
    try:
        from sparkwell.drivers.download.worker import download  # noqa: PLC0415 - half a second
    except ValueError as error:
        raise DownloadFault(
            "not_a_hub",
            f"huggingface_hub does not take its environment: {error}.",
            hint="Check HF_ENDPOINT, and the other variables that begin with HF_.",
        ) from None
    return download


def say(message: Message) -> None:
    """One line, at once; raises BrokenPipeError where nobody listens."""
    sys.stdout.write(f"{write_message(message)}\n")
    sys.stdout.flush()


def _end(code: int) -> NoReturn:
    """End without waiting for connections: what counts is on the disk already."""
    os._exit(code)


if __name__ == "__main__":
    try:
        status = main()
    except BrokenPipeError:
        status = 1
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        status = 1
    _end(status)
