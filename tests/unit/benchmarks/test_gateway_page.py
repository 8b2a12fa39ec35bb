"""docs/benchmarks/gateway.md says what the newest results say."""

import xml.etree.ElementTree as ET

import pytest
from tests.unit.benchmarks.gateway import page

COMPARED, SOAKED = page.newest("gateway"), page.newest("soak")
PARTS = page.parts(COMPARED, SOAKED)


@pytest.mark.parametrize("name", PARTS)
def test_the_page_has_the_newest_results(name: str) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.replaced(text, name, PARTS[name]) == text, "python benchmarks/gateway/page.py"


def test_the_page_has_a_place_for_every_part() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    for name in ("run", "picture", "costs", "latency", "streams", "bounds", "soak"):
        assert f"\n{page.END.format(name)}\n" in page.replaced(text, name, "anew")


def test_a_part_without_a_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place"):
        page.replaced("a page", "costs", "anew")


def test_the_picture_is_readable_on_dark_pages() -> None:
    svg = page.in_both_schemes('<svg xmlns="http://www.w3.org/2000/svg"><defs></defs></svg>')
    style = ET.fromstring(svg)[0].text or ""  # noqa: S314 - our own
    assert "prefers-color-scheme: dark" in style
    assert page.DARK_INK in style


@pytest.mark.skipif(COMPARED is None, reason="nothing has been measured yet")
def test_the_picture_names_every_relay() -> None:
    text = page.PICTURE.read_text(encoding="utf-8")
    assert all(name in text for name in COMPARED["rounds"] if name != "direct")
