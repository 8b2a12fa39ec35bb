"""What a guard that could not start has written on standard error."""

LONGEST = 2000


def is_whole_traceback(words: str) -> bool:
    """Whether a traceback stands there up to the line that names the exception.

    Python writes it line by line; all lines between the first and that one are indented.
    """
    _, header, rest = words.partition("Traceback (most recent call last):\n")
    return bool(header) and rest.endswith("\n") and not rest.splitlines()[-1].startswith(" ")


def end_of(words: str) -> str:
    """Its end, for a sentence; "it said nothing" where that is so."""
    return words.strip()[-LONGEST:] or "it said nothing"
