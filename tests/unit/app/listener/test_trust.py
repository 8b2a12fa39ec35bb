"""This machine's own gateway is trusted by the very file that it serves with."""

import asyncio
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from tests.certificates import make_certificate

from sparkwell.app.listener.certificate_files import TlsFiles, load
from sparkwell.app.listener.trust import trust_by
from sparkwell.core.errors import EnvironmentFault


async def shakes_hands(files: TlsFiles, trust: ssl.SSLContext | bool) -> bool:
    """Whether a client that trusts so comes to talk to a server with these files."""

    async def bye(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(bye, "127.0.0.1", 0, ssl=load(files, time.time()))
    port = server.sockets[0].getsockname()[1]
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        writer.close()
        return True
    except ssl.SSLCertVerificationError:
        return False
    finally:
        server.close()


def signed(folder: Path) -> TlsFiles:
    """A certificate for llm.example that another one signed, which is not in its file."""
    authority, its_key = make_certificate(folder, "authority")
    made, key, asked = (folder / f"leaf.{end}" for end in ("pem", "key", "csr"))
    for words in (
        ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", "/CN=llm.example", "-keyout", str(key), "-out", str(asked)],
        ["x509", "-req", "-in", str(asked), "-CA", str(authority), "-CAkey", str(its_key),
         "-CAcreateserial", "-days", "30", "-out", str(made)],
    ):  # fmt: skip
        subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=30)
    return TlsFiles(made, key)


async def test_one_that_signs_itself(tmp_path: Path) -> None:
    files = TlsFiles(*make_certificate(tmp_path, "box"))
    other, _ = make_certificate(tmp_path, "other")
    assert await shakes_hands(files, trust_by(str(files.certificate)))
    assert not await shakes_hands(files, trust_by(str(other)))
    assert not await shakes_hands(files, True)


async def test_one_that_an_authority_signed_for_another_name(tmp_path: Path) -> None:
    files = signed(tmp_path)
    assert await shakes_hands(files, trust_by(str(files.certificate)))


def test_without_a_certificate_there_is_nothing_to_check() -> None:
    assert trust_by(None) is True


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "c.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(EnvironmentFault, match="cannot be read") as caught:
        trust_by(str(file))
    assert str(file) in caught.value.message
