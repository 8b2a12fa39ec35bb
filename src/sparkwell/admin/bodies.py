"""What the control API takes: JSON objects, checked."""

from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from sparkwell.core.errors import UsageError

B = TypeVar("B", bound="Body")


class Body(BaseModel):
    """A request body: strict, so that a misspelt field is an error and not a lost wish."""

    model_config = ConfigDict(extra="forbid")


async def read_body(request: web.Request, schema: type[B]) -> B:
    """The request's body; raises UsageError that names the field."""
    try:
        return schema.model_validate_json(await request.read() or b"{}")
    except ValidationError as error:
        raise refused(error) from None


def read_query(request: web.Request, schema: type[B]) -> B:
    """The request's query as such an object; raises UsageError that names the field."""
    try:
        return schema.model_validate(dict(request.query))
    except ValidationError as error:
        raise refused(error) from None


def refused(error: ValidationError) -> UsageError:
    """The first thing that is wrong, as a person is told."""
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"]) or "body"
    return UsageError(f"{where}: {first['msg']}")
