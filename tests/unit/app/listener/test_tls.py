"""https from files: what is refused, and how new files are taken up."""

import asyncio
import shutil
import ssl
import subprocess
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import make_certificate, with_password

from sparkwell.app.listener.certificate_dates import validity
from sparkwell.app.listener.certificate_files import TlsFiles, load
from sparkwell.app.listener.tls import LOOK_S, Tls
from sparkwell.core.errors import EnvironmentFault

DAY_S = 86_400


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return TlsFiles(*make_certificate(tmp_path_factory.mktemp("tls"), "first"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return TlsFiles(*make_certificate(tmp_path_factory.mktemp("tls"), "other"))


@pytest.fixture
def files(pair: TlsFiles, tmp_path: Path) -> TlsFiles:
    """A pair that a test may change."""
    mine = TlsFiles(tmp_path / "fullchain.pem", tmp_path / "privkey.pem")
    put(pair, mine)
    return mine


def put(new: TlsFiles, there: TlsFiles) -> None:
    """As who renews does it: one file after the other, each whole."""
    for source, target in ((new.certificate, there.certificate), (new.key, there.key)):
        draft = target.with_suffix(".new")
        shutil.copy(source, draft)
        draft.replace(target)


def der(files: TlsFiles) -> bytes:
    return ssl.PEM_cert_to_DER_cert(files.certificate.read_text())


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@asynccontextmanager
async def serving(tls: Tls) -> AsyncIterator[int]:
    """A server that says hello; its port."""

    async def hello(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0, ssl=tls.context)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def certificate_seen(port: int, context: ssl.SSLContext | None = None) -> bytes:
    """Which certificate a client is shown; raises what the handshake raises."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context or trusting(), server_hostname="localhost"
    )
    assert await reader.read() == b"hello"
    shown = writer.get_extra_info("ssl_object").getpeercert(True)
    writer.close()
    await writer.wait_closed()
    assert isinstance(shown, bytes)
    return shown


# ── what is refused ─────────────────────────────────────────────────────────────────────────


def refusal(files: TlsFiles, now: float | None = None) -> EnvironmentFault:
    with pytest.raises(EnvironmentFault) as caught:
        Tls(files, lambda: time.time() if now is None else now)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("missing", ["certificate", "key"])
def test_a_file_that_is_missing_is_named(files: TlsFiles, missing: str) -> None:
    getattr(files, missing).unlink()
    assert str(getattr(files, missing)) in refusal(files).message


def test_a_folder_is_no_file(files: TlsFiles) -> None:
    files.key.unlink()
    files.key.mkdir()
    assert "directory" in refusal(files).message


def test_a_file_that_others_own_is_named(files: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_args: object, **_more: object) -> None:  # root may read everything
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert refusal(files).message == f"{files.certificate} cannot be read: Permission denied."


def test_a_key_of_another_certificate_is_named(files: TlsFiles, other: TlsFiles) -> None:
    shutil.copy(other.key, files.key)
    assert refusal(files).message == f"{files.key} is not the key of {files.certificate}."


@pytest.mark.parametrize("text", ["", "words", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_file_that_is_no_certificate_is_named(files: TlsFiles, text: str) -> None:
    files.certificate.write_text(text)
    assert "no certificate and key in PEM" in refusal(files).message


def test_a_key_with_a_password_does_not_wait_for_it(files: TlsFiles) -> None:
    locked = TlsFiles(files.certificate, with_password(files.key, "secret"))
    assert "has a password" in refusal(locked).message


def test_a_certificate_of_the_past_says_until_when(files: TlsFiles) -> None:
    found = validity(files.certificate.read_text())
    assert found is not None
    day = datetime.fromtimestamp(found[1], UTC).strftime("%Y-%m-%d %H:%M UTC")
    assert f"was valid until {day}" in refusal(files, found[1] + 1).message
    load(files, found[1] - 1)


@pytest.mark.parametrize(("after_days", "words"), [(17, "valid until"), (-1, "valid from")])
def test_what_ends_soon_or_begins_late_is_logged(
    files: TlsFiles, after_days: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    Tls(files, lambda: time.time() + after_days * DAY_S)
    assert caplog.text.count(words) == 1


def test_of_several_processes_with_the_same_files_one_speaks(
    files: TlsFiles, other: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    """The daemon does for its workers: they take up new files without a word."""
    caplog.set_level("INFO")
    late = lambda: time.time() + 17 * DAY_S  # noqa: E731
    told, quiet = Tls(files, late), Tls(files, late, quiet=True)
    put(other, files)
    assert told.look()
    assert quiet.look()
    files.key.unlink()
    assert not told.look()
    assert not quiet.look()
    assert caplog.text.count("valid until") == 2
    assert caplog.text.count("is in use from now on") == 1
    assert caplog.text.count("is still the one before") == 1


async def test_the_files_are_looked_at_without_clients(
    files: TlsFiles,
    other: TlsFiles,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("sparkwell.app.listener.tls.LOOK_S", 0.01)
    caplog.set_level("INFO")
    looking = asyncio.create_task(Tls(files).keep_looking())
    put(other, files)
    async with asyncio.timeout(10):
        while "is in use from now on" not in caplog.text:
            await asyncio.sleep(0.01)
    looking.cancel()


# ── what is served ──────────────────────────────────────────────────────────────────────────


async def test_a_client_that_trusts_the_certificate_is_served(files: TlsFiles) -> None:
    strict = ssl.create_default_context(cafile=str(files.certificate))
    async with serving(Tls(files)) as port:
        assert await certificate_seen(port, strict) == der(files)


async def test_old_versions_are_not_spoken(files: TlsFiles) -> None:
    old = trusting()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(Tls(files)) as port:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await certificate_seen(port, old)


async def test_new_files_are_taken_up_while_it_serves(files: TlsFiles, other: TlsFiles) -> None:
    now = [time.time()]
    tls = Tls(files, lambda: now[0])
    async with serving(tls) as port:
        before = await certificate_seen(port)
        put(other, files)
        assert await certificate_seen(port) == before  # looked at a moment ago
        now[0] += LOOK_S
        assert await certificate_seen(port) == der(other) != before


async def test_files_that_do_not_belong_together_wait_for_each_other(
    files: TlsFiles, other: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    now = [time.time()]
    async with serving(Tls(files, lambda: now[0])) as port:
        before = await certificate_seen(port)
        shutil.copy(other.certificate, files.certificate)  # and the key is not there yet
        now[0] += LOOK_S
        assert await certificate_seen(port) == before
        assert "is still the one before" in caplog.text
        shutil.copy(other.key, files.key)
        now[0] += LOOK_S
        assert await certificate_seen(port) == der(other)


async def test_files_that_go_away_end_nothing(
    files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    now = [time.time()]
    async with serving(Tls(files, lambda: now[0])) as port:
        before = await certificate_seen(port)
        files.key.unlink()
        for _ in range(3):
            now[0] += LOOK_S
            assert await certificate_seen(port) == before
    assert caplog.text.count("is still the one before") == 1


def test_nothing_is_loaded_where_nothing_has_changed(files: TlsFiles) -> None:
    assert not Tls(files).look()


# ── dates ───────────────────────────────────────────────────────────────────────────────────


def test_the_dates_are_those_that_openssl_reads(tmp_path: Path) -> None:
    for days in (1, 30, 20_000):  # the last in the other form, which years from 2050 on have
        certificate, _ = make_certificate(tmp_path, f"days{days}", days=days)
        told = subprocess.run(
            ["openssl", "x509", "-in", str(certificate), "-noout", "-startdate", "-enddate"],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout
        since, until = (
            ssl.cert_time_to_seconds(line.partition("=")[2]) for line in told.splitlines()
        )
        assert validity(f"words\n{certificate.read_text()}") == (since, until)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_certificate_have_no_dates(data: bytes) -> None:
    assert validity(ssl.DER_cert_to_PEM_cert(data)) is None


@pytest.mark.parametrize("text", ["", "words", "-----BEGIN CERTIFICATE-----\n!\n"])
def test_text_that_is_no_certificate_has_no_dates(text: str) -> None:
    assert validity(text) is None


@given(st.data())
def test_a_broken_certificate_breaks_nothing(pair: TlsFiles, data: st.DataObject) -> None:
    whole = der(pair)
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:at] + data.draw(st.binary(max_size=3)) + whole[at + 1 :]
    found = validity(ssl.DER_cert_to_PEM_cert(broken))
    assert found is None or len(found) == 2
