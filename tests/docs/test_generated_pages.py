"""The pages written from the code are what the code says now."""

import subprocess
import sys

from sparkwell.app.settings.config import EXAMPLE, Settings
from sparkwell.core.documents import parse_document
from tests.docs.documents import DOCS, ROOT, read


def test_generated_pages_are_fresh() -> None:
    """tools/recipe_fields.py is checked too: a field without a meaning ends the tool."""
    program = [sys.executable, str(ROOT / "tools" / "command_docs.py"), "--check"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_pages_of_the_doctor_are_what_the_checks_say() -> None:
    program = [sys.executable, str(ROOT / "tools" / "doctor_docs.py"), "--check"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_state_diagram_is_what_the_machine_does() -> None:
    program = [sys.executable, str(ROOT / "tools" / "state_diagram.py"), "--check"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_file_names_every_setting_and_is_valid() -> None:
    example = read(EXAMPLE)
    given = parse_document(example, Settings, "example")
    assert given.model_fields_set == set(Settings.model_fields)
    for section in (given.gateway, given.engines):
        assert section.model_fields_set == set(type(section).model_fields)


def test_the_example_file_has_the_defaults_where_it_says_so() -> None:
    given, defaults = parse_document(read(EXAMPLE), Settings, "example"), Settings()
    assert (given.gateway, given.engines) == (defaults.gateway, defaults.engines)


def test_every_setting_is_on_the_settings_page() -> None:
    page = read(DOCS / "settings.md")
    for section, fields in (("gateway", "host port"), ("engines", "keep_logs")):
        for field in fields.split():
            assert f"`{section}.{field}`" in page
