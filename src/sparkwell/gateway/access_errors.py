"""Why somebody may not come in, and what opens the door."""

from sparkwell.core.errors import SparkwellError, UsageError

MAKE_ONE = (
    "`sparkwell keys add NAME` on the server makes one; send it as `Authorization: Bearer KEY`."
)


class InvalidKeyError(SparkwellError):
    """A key is needed, and there is none or a wrong one. Goes with WWW-Authenticate: Bearer."""

    code = "invalid_api_key"
    http_status = 401


class WrongKeyError(InvalidKeyError):
    """There are keys, and the request has one that is none of them."""


class KeysUnreadableError(SparkwellError):
    """There were keys, and they cannot be read: nobody is let in until they can."""

    code = "keys_unreadable"
    http_status = 503


class UnknownHostError(SparkwellError):
    """The Host header names a machine that this one does not know itself by."""

    code = "unknown_host"
    http_status = 421


class ForeignPageError(SparkwellError):
    """A browser asks for a page that is not Sparkwell's."""

    code = "foreign_page"
    http_status = 403


class MediaTypeError(UsageError):
    """The body is not declared as JSON."""

    code = "unsupported_media_type"
    http_status = 415


def key_missing() -> InvalidKeyError:
    """There are keys, and the request has none."""
    return InvalidKeyError("A key is needed here, and this request has none.", hint=MAKE_ONE)


def key_unknown() -> WrongKeyError:
    """The request has a key that is none of ours."""
    return WrongKeyError("The key of this request is not known here.", hint=MAKE_ONE)


def not_from_here() -> InvalidKeyError:
    """There are no keys, and the request is from another machine."""
    return InvalidKeyError(
        "Only programs on the same machine are served here, for there are no keys yet.",
        hint=MAKE_ONE,
    )


def through_a_proxy() -> InvalidKeyError:
    """There are no keys, and a proxy stands between: who is behind it cannot be told."""
    return InvalidKeyError(
        "This request came through a proxy, and without keys only direct ones of the same machine "
        "are served.",
        hint=MAKE_ONE,
    )


def keys_unreadable() -> KeysUnreadableError:
    """Nobody can be told from anybody."""
    return KeysUnreadableError(
        "The keys of this server cannot be read, so nobody is let in.",
        hint="`sparkwell keys list` on the server says why, and what to do.",
    )


def no_loopback_host(host: str | None) -> UnknownHostError:
    """There are no keys, and the request is not for localhost."""
    return UnknownHostError(
        f"Without keys only requests for localhost are served; this one is for {_shown(host)}.",
        hint=f"Ask http://localhost or http://127.0.0.1, or use a key: {MAKE_ONE}",
    )


def unknown_host(host: str | None) -> UnknownHostError:
    """The request is for a machine of another name."""
    return UnknownHostError(
        f"{_shown(host)} is not known to be this machine's name.",
        hint="Ask by its address, or add the name to gateway.names in sparkwell.yaml.",
    )


def foreign_page(origin: str | None) -> ForeignPageError:
    """A page of somebody else's wants to use what is for whoever looks at it."""
    return ForeignPageError(
        f"A web page of {_shown(origin) if origin else 'another site'} may not use this endpoint.",
        hint="gateway.cors_origins in sparkwell.yaml names the pages that may.",
    )


def foreign_form(origin: str | None) -> ForeignPageError:
    """A page of somebody else's wants to change something here, in its reader's name."""
    return ForeignPageError(
        f"This request came from {_shown(origin) if origin else 'another site'}, and nothing was "
        "done.",
        hint="Behind a proxy, the proxy has to pass the client's Host on, with its port.",
    )


def not_json(media_type: str | None) -> MediaTypeError:
    """A page's form could have sent this; JSON it cannot send without being asked."""
    declared = f"declared as {_shown(media_type)}, not as JSON" if media_type else "not declared"
    return MediaTypeError(
        f"The body is {declared}.", hint="Send the header `Content-Type: application/json`."
    )


def _shown(text: str | None) -> str:
    """What a client sent, short and on one line; for words that only the client reads."""
    if not text:
        return "no host"
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= 80 else f"{clean[:80]}…"
