"""What `sparkwell serve` takes from its command line."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from sparkwell.app.settings.config import (
    ContainerSettings,
    GatewaySettings,
    Settings,
    TlsSettings,
)
from sparkwell.cli.serve import serve, tls_files, with_gateway
from sparkwell.core.errors import UsageError


def test_what_is_not_said_stays_as_the_settings_have_it() -> None:
    settings = Settings(gateway=GatewaySettings(host="10.0.0.1", port=81, workers=3))
    nothing = with_gateway(settings, host=None, port=None, workers=None, tls=None)
    assert nothing == settings
    said = with_gateway(settings, host="::", port=82, workers=None, tls=None).gateway
    assert (said.host, said.port, said.workers) == ("::", 82, 3)


def test_certificate_and_key_are_absolute_for_the_daemons_folder_is_another() -> None:
    assert tls_files(None, None) is None
    here = Path.cwd()
    assert tls_files("c.pem", "/k.pem") == TlsSettings(
        certificate=str(here / "c.pem"), key="/k.pem"
    )


@pytest.mark.parametrize("pair", [("c.pem", None), (None, "k.pem")])
def test_one_without_the_other_is_refused(pair: tuple[str | None, str | None]) -> None:
    with pytest.raises(UsageError, match="belong together"):
        tls_files(*pair)


@pytest.mark.parametrize("words", [["--port", "0"], ["--workers", "0"], ["--workers", "x"]])
def test_values_that_cannot_be_are_refused_by_the_command(words: list[str]) -> None:
    done = CliRunner().invoke(serve, words)
    assert done.exit_code == 2
    assert words[0] in done.output


@pytest.mark.parametrize(("port", "said"), [(18001, "18000 to 18999"), (11434, "ollama_port")])
def test_a_port_that_the_file_could_not_name_is_refused(port: int, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        with_gateway(Settings(), port=port)
    assert caught.value.message.startswith("--port: ")
    assert "another port" in (caught.value.hint or "")
    moved = Settings(containers=ContainerSettings(first_port=9000))
    assert with_gateway(moved, port=18001).gateway.port == 18001
