"""What a client is told when its request is refused: a status, a plain sentence, which parameter is meant.

Knows nothing of endpoints.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from manus.errors import did_you_mean

KINDS = {401: "authentication_error", 429: "rate_limit_error", 501: "not_implemented_error"}
BUSY = "the server has as many requests as it takes; try again in a moment"
CROWDED = "the requests that are being read are as large together as the server takes; try again in a moment"
FAILED = "the model failed over this request; the server goes on"
LOST = "the engine is lost and the server ends; start it again"
LONGEST_VALUE = 80


class Refused(Exception):
    """A request that is not answered; the message is for the client."""

    def __init__(
        self, message: str, status: int = 400, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.param, self.code = message, status, param, code

    @property
    def body(self) -> dict[str, Any]:
        """The JSON that OpenAI's clients read errors from."""
        kind = KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def refused_by(error: ValidationError, known: dict[str, Any]) -> Refused:
    """Return what to say of a request that is not as it should be: its first problem, and how many there are.

    Args:
        error: what pydantic found.
        known: the parameters that the request may have at its top.
    """
    problems = error.errors(include_url=False, include_context=False)
    first = problems[0]
    place = [str(step) for step in first["loc"]]
    param = ".".join(place)
    if first["type"] == "extra_forbidden" and len(place) == 1:
        message = f"unknown parameter {param!r}; {did_you_mean(param, known)}"
        return Refused(message, param=param, code="unknown_parameter")
    given = "" if first["type"] == "missing" else f" (given: {_shortened(first.get('input'))})"
    more = f"; and {len(problems) - 1} more problems" if len(problems) > 1 else ""
    return Refused(f"{param or 'the request'}: {first['msg']}{given}{more}", param=param or None)


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
