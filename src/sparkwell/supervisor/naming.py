"""Names of instances: the model's name and something that is never used again."""

import re


def word_of(model: str) -> str:
    """A model's name as a part of file, container and instance names."""
    word = re.sub(r"[^a-z0-9._-]+", "-", model.lower())[:100].strip(".-_")
    return word or "model"
