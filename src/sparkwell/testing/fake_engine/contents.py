"""The content of messages: texts, and parts of which some are texts and some are pictures."""

_PICTURES = ("image", "video", "audio", "input_image", "input_audio", "input_file")


def text_of(content: object) -> str:
    """Read the words: a string, or parts of which some have a text or more parts below them."""
    if isinstance(content, list):
        return " ".join(filter(None, map(_part_text, content)))
    return str(content or "")


def has_pictures(content: object) -> bool:
    """Whether something is among the parts that a model for text cannot take."""
    return isinstance(content, list) and any(
        isinstance(part, dict) and str(part.get("type")).startswith(_PICTURES) for part in content
    )


def _part_text(part: object) -> str:
    if not isinstance(part, dict):
        return str(part)
    return text_of(part.get("text") or part.get("content") or part.get("output"))
