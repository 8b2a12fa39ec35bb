"""Things that fail again and again, said once."""

import logging

logger = logging.getLogger(__name__)


class Complaints:
    """Logs what is wrong with each thing when that changes, not every second."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def say(self, about: str, problem: str | None, error: Exception | None = None) -> None:
        """``problem`` None: it is well again."""
        if problem == self._said.get(about):
            return
        if problem is None:
            logger.info("%s: well again", about)
            del self._said[about]
            return
        self._said[about] = problem
        logger.warning("%s: %s", about, problem, exc_info=error)

    def forget_others(self, about: set[str]) -> None:
        """Forget whom it is not about any more."""
        self._said = {name: said for name, said in self._said.items() if name in about}
