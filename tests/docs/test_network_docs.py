"""docs/network.md: its settings load, and its refusals are those of the code."""

import re

import pytest

from sparkwell.app.settings.config import Settings
from sparkwell.core.documents import parse_document
from sparkwell.core.errors import SparkwellError
from sparkwell.gateway import access_errors
from tests.docs.documents import DOCS, read

PAGE = read(DOCS / "network.md")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", BLOCKS)
def test_settings_of_the_page_load(text: str) -> None:
    parse_document(text, Settings, "the page")


def test_every_refusal_at_the_door_is_on_the_page() -> None:
    written = set(re.findall(r"^\| (\d{3}) \| `(\w+)` \|", PAGE, re.MULTILINE))
    errors = [
        each
        for each in vars(access_errors).values()
        if isinstance(each, type) and issubclass(each, SparkwellError)
        if each.__module__ == access_errors.__name__
    ]
    assert written == {(str(each.http_status), each.code) for each in errors}
    assert len(errors) == 6  # two of them are said alike


def test_the_headers_that_the_page_names_are_looked_for() -> None:
    assert all(name in PAGE for name in ("Forwarded", "Via", "X-Forwarded-*", "X-Real-IP"))
    assert len(BLOCKS) >= 5
