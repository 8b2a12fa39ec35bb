"""Holds a stream's headers back for a while, then commits them and tells how the wait goes."""

import asyncio
import logging

from sparkwell.gateway import headers
from sparkwell.gateway.backend import Lease, Ticket, Waiting
from sparkwell.gateway.comments import Pace, Said, is_due, where
from sparkwell.gateway.wire.head import lines
from sparkwell.gateway.wire.reply import Reply

logger = logging.getLogger(__name__)


class Herald:
    """Speaks for one request until its answer comes.

    ``start`` sets a timer. If ``hush`` comes before it ends nothing has been sent, and the true
    status can be; else the status is 200 and the answer has to be events. ``ticket`` is the one
    that is waited for; None when the engine has the request.
    """

    __slots__ = ("_loop", "_model", "_pace", "_reply", "_said", "_timer", "ticket")

    def __init__(self, reply: Reply, pace: Pace) -> None:
        self._reply = reply
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._said: Said | None = None
        self._model = ""
        self.ticket: Ticket | None = None

    def start(self, model: str) -> None:
        """Let the time begin that headers are held; a second time does nothing."""
        if self._timer is None:
            self._model = model
            self._timer = self._loop.call_later(self._pace.hold_headers_s, self._begin)

    async def waited(self, ticket: Ticket) -> Lease:
        """The ticket's lease; until it comes the ticket says how the wait goes."""
        self.ticket = ticket
        lease = await ticket.wait()
        self.ticket = None
        return lease

    def hush(self) -> bool:
        """Stop speaking; whether an answer has been begun."""
        if self._timer is not None:
            self._timer.cancel()
        return self._reply.begun

    def _begin(self) -> None:
        marks = headers.fields({headers.MODEL: self._model})
        self._reply.begin(200, lines(headers.EVENT_STREAM) + marks, None)
        self._tell()

    def _tell(self) -> None:
        try:
            self._comment(self._waiting())
        except Exception:  # the answer is worth more than the telling
            logger.exception("Telling a client how its wait goes failed")
            return
        self._timer = self._loop.call_later(self._pace.look_s, self._tell)

    def _comment(self, waiting: Waiting) -> None:
        line, now = where(waiting), self._loop.time()
        if is_due(self._said, waiting.phase, line, now, self._pace):
            self._reply.write((line,))
            self._said = Said(waiting.phase, line, now)

    def _waiting(self) -> Waiting:
        if self.ticket is not None:
            return self.ticket.waiting()
        return Waiting(self._model, "the engine has the request")
