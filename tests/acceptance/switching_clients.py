"""HTTP clients for tests of waiting and switching: plain sockets, in threads; ``done`` bounds."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.acceptance.conftest import Home, wait_for

Json = dict[str, Any]
LONGEST_S = 60.0
FEW = 5
"""Tokens of an answer whose length does not matter; else it is exactly as long as is asked for."""


class Asking(threading.Thread):
    """One request on its way. ``text`` grows as the answer comes; ``error`` is a broken connection.

    ``status`` is None until the headers have come.
    """

    def __init__(self, home: Home, model: str, *, tokens: int, stream: bool) -> None:
        super().__init__(daemon=True)
        self._body = {
            "model": model,
            "messages": [{"role": "user", "content": "hello there"}],
            "max_tokens": tokens,
            "stream": stream,
            "ignore_eos": tokens > FEW,
        }
        self._connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=600)
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.text = ""
        self.error: Exception | None = None
        self.seconds: float | None = None

    def run(self) -> None:
        began = time.monotonic()
        try:
            self._ask()
        except (OSError, http.client.HTTPException) as error:
            self.error = error
        finally:
            self._connection.close()
            self.seconds = time.monotonic() - began

    def _ask(self) -> None:
        said = json.dumps(self._body)
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/v1/chat/completions", said, headers)
        response = self._connection.getresponse()
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.status = response.status
        while line := response.readline():
            self.text += line.decode()

    @property
    def tokens(self) -> int:
        """Pieces of an answer that have come, in a stream."""
        return sum('"content":' in event for event in self.events)

    @property
    def events(self) -> list[str]:
        """The data of a stream's events."""
        return [line[6:] for line in self.text.splitlines() if line.startswith("data: ")]

    @property
    def comments(self) -> list[str]:
        """What a stream was told while it waited."""
        return [line for line in self.text.splitlines() if line.startswith(":")]

    @property
    def fault(self) -> Json:
        """The error that the answer, or the stream's last event, is."""
        document: Json = json.loads(self.events[-1] if self.events else self.text)
        fault: Json = document["error"]
        return fault

    @property
    def whole(self) -> bool:
        """Whether a whole answer came."""
        if self.status != 200 or self.error or self.is_alive():
            return False
        return self.events[-1:] == ["[DONE]"] if self._body["stream"] else '"choices"' in self.text

    def done(self, timeout: float = LONGEST_S) -> "Asking":
        """Wait for the end, whatever it is; a request that hangs fails the test."""
        self.join(timeout)
        assert not self.is_alive(), f"no answer within {timeout} s: {self.text[-500:]}"
        return self

    def until(self, condition: Callable[["Asking"], bool], timeout: float = 30) -> "Asking":
        """Wait for a part of the answer."""
        wait_for(lambda: condition(self) or not self.is_alive(), timeout)
        assert condition(self), f"{self.status} {self.error} {self.text[-500:]}"
        return self

    def go_away(self) -> None:
        """Break the connection off."""
        if self._connection.sock:
            self._connection.sock.shutdown(2)


def ask(home: Home, model: str, *, tokens: int = FEW, stream: bool = False) -> Asking:
    """Begin a request."""
    asking = Asking(home, model, tokens=tokens, stream=stream)
    asking.start()
    return asking


def answered(home: Home, model: str, timeout: float = LONGEST_S) -> Asking:
    """Ask, and get a whole answer."""
    asking = ask(home, model).done(timeout)
    assert asking.whole, f"{asking.status} {asking.error} {asking.text}"
    return asking
