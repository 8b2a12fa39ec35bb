"""The gateway's server: lets requests in, and leads each its way."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sparkwell.core.errors import SparkwellError
from sparkwell.core.keys import NO_TOKENS, NOTHING, Usage
from sparkwell.core.launch import Endpoint
from sparkwell.gateway import access_log, cors, headers
from sparkwell.gateway.access import Door
from sparkwell.gateway.access_errors import WrongKeyError
from sparkwell.gateway.admission import Admitted, admit
from sparkwell.gateway.answering import Answering
from sparkwell.gateway.backend import Backend
from sparkwell.gateway.comments import Pace
from sparkwell.gateway.envelope import error_body, headers_of, object_of, with_model
from sparkwell.gateway.forwarding import Forwarding
from sparkwell.gateway.keys.errors import KeyRefusedError
from sparkwell.gateway.keys.seam import Turnstile
from sparkwell.gateway.naming import meant
from sparkwell.gateway.request import read_model_request, unpacked
from sparkwell.gateway.retrieving import retrieve
from sparkwell.gateway.routes import GENERATES_NOTHING, Route, Way
from sparkwell.gateway.sending import Asking
from sparkwell.gateway.wire.head import Entry, Head, Request, lines
from sparkwell.gateway.wire.limits import Limits
from sparkwell.gateway.wire.pool import Engines
from sparkwell.gateway.wire.reply import Reply
from sparkwell.gateway.wire.server import Server

logger = logging.getLogger(__name__)
_REQUEST_ID = headers.REQUEST_ID + b": %b\r\n"


class InternalError(SparkwellError):
    """A mistake of ours."""

    code = "internal_error"
    http_status = 500


@dataclass(slots=True)
class _Course:
    """What is known of one request while it is answered; written to the access log at its end."""

    began: float
    model: str | None = None
    usage: Usage = NOTHING


class GatewayServer(Server):
    """Serves the OpenAI port.

    ``pages`` is where everything else than models' answers comes from. ``log`` is how requests
    are logged. ``wrong_key`` is told the address of each request whose key is not valid.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        door: Door,
        turnstile: Turnstile,
        pages: Endpoint,
        limits: Limits | None = None,
        pace: Pace | None = None,
        log: access_log.Style = "off",
        wrong_key: Callable[[str | None], object] = lambda _address: None,
    ) -> None:
        super().__init__(limits or Limits())
        self._backend = backend
        self._door = door
        self._turnstile = turnstile
        self._pace = pace or Pace()
        self._log = log
        self._wrong_key = wrong_key
        self._engines = Engines()
        self._forwarding = Forwarding(self._engines, pages)
        self._clock: Callable[[], float] = time.monotonic

    async def close(self, drain_s: float) -> None:
        """Take no more; requests that are being answered have ``drain_s`` seconds to end."""
        await super().close(drain_s)
        self._engines.close()

    def admit(self, head: Head, peer: str | None) -> Admitted:
        """As what a request is let in; raises SparkwellError to refuse it."""
        try:
            return admit(head, peer, self._door, self.limits, self._door.origins)
        except (WrongKeyError, KeyRefusedError):
            self._wrong_key(peer)
            raise

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer a request."""
        entry, course = _admitted(request.entry), _Course(self._clock())
        reply.extra = _REQUEST_ID % entry.request_id + entry.cors
        try:
            await self._lead(request, entry, reply, course)
        except SparkwellError as error:
            self._say(request.head, reply, error, course.model)
        except Exception:
            # The path is the client's: it has visible characters only.
            logger.exception("A request failed: %s %s", request.head.method, entry.path)
            self._say(request.head, reply, _mistake(), None)
        finally:
            if self._log != "off":
                self._written(entry, reply, course)

    def refuse(self, head: Head | None, reply: Reply, error: SparkwellError) -> None:
        """Answer with an error."""
        given = head.named.get(headers.REQUEST_ID) if head is not None else None
        reply.extra = _REQUEST_ID % headers.request_id(given)
        if head is not None:  # else a page that may ask could not read why it is refused
            origin = head.text(b"origin")
            reply.extra += lines(cors.answer_headers(origin, self._door.origins))
        self._say(head, reply, error, None)

    async def _lead(self, request: Request, entry: Admitted, reply: Reply, course: _Course) -> None:
        match entry.route.way:
            case Way.RELAY:
                await self._relay(request, entry, reply, course)
            case Way.RESPONSES:
                await retrieve(self._backend, self._engines, request, entry, reply)
            case Way.PREFLIGHT:
                reply.whole(204, b"", b"")
            case Way.PAGES:
                sees = self._door.may_see(entry.caller)
                await self._forwarding.answer(request, entry, reply, sees=sees)

    async def _relay(
        self, request: Request, entry: Admitted, reply: Reply, course: _Course
    ) -> None:
        """The engine that serves the body's model answers."""
        head, key = request.head, entry.key
        packed = head.text(b"content-encoding")
        asked = read_model_request(unpacked(request.body, packed, self.limits.body))
        model = meant(self._backend, asked.model, key.models if key is not None else ())
        course.model = model.name
        self._backend.heard(model.name, asked.ends)
        passage = self._turnstile.enter(key, model.name)
        answering = Answering(
            self._backend,
            self._engines,
            self._pace,
            asking=Asking(
                entry.route.engine_path,
                head.target.partition(b"?")[2],
                entry.outbound,
                entry.request_id,
                key is not None,
            ),
            reply=reply,
            asked=asked,
            model=model,
            passage=passage,
            priority=key.priority if key is not None else 0,
        )
        status = 0
        try:
            await answering.answer()
        except SparkwellError as error:
            status = error.http_status
            reply.extra += headers.fields(passage.headers)
            raise
        finally:
            course.usage = used = _used(entry.route, answering.usage)
            passage.leave(status or reply.status, used.prompt_tokens, used.output_tokens)

    def _say(
        self, head: Head | None, reply: Reply, error: SparkwellError, model: str | None
    ) -> None:
        """Answer with an error, unless something else has been said already."""
        if reply.begun:
            return
        path = "" if head is None else head.target.decode("latin-1")
        said: Mapping[str, str] = with_model(headers_of(error), model)
        body = error_body(object_of(error), error.http_status, path.partition("?")[0])
        reply.whole(error.http_status, headers.fields(said), body)

    def _written(self, entry: Admitted, reply: Reply, course: _Course) -> None:
        line = access_log.Line(
            request_id=entry.request_id.decode("ascii"),
            peer=entry.caller.peer,
            key=entry.key.name if entry.key is not None else None,
            method=entry.caller.method,
            path=entry.path,
            model=course.model,
            status=reply.status if reply.complete else 0,
            took_ms=(self._clock() - course.began) * 1000,
            prompt_tokens=course.usage.prompt_tokens,
            output_tokens=course.usage.output_tokens,
        )
        access_log.write(line, self._log)


def _used(route: Route, said: Usage) -> Usage:
    """What a request used: nothing, where nothing is generated and the answer does not say it."""
    return NO_TOKENS if route.engine_path in GENERATES_NOTHING and said == NOTHING else said


def _admitted(entry: Entry) -> Admitted:
    assert isinstance(entry, Admitted)  # noqa: S101 - made by admit
    return entry


def _mistake() -> InternalError:
    return InternalError(
        "Sparkwell made a mistake; its log has the details (`sparkwell logs --daemon`)."
    )
