"""Words on the way, for whoever still reads them."""

from contextlib import suppress

import click


def tell(text: str) -> None:
    """Say it on stderr; where terminal or pipe are gone, or cannot show it, nothing comes of it."""
    with suppress(OSError, UnicodeError):
        click.echo(text, err=True)
