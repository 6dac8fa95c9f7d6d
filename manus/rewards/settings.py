"""What a recipe may say of rewards, and what of it identifies the scores. Scores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, model_validator

from manus.errors import InputError, did_you_mean
from manus.rewards.context import Context, Lookup
from manus.rewards.verifiers import Verifier, known_verifiers
from manus.settings.frozen import Frozen

LARGEST_WEIGHT = 1e6
DEFAULT_FAILURE_BUDGET = 0.05
DEFAULT_TIMEOUT_SECONDS = 10.0


class RewardSettings(Frozen):
    """One component of the reward: a verifier, and how much its score counts."""

    verifier: str = Field(description="A verifier by name.")
    weight: float = Field(
        1.0,
        ge=-LARGEST_WEIGHT,
        le=LARGEST_WEIGHT,
        description="How much its score counts in the sum; below 0 it is a penalty, 0 only logs it.",
    )
    options: dict[str, Any] = Field({}, description="Settings of the verifier.")
    name: str | None = Field(
        None, pattern=r"^[\w-]{1,60}$", description="What the log calls it (default: the verifier's name)."
    )

    @model_validator(mode="after")
    def _fits_its_verifier(self) -> RewardSettings:
        if self.verifier not in known_verifiers():
            raise ValueError(
                f"no verifier {self.verifier!r}; {did_you_mean(self.verifier, known_verifiers())}"
            )
        settings = self.module.Settings
        try:
            settings(**self.options)
        except ValidationError as error:
            said = (_explained(detail, settings) for detail in error.errors())
            raise ValueError(f"{self.verifier}: {'; '.join(said)}") from None
        return self

    @property
    def component(self) -> str:
        """What the log calls it."""
        return self.name or self.verifier

    @property
    def module(self) -> Verifier:
        """The verifier."""
        return known_verifiers()[self.verifier]

    @property
    def resolved(self) -> Any:
        """The verifier's settings."""
        return self.module.Settings(**self.options)

    @property
    def needs_trust(self) -> bool:
        """Whether it runs code of the user's."""
        return bool(self.module.NEEDS_TRUST)


def _explained(detail: Any, settings: type[Frozen]) -> str:
    place = ".".join(["options", *map(str, detail["loc"])])
    if detail["type"] == "extra_forbidden":
        known = settings.model_fields
        return (
            f"{place} is not known; "
            f"{did_you_mean(str(detail['loc'][-1]), known) if known else 'it takes no options'}"
        )
    message = detail["msg"].removeprefix("Value error, ")
    return f"{place}: {message[:1].lower()}{message[1:]}"


def _have_names_of_their_own(rewards: tuple[RewardSettings, ...]) -> tuple[RewardSettings, ...]:
    names = [reward.component for reward in rewards]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two rewards are called {twice[0]!r}; give one of them a `name:` of its own")
    return rewards


Rewards = Annotated[
    tuple[RewardSettings, ...], Field(min_length=1, strict=False), AfterValidator(_have_names_of_their_own)
]


class RewardedSettings(Frozen):
    """Settings of methods that learn from rewards."""

    rewards: Rewards | None = Field(
        None, description="What scores an answer; none: the capability's own verifier."
    )
    reward_timeout_seconds: float = Field(
        DEFAULT_TIMEOUT_SECONDS, gt=0, le=86_400, description="How long one verifier may take for one answer."
    )
    reward_failure_budget: float = Field(
        DEFAULT_FAILURE_BUDGET,
        ge=0,
        le=1,
        description="Share of one reward's scores that may fail before the stage stops.",
    )


def identity(rewards: Sequence[RewardSettings], context: Context, lookup: Lookup) -> list[dict[str, Any]]:
    """Return what of the rewards shapes their sum, for an artifact's key: neither names nor paths.

    Raises:
        InputError: a file or model that a reward names is missing; the message begins with the reward's name.
    """
    return [_identity_of(reward, context, lookup) for reward in rewards]


def _identity_of(reward: RewardSettings, context: Context, lookup: Lookup) -> dict[str, Any]:
    own = reward.module.identity
    try:
        options = own(reward.resolved, context, lookup) if own else reward.resolved.model_dump(mode="json")
    except InputError as error:
        raise type(error)(f"reward {reward.component!r}: {error}") from None
    return {
        "verifier": reward.verifier,
        "version": reward.module.VERSION,
        "weight": reward.weight,
        "options": options,
    }


def cannot_score(rewards: Sequence[RewardSettings], sample: Any, context: Context) -> list[str]:
    """Return the components that find nothing in the sample to compare a completion with."""
    return [reward.component for reward in rewards if not reward.module.can_score(sample, context)]
