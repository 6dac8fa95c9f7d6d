"""Says what each stage's held-out samples are measured by, before a run: from the recipe and a few rows.

Knows nothing of models; what is held out decides in the end, and the data job says so.
"""

from __future__ import annotations

from manus.data.sample import RowError
from manus.data.sources.first_rows import first_rows
from manus.recipe.recipe import CAPABILITIES, Recipe, Stage
from manus.scorers.metrics import ANSWER_NATS, PERPLEXITY

ROWS_LOOKED_AT = 50


def measure_of(recipe: Recipe, stage: Stage) -> str:
    """Return what measures a stage, and why where that is not its capability's own probe.

    Raises:
        DataError: a file cannot be read.
    """
    capability = CAPABILITIES[stage.capability]
    own = str(capability.METRIC).replace("_", " ")
    if stage.data_kind == "text":
        return f"{PERPLEXITY} of held-out texts"
    if stage.data_kind == "preference":
        likelier = "how often the better of two held-out answers is the likelier"
        return (
            likelier if capability.METRIC == ANSWER_NATS else f"{own}; {likelier}, where none can be verified"
        )
    if capability.METRIC == ANSWER_NATS:
        return f"held-out {own}: no answer is verified"
    if stage.data_kind == "messages" and capability.PROBE == "answers":
        looked_at = _conversations(recipe, stage)
        if looked_at and not any(looked_at):
            return (
                f"held-out {ANSWER_NATS.replace('_', ' ')}: of the {len(looked_at)} rows looked at none has "
                f"an answer that the {stage.capability} probe can verify"
            )
    return own


def _conversations(recipe: Recipe, stage: Stage) -> list[bool]:
    """Return for the first rows of a stage that can be read whether their answers can be verified.

    Empty where a source is no file: what is made by rule, or published for the capability, has such answers.
    """
    if any(source.path is None for source in stage.sources):
        return []
    capability, found = CAPABILITIES[stage.capability], []
    for source in stage.sources:
        for _, row in first_rows(source, recipe.path.parent, ROWS_LOOKED_AT):
            if isinstance(row, dict):
                try:
                    found.append(bool(capability.can_score(capability.read(row))))
                except RowError:
                    continue  # the data job puts it into the quarantine
    return found
