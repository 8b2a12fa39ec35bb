"""Before /health is asked: does anybody take connections?"""

import socket
from pathlib import Path

from sparkwell.core.launch import Endpoint
from sparkwell.supervisor.start import _listens


def test_nobody_does_until_the_engine_listens(tmp_path: Path) -> None:
    path = tmp_path / "s"
    endpoint = Endpoint(uds=str(path))
    assert not _listens(endpoint)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))  # as vLLM: bound at once, listening when it has loaded
        assert not _listens(endpoint)
        server.listen()
        assert _listens(endpoint)
    assert not _listens(endpoint)  # it died, and left the file


def test_one_whose_queue_is_full_is_there(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(str(path))
        assert _listens(Endpoint(uds=str(path)))
        for each in waiting:
            each.close()


def test_a_port_is_asked_by_http_at_once() -> None:
    assert _listens(Endpoint(port=1))
