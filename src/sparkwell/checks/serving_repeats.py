"""Whether prompts repeat, counted without keeping any: keyed hashes of their two ends.

The first and the last KiB of a prompt are hashed with a key that lives as long as the
counter, so that no hash can be compared with a guess, and none is written anywhere. A prompt
shorter than one KiB is not counted: there is little to save. What repeats only in the middle is not
seen.
"""

import secrets
from collections import OrderedDict
from hashlib import blake2b

from sparkwell.checks.serving_parts import Repeats

END_BYTES = 1024
_MOST_MODELS = 64

Ends = tuple[bytes, bytes]


def ends_of(asked: bytes) -> Ends | None:
    """The first and last KiB of what a request asks: of its messages or its prompt, as JSON.

    None where it is shorter. The JSON is not read: whoever sends the same text again writes it in
    the same way.
    """
    text = asked.strip(b'"')
    return (text[:END_BYTES], text[-END_BYTES:]) if len(text) >= END_BYTES else None


class _Counted:
    """The ends seen of one model, the oldest forgotten first, and how many came again."""

    __slots__ = ("heads", "heads_again", "prompts", "tails", "tails_again")

    def __init__(self) -> None:
        self.prompts = self.heads_again = self.tails_again = 0.0
        self.heads: OrderedDict[bytes, None] = OrderedDict()
        self.tails: OrderedDict[bytes, None] = OrderedDict()


class RepeatCounter:
    """Counts, for each model, the prompts that begin or end as one before.

    ``kept`` hashes of each end are remembered for a model. Older prompts count less: each time
    ``fades_at`` prompts have been counted, all counts are halved. Not for several threads.
    """

    def __init__(self, *, kept: int = 1024, fades_at: int = 2000) -> None:
        self._kept, self._fades_at = kept, fades_at
        self._key = secrets.token_bytes(16)
        self._models: OrderedDict[str, _Counted] = OrderedDict()

    def saw(self, model: str, ends: Ends | None) -> None:
        """Count one prompt, by what ``ends_of`` says of it."""
        if ends is None:
            return
        counted = self._models.setdefault(model, _Counted())
        self._models.move_to_end(model)
        if len(self._models) > _MOST_MODELS:
            self._models.popitem(last=False)
        head, tail = ends
        counted.prompts += 1
        counted.heads_again += self._again(counted.heads, head)
        counted.tails_again += self._again(counted.tails, tail)
        if counted.prompts >= self._fades_at:
            counted.prompts /= 2
            counted.heads_again /= 2
            counted.tails_again /= 2

    def of(self, model: str) -> Repeats | None:
        """What is known of a model's prompts; None when none was counted."""
        counted = self._models.get(model)
        if counted is None or not counted.prompts:
            return None
        return Repeats(
            prompts=int(counted.prompts),
            head=counted.heads_again / counted.prompts,
            tail=counted.tails_again / counted.prompts,
        )

    def _again(self, seen: OrderedDict[bytes, None], end: bytes) -> bool:
        digest = blake2b(end, digest_size=8, key=self._key).digest()
        known = digest in seen
        seen[digest] = None
        seen.move_to_end(digest)
        if len(seen) > self._kept:
            seen.popitem(last=False)
        return known
