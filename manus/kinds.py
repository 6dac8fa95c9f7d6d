"""The kinds of artifact: one table with all that is to be known of each. Knows nothing of how one is made.

A new kind is a row here and a file of its name in `manus/jobs/`, with a function `build`; `plan/keys.py` says
what goes into its key, `rules/` how Snakemake runs it. What a row lacks is said when Manus starts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from manus.guards.status_file import State

Kind = Literal[
    "detect",
    "base",
    "encoder",
    "assemble",
    "data",
    "speech",
    "reward",
    "pairs",
    "train",
    "evaluate",
    "merge",
    "feature",
    "report",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindFacts:
    """What is to be known of a kind.

    Args:
        format: raised when the kind's code changes in a way that gives other results from the same settings.
        state: what a run says it does, until it knows better.
        doing: what a run tells people that it does.
        column: where the report's drawing of the plan shows it, from the left.
        cores: how many of Snakemake's cores a job takes; "by data" is all for large data, one for small.
        gpus: how many GPUs a job takes, where there are any.
        names: what stages cannot be called, since targets and folders are called so.
    """

    format: int
    state: State
    doing: str
    column: int
    cores: Literal["one", "all", "by data"]
    gpus: int
    names: tuple[str, ...]


KINDS: dict[Kind, KindFacts] = {
    "detect": KindFacts(
        format=1, state="starting", doing="finding out what the base model can take in and give out",
        column=0, cores="one", gpus=0, names=("detect", "detected"),
    ),
    "base": KindFacts(
        format=1, state="preparing", doing="converting the base model to safetensors, once",
        column=0, cores="all", gpus=0, names=("base",),
    ),
    "encoder": KindFacts(
        format=1, state="preparing", doing="making an encoder that nothing can load as it is",
        column=0, cores="all", gpus=1, names=("encoder",),
    ),
    "assemble": KindFacts(
        format=1, state="preparing", doing="putting encoders and untrained projectors around the base model",
        column=0, cores="all", gpus=0, names=("assemble",),
    ),
    "data": KindFacts(
        format=6, state="preparing", doing="reading, splitting and tokenising the stage's data",
        column=1, cores="by data", gpus=0, names=("data",),
    ),
    "speech": KindFacts(
        format=1, state="preparing", doing="finding where words begin in the sounds, and coding these",
        column=1, cores="all", gpus=1, names=("speech",),
    ),
    "reward": KindFacts(
        format=2, state="starting", doing="training a reward model, and trying it on held-out pairs",
        column=1, cores="all", gpus=1, names=("reward",),
    ),
    "pairs": KindFacts(
        format=2, state="preparing", doing="making pairs of the model's own answers",
        column=2, cores="all", gpus=1, names=("pairs",),
    ),
    "train": KindFacts(
        format=3, state="starting", doing="training the stage",
        column=2, cores="all", gpus=1, names=("train",),
    ),
    "evaluate": KindFacts(
        format=2, state="evaluating", doing="asking the held-out questions",
        column=3, cores="all", gpus=1, names=("evaluate",),
    ),
    "merge": KindFacts(
        format=2, state="merging",
        doing="merging the stages into one model, and checking that it computes the same",
        column=4, cores="all", gpus=1, names=("merge", "merged"),
    ),
    "feature": KindFacts(
        format=1, state="evaluating", doing="trying what the merged model does at run time",
        column=4, cores="all", gpus=1, names=("feature",),
    ),
    "report": KindFacts(
        format=1, state="reporting", doing="writing the report",
        column=4, cores="one", gpus=0, names=("report",),
    ),
}  # fmt: skip

if set(get_args(Kind)) != KINDS.keys():
    raise TypeError(
        f"manus/kinds.py: Kind and KINDS differ in {', '.join(set(get_args(Kind)) ^ KINDS.keys())}"
    )

COLUMNS = 1 + max(facts.column for facts in KINDS.values())
# A stage is a target for Snakemake and a folder beside others: it cannot have the name of a rule or of a
# kind.
RESERVED_NAMES = frozenset(
    ["all", "shown", "plan", "export", *(name for one in KINDS.values() for name in one.names)]
)
