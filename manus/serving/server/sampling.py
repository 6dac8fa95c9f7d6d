"""What requests for chats and bare texts both say: how tokens are drawn, how many answers, what ends one."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from manus.serving.server.answering import Service
from manus.serving.server.constraints import Weighed
from manus.serving.server.refusals import Refused
from manus.settings.frozen import Frozen


class StreamOptions(Frozen):
    """What else a stream has."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None  # nothing is padded here, so false changes nothing


class Sampling(Frozen):
    """What requests say of how tokens are drawn, and what has no effect on an answer."""

    model: str = ""
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=0, le=1_000_000)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    n: int | None = Field(1, ge=1)
    stop: str | list[str] | None = None
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    service_tier: Literal["auto", "default"] | None = None

    MOST_STOPS: ClassVar[int] = 16

    @property
    def stops(self) -> list[str]:
        """The texts that end an answer.

        Raises:
            Refused: one is empty, or there are too many.
        """
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        if len(stops) > self.MOST_STOPS or not all(stops):
            raise Refused(f"stop: up to {self.MOST_STOPS} texts, none of them empty", param="stop")
        return stops

    def weighed(self, service: Service) -> Weighed | None:
        """Return what biases and penalties make of logits, if there are any.

        Raises:
            Refused: a bias is for no token.
        """
        bias = {}
        for token, more in (self.logit_bias or {}).items():
            if not token.isascii() or not token.isdigit() or int(token) >= service.hosted.vocabulary:
                raise Refused(f"logit_bias: {token[:20]!r} is no token of this model", param="logit_bias")
            if not -100 <= more <= 100:
                raise Refused("logit_bias: a bias is between -100 and 100", param="logit_bias")
            bias[int(token)] = more
        if not (bias or self.frequency_penalty or self.presence_penalty):
            return None
        return Weighed(bias, self.frequency_penalty or 0.0, self.presence_penalty or 0.0)

    def check(self, service: Service) -> None:
        """See to it that the request is for the model that is here, and for not too many answers.

        Raises:
            Refused: it is not.
        """
        if self.model and self.model != service.hosted.name:
            raise Refused(
                f"the model {self.model[:100]!r} is not here; this server has {service.hosted.name!r}",
                status=404,
                param="model",
                code="model_not_found",
            )
        if (self.n or 1) > service.limits.choices:
            raise Refused(f"n: up to {service.limits.choices} answers", param="n")
        if self.stream_options is not None and not self.stream:
            raise Refused("stream_options: only with stream: true", param="stream_options")
