"""Where a request ends: whoever is unclear about it is refused, and nothing hides behind it."""

import pytest

from tests.security.conftest import Target
from tests.security.raw import Answer, Wire, answers, chunked, completion, post

INNER = post(completion("smuggled-prompt"))
BODY = completion("outer-prompt")
TE = b"Transfer-Encoding: chunked"
HIDDEN = chunked(BODY) + INNER


def lengths(*values: bytes) -> bytes:
    return b"\r\n".join(b"Content-Length: " + value for value in values)


REFUSED = {
    # two framings at once
    "cl.te": post(b"0\r\n\r\n" + INNER, framing=b"Content-Length: 5\r\n" + TE),
    "te.cl": post(HIDDEN, framing=TE + b"\r\nContent-Length: 4"),
    "te.cl with its own length": post(
        HIDDEN, framing=TE + b"\r\n" + lengths(b"%d" % len(chunked(BODY)))
    ),
    "cl.te in other case": post(
        b"0\r\n\r\n" + INNER, framing=b"content-length: 5\r\ntransfer-ENCODING: Chunked"
    ),
    # transfer codings
    "identity": post(INNER, framing=b"Transfer-Encoding: identity"),
    "chunked, identity": post(HIDDEN, framing=TE + b", identity"),
    "identity, chunked": post(HIDDEN, framing=b"Transfer-Encoding: identity, chunked"),
    "gzip, chunked": post(HIDDEN, framing=b"Transfer-Encoding: gzip, chunked"),
    "chunked, chunked": post(HIDDEN, framing=TE + b", chunked"),
    "two TE": post(HIDDEN, framing=TE + b"\r\n" + TE),
    "two TE, the second unknown": post(HIDDEN, framing=TE + b"\r\nTransfer-Encoding: x"),
    "two TE, the first unknown": post(HIDDEN, framing=b"Transfer-Encoding: x\r\n" + TE),
    "xchunked": post(HIDDEN, framing=b"Transfer-Encoding: xchunked"),
    "chunkedx": post(HIDDEN, framing=b"Transfer-Encoding: chunkedx"),
    "quoted chunked": post(HIDDEN, framing=b'Transfer-Encoding: "chunked"'),
    "chunked;a=b": post(HIDDEN, framing=TE + b";a=b"),
    "vertical tab before chunked": post(HIDDEN, framing=b"Transfer-Encoding: \x0bchunked"),
    "form feed after chunked": post(HIDDEN, framing=TE + b"\x0c"),
    "TE, then a tab before the colon": post(HIDDEN, framing=b"Transfer-Encoding\t: chunked"),
    "TE, then a space before the colon": post(HIDDEN, framing=b"Transfer-Encoding : chunked"),
    "TE folded": post(HIDDEN, framing=b"Transfer-Encoding:\r\n chunked"),
    "TE after a bare LF": post(HIDDEN, framing=b"X: y\nTransfer-Encoding: chunked"),
    "TE after a bare CR": post(HIDDEN, framing=b"X: y\rTransfer-Encoding: chunked"),
    "TE of HTTP/1.0": post(HIDDEN, framing=TE, version=b"HTTP/1.0"),
    "empty TE": post(INNER, framing=b"Transfer-Encoding: "),
    # lengths
    "two different CL": post(BODY + INNER, framing=lengths(b"%d" % len(BODY), b"5")),
    "two different CL in one": post(BODY + INNER, framing=lengths(b"%d, 5" % len(BODY))),
    "CL with a plus": post(BODY + INNER, framing=lengths(b"+%d" % len(BODY))),
    "CL with a minus": post(BODY + INNER, framing=lengths(b"-1")),
    "CL minus nought": post(INNER, framing=lengths(b"-0")),
    "CL in hex": post(BODY + INNER, framing=lengths(b"0x%x" % len(BODY))),
    "CL with an underscore": post(BODY + INNER, framing=lengths(b"1_0")),
    "CL with a fraction": post(BODY + INNER, framing=lengths(b"%d.0" % len(BODY))),
    "CL with an exponent": post(BODY + INNER, framing=lengths(b"1e2")),
    "CL with a space within": post(BODY + INNER, framing=lengths(b"1 0")),
    "CL with a NUL": post(BODY + INNER, framing=lengths(b"%d\x00" % len(BODY))),
    "CL in other digits": post(BODY + INNER, framing=lengths("٣".encode())),
    "CL empty": post(INNER, framing=lengths(b"")),
    "CL of words": post(INNER, framing=lengths(b"many")),
    "CL over 64 bits": post(BODY + INNER, framing=lengths(b"%d" % (2**64 + len(BODY)))),
    "CL over 63 bits": post(BODY + INNER, framing=lengths(b"%d" % (2**63 + 1))),
    "CL folded": post(BODY + INNER, framing=b"Content-Length:\r\n %d" % len(BODY)),
    "CL with a space before the colon": post(BODY + INNER, framing=b"Content-Length : 9"),
    # chunks
    "chunk size of words": post(b"zz\r\nab\r\n0\r\n\r\n" + INNER, framing=TE),
    "chunk size with 0x": post(b"0x2\r\n{}\r\n0\r\n\r\n" + INNER, framing=TE),
    "chunk size with a plus": post(b"+2\r\n{}\r\n0\r\n\r\n" + INNER, framing=TE),
    "chunk size with a minus": post(b"-2\r\n{}\r\n0\r\n\r\n" + INNER, framing=TE),
    "chunk size with an underscore": post(b"0_2\r\n{}\r\n0\r\n\r\n" + INNER, framing=TE),
    "chunk size over 64 bits": post(b"10000000000000002\r\n{}\r\n0\r\n\r\n" + INNER, framing=TE),
    "chunk size empty": post(b"\r\n{}\r\n0\r\n\r\n" + INNER, framing=TE),
    "chunk size after a space": post(b" 2\r\n{}\r\n0\r\n\r\n" + INNER, framing=TE),
    "chunk ends with LF": post(b"2\n{}\n0\n\n" + INNER, framing=TE),
    "chunk size ends with LF": post(b"2\n{}\r\n0\r\n\r\n" + INNER, framing=TE),
    "chunk data without its end": post(b"2\r\n{}0\r\n\r\n" + INNER, framing=TE),
    "chunk longer than it says": post(b"1\r\n{}\r\n0\r\n\r\n" + INNER, framing=TE),
    "chunk extension with LF": post(b"2;\n{}\r\n0\r\n\r\n" + INNER, framing=TE),
    "chunk extension with CR": post(b"2;a\rb\r\n{}\r\n0\r\n\r\n" + INNER, framing=TE),
    "trailer with a bare LF": post(b"0\r\nX: y\n\r\n\r\n" + INNER, framing=TE),
    "trailer that is none": post(b"0\r\nGET / HTTP/1.1\r\n\r\n" + INNER, framing=TE),
    # lines
    "bare LF everywhere": post(BODY).replace(b"\r\n", b"\n") + INNER,
    "bare LF after the request line": post(BODY).replace(b"\r\n", b"\n", 1) + INNER,
    "bare CR in a value": post(BODY, b"X: a\rb") + INNER,
    "bare CR after the head": post(b"").replace(b"\r\n\r\n", b"\r\n\r") + INNER,
    "folded": post(BODY, b"X: a\r\n b") + INNER,
    "folded by a tab": post(BODY, b"X: a\r\n\tb") + INNER,
    "folded at once": b"POST /v1/completions HTTP/1.1\r\n Host: 127.0.0.1\r\n\r\n" + INNER,
    "NUL in a value": post(BODY, b"X: a\x00b") + INNER,
    "NUL in a name": post(BODY, b"X\x00: a") + INNER,
    "bell in a value": post(BODY, b"X: a\x07b") + INNER,
    "DEL in a value": post(BODY, b"X: a\x7fb") + INNER,
    "space before the colon": post(BODY, b"X : a") + INNER,
    "tab before the colon": post(BODY, b"X\t: a") + INNER,
    "space in a name": post(BODY, b"X Y: a") + INNER,
    "no colon": post(BODY, b"X") + INNER,
    "no name": post(BODY, b": a") + INNER,
    "name in UTF-8": post(BODY, "Prompt-é: a".encode()) + INNER,
    "name with a bracket": post(BODY, b"X[0]: a") + INNER,
}  # fmt: skip

EITHER = {
    "two equal CL": post(BODY, framing=lengths(b"%d" % len(BODY), b"%d" % len(BODY))),
    "two equal CL in one": post(BODY, framing=lengths(b"%d, %d" % (len(BODY), len(BODY)))),
    "CL with noughts before": post(BODY, framing=lengths(b"000%d" % len(BODY))),
    "chunk extension": post(
        b"%x;a=b\r\n%b\r\n0;c\r\n\r\n" % (len(BODY), BODY), framing=TE
    ),
    "chunk extension, long": post(
        b"%x;%b\r\n%b\r\n0\r\n\r\n" % (len(BODY), b"a" * 5000, BODY), framing=TE
    ),
    "chunk size of a kilobyte": post(
        b"%b%x\r\n%b\r\n0\r\n\r\n" % (b"0" * 1024, len(BODY), BODY), framing=TE
    ),
    "chunk size, then a space": post(b"%x \r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY), framing=TE),
    "trailer": post(
        b"%x\r\n%b\r\n0\r\nContent-Length: 3\r\n\r\n" % (len(BODY), BODY), framing=TE
    ),
    "trailers without number": post(
        b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(BODY), BODY, b"X: y\r\n" * 5000), framing=TE
    ),
    "tab before chunked": post(chunked(BODY), framing=b"Transfer-Encoding:\tchunked"),
    "spaces after chunked": post(chunked(BODY), framing=TE + b"  \t"),
    "empty lines before the request": b"\r\n\r\n" + post(BODY),
    "TE with an underscore": post(BODY, b"Transfer_Encoding: chunked"),
    "value in Latin-1": post(BODY, b"X: \xe9"),
    "the engine's framing named as the connection's": post(
        BODY, b"Connection: close, Content-Length, Transfer-Encoding, Host"
    ),
}  # fmt: skip


@pytest.mark.parametrize("data", REFUSED.values(), ids=list(REFUSED))
async def test_a_doubtful_request_is_refused_and_ends_the_connection(
    target: Target, data: bytes
) -> None:
    found = await _all(target, data)
    assert [each.status for each in found] in ([400], [413], [501])
    if found[0].status == 413:
        assert b"Content-Length: " in data  # a length that is too large is allowed to be just that
    assert "message" in found[0].error
    assert target.tap.posts() == []
    assert not target.tap.has_seen("smuggled-prompt")


@pytest.mark.parametrize("data", EITHER.values(), ids=list(EITHER))
async def test_what_may_be_taken_reaches_the_engine_once_and_whole_or_not_at_all(
    target: Target, data: bytes
) -> None:
    async with Wire(target.port) as wire:
        await wire.send(data)
        answer = await wire.answer()
        if answer.status != 200:
            assert answer.status in (400, 431)
            await wire.rest()
            assert target.tap.posts() == []
            return
    assert [each.body for each in target.tap.posts()] == [BODY]
    (asked,) = target.tap.posts()
    assert asked.all("content-length") == [str(len(BODY))]
    assert len(asked.all("host")) == 1


async def test_a_chunked_body_in_single_bytes_is_one_request_with_a_length(target: Target) -> None:
    async with Wire(target.port) as wire:
        for byte in post(chunked(BODY, 1), framing=TE):
            await wire.send(bytes([byte]))
        assert (await wire.answer()).status == 200
    assert [each.body for each in target.tap.posts()] == [BODY]


async def test_a_get_with_a_body_does_not_leave_it_for_the_next_request(target: Target) -> None:
    data = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(INNER)
    async with Wire(target.port) as wire:
        await wire.send(data + INNER)
        assert (await wire.answer()).status in (200, 400)
        with pytest.raises((TimeoutError, EOFError)):
            await wire.answer(0.3)
    assert not target.tap.has_seen("smuggled-prompt")


async def _all(target: Target, data: bytes) -> list[Answer]:
    async with Wire(target.port) as wire:
        await wire.send(data)
        return answers(await wire.rest())
