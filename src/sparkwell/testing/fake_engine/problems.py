"""Why a request is refused, in vLLM's words and envelopes."""


class ProblemError(Exception):
    """Why a request is refused."""

    def __init__(
        self, status: int, message: str, kind: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.param = status, message, kind, param

    def envelope(self, path: str = "") -> dict[str, object]:
        """Give the body of the response: Anthropic's where its clients ask, else OpenAI's.

        What is wrong with a body's form is said before anybody looks whose dialect it is.
        """
        if path.startswith("/v1/messages") and self.kind != FORM:
            return {"type": "error", "error": {"type": self.kind, "message": self.message}}
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.status,
        }
        return {"error": error}


FORM = "Bad Request"


def missing(field: str, keys: int) -> ProblemError:
    """Refuse a body that lacks a field; ``keys`` is how many it has."""
    said = {
        "type": "missing",
        "loc": f"body.{field}",
        "msg": "Field required",
        "input": f"<dict of {keys} items>",
    }
    return ProblemError(400, f"1 validation error:\n  {said}", FORM, f"body.{field}")
