"""The recipe's `merge:` block: which words it knows and what they mean. Knows nothing of torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from manus.errors import InputError, did_you_mean
from manus.settings.frozen import Frozen

Compose = Literal["sequential", "parallel"]
Combine = Literal["sum", "linear", "svd", "ties", "dare_linear", "dare_ties", "magnitude_prune"]

PRUNING = ("ties", "dare_linear", "dare_ties", "magnitude_prune")
ELECTING = ("ties", "dare_ties")
READ_ONLY_BY: dict[str, tuple[str, ...]] = {
    "density": PRUNING,
    "majority_sign": ELECTING,
    "svd_rank": ("svd",),
}


class MergeSettings(Frozen):
    """How what the stages learned becomes one model.

    `combine` says how the changes (trained weights minus the weights a stage started from) are combined:

    - `sum`: every change in full, one after another. The default of `compose: sequential`.
    - `linear`: a weighted sum; without `weights` the average. The default of `compose: parallel`.
    - `svd`: as `linear`, then only the `svd_rank` strongest directions of each matrix are kept
      (default: the largest rank among the adapters).
    - `ties`: keeps the `density` largest entries of each change, elects a sign per entry, and averages those
      that agree (arXiv:2306.01708).
    - `dare_linear`, `dare_ties`: keep a random `density` of the entries, rescaled, then as above
      (arXiv:2311.03099).
    - `magnitude_prune`: keeps the `density` largest entries of each change, then as `linear`.

    `weights` are factors by stage name, taken as written (not normalised, negative ones subtract); when
    given, every stage needs one. `tolerance` replaces the allowed difference between the logits of the merged
    model and those of base and adapters, relative to their scale.
    """

    combine: Combine | None = Field(None, description="sum in a sequential recipe, linear in a parallel one.")
    density: float = Field(
        0.5, gt=0, le=1, description="Share of the entries that ties, dare and pruning keep."
    )
    weights: dict[str, float] | None = Field(None, description="Factor by stage name; every stage needs one.")
    svd_rank: int | None = Field(None, ge=1, description="Directions that svd keeps of each matrix.")
    majority_sign: Literal["total", "frequency"] = Field(
        "total", description="How ties elects a sign: by the summed size of the entries, or by their number."
    )
    tolerance: float | None = Field(
        None, gt=0, lt=1, description="Allowed difference of the logits, relative to their scale."
    )

    @field_validator("combine", mode="before")
    @classmethod
    def _not_built_yet(cls, value: Any) -> Any:
        if value == "slerp":
            raise ValueError("slerp is not built yet; for two stages, linear is the nearest that works")
        return value

    @model_validator(mode="after")
    def _every_key_is_read(self) -> MergeSettings:
        for key, readers in READ_ONLY_BY.items():
            if key in self.model_fields_set and self.combine not in readers:
                raise ValueError(
                    f"{key} is only read by combine: {' | '.join(readers)}; not by {self.combine}"
                )
        if self.combine == "sum" and self.weights is not None:
            raise ValueError("sum adds every change in full and reads no weights; write combine: linear")
        return self


@dataclass(frozen=True, slots=True)
class Combination:
    """A recipe's merge block with every default decided; `weights` are in the order of the stages."""

    combine: Combine
    weights: tuple[float, ...]


def chosen(settings: MergeSettings, compose: Compose, names: Sequence[str]) -> Combination:
    """Decide the combination for these stages.

    Without `weights`, `sum`, `ties` and `dare_ties` take each change once (the latter two average by
    themselves), the others take 1/n of each, so that all but `sum` keep the size of a single change.

    Raises:
        InputError: `weights` do not fit the stages or the default combination.
    """
    combine = settings.combine or ("sum" if compose == "sequential" else "linear")
    if settings.weights is None:
        share = 1.0 if combine in ("sum", *ELECTING) else 1.0 / max(len(names), 1)
        return Combination(combine, (share,) * len(names))
    if combine == "sum":
        raise InputError(
            "merge: compose: sequential adds every change in full and reads no weights; add combine: linear"
        )
    for name in settings.weights:
        if name not in names:
            raise InputError(f"merge: weights: unknown stage {name!r}; {did_you_mean(name, names)}")
    if missing := [name for name in names if name not in settings.weights]:
        raise InputError(f"merge: weights: no weight for stage {missing[0]!r}; add {missing[0]}: 1.0")
    return Combination(combine, tuple(settings.weights[name] for name in names))
