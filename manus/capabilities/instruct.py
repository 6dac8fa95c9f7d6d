"""Instruct: answer as your own rows answer.

Format taught: the conversation as it stands, whatever it is about: `messages`, ShareGPT's `conversations`,
Alpaca's `instruction`, `input` and `output`, questions with answers (docs/DATASETS.md). No answer need be
right or wrong, so the probe verifies none. It measures how well the held-out answers are foreseen, in nats
per token that the loss would count (the mean negative log-likelihood; less is better), and lets each model
answer some of the questions, to be read side by side with the row's own answer. A gain is in nats saved per
token, as for perplexity. Pairs of a better and a worse answer are measured by which is likelier, texts
(`cpt`) by their perplexity.
"""

from __future__ import annotations

from pydantic import Field

from manus.data.forms.messages import as_messages
from manus.data.forms.shown_functions import with_functions
from manus.data.sample import Row, Sample
from manus.scorers.metrics import ANSWER_NATS
from manus.scorers.score import Score
from manus.settings.frozen import Frozen

VERSION = 1
MODALITIES = ("text",)
SAMPLE_KINDS = ("messages", "preference", "text")
DEFAULT_DATA = {"hub": "HuggingFaceTB/smol-smoltalk", "split": "train"}
GENERATOR = None  # what is made by rule has right answers, and so another capability
METRIC = ANSWER_NATS


class Settings(Frozen):
    """Settings of the probe."""

    max_new_tokens: int = Field(
        256, gt=0, description="The longest answer that the probe lets the model give."
    )


def read(row: Row) -> Sample:
    """Return the conversation in a row, with its functions in the system turn.

    Raises:
        RowError: the row holds none, or calls functions that it does not show.
    """
    return with_functions(as_messages(row))


def can_score(sample: Sample) -> bool:
    """Return that no answer is told right from wrong."""
    return False


def score(sample: Sample, completion: str) -> Score:
    """Never asked, since no sample can be scored.

    Raises:
        AssertionError: it was asked.
    """
    raise AssertionError("instruct verifies no answer")
