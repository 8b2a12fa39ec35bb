"""The head of a rendered Compose file: what it is for, how it is used, what was corrected."""

import textwrap
from collections.abc import Iterator, Sequence

from sparkwell.app.composing.service import Composed
from sparkwell.app.composing.wish import DEFAULT_PROFILE, ComposeWish, Place
from sparkwell.engines.compose.corrections import corrections

MARK = "Written by `sparkwell compose`"
"""How the first line of every rendered file begins."""
WIDTH = 96


def head(
    wish: ComposeWish, services: Sequence[Composed], place: Place, notes: Sequence[str]
) -> str:
    """The comment's lines, without their marks."""
    parts = [_what(wish, place), *notes, *_use(services), *_differences(services)]
    return "\n".join(_wrapped(part) for part in parts)


def _what(wish: ComposeWish, place: Place) -> str:
    if wish.exact:
        return f"{MARK}: the services as the guides have them."
    profile = f"flags planned with the profile {wish.profile or DEFAULT_PROFILE}"
    if wish.profile is None and place.here:
        profile = "flags planned with this host's settings"
    return (
        f"{MARK} for {place.machine.name}; {profile if wish.plans else 'the flags of the guides'}."
    )


def _use(services: Sequence[Composed]) -> Iterator[str]:
    """What the commands do with this file."""
    written = [service.corrected.draft.written for service in services]
    started = [service.name for service in written if not service.profiles]
    behind = [service.name for service in written if service.profiles]
    yield ""
    yield f"docker compose up -d  starts {' and '.join(started) or 'nothing by itself'}"
    if behind:
        one = "it" if len(behind) == 1 else f"that one; {len(behind)} start by their names alone"
        yield f"docker compose up -d {behind[0]}  starts {one}"
        yield "docker compose --profile '*' down  stops all; without --profile those stay"
    if sum(service.model != "ollama" for service in services) > 1:
        yield "All vLLM services publish port 8000 and want most of the memory: run one at a time."
    if any(service.secrets for service in written):
        yield (
            "HF_TOKEN is read from .env beside this file, which must have it, empty or not "
            "(HF_TOKEN=). It is put into a container when that is made: after a change, "
            "up -d --force-recreate."
        )


def _differences(services: Sequence[Composed]) -> Iterator[str]:
    """The corrections of this file, in their order."""
    made = {name for service in services for name in service.corrected.corrections}
    if not made:
        return
    yield ""
    yield "Other than in the guides (--without NAME leaves one out, --exact all):"
    for name, correction in corrections().items():
        if name in made:
            yield f"  {name}: {correction.what}"


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line,
        WIDTH,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
