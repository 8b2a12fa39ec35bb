"""The engine's socket, bound long before or just before it is listened on, and who listens."""

import os
import socket
import types

from sparkwell.testing.fake_engine.arguments import EngineArguments


def bound_socket(arguments: EngineArguments) -> socket.socket:
    """Make a socket that has its address but refuses connections until somebody listens on it.

    OSError when the address is taken.
    """
    if arguments.uds:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(arguments.uds)
        return sock
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((arguments.host, arguments.port))
    return sock


def server_side() -> types.ModuleType:
    """Import the HTTP side late, so that first words and early ends come at once.

    aiohttp loads the machine's TLS certificates when it is imported, 0.15 s for nothing here.
    """
    os.environ.setdefault("SSL_CERT_FILE", os.devnull)
    from sparkwell.testing.fake_engine import server  # noqa: PLC0415

    return server
