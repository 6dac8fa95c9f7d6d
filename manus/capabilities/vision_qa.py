"""Questions about pictures.

Format taught: the pictures where they stand in the question, and the answer as the row gives it, a word or a
few. Rows are conversations whose content has `image` parts, or columns such as `image`, `question` and
`answer`, the Cauldron's `images` and `texts`, LLaVA's `<image>` marks, and pictures with captions
(docs/DATASETS.md). Rows without a picture are text to train on. The probe compares the answer after
normalisation (case, articles, final dot, numbers in words; the first word for yes and no), by `level`, the
kind of question where rows have one. Long answers and captions train but are not probed. Accuracy must fall
when the picture is blanked or is another question's.
"""

from __future__ import annotations

from pydantic import Field

from manus.capabilities._senses import has, with_short_answer
from manus.data.forms.media import as_media_messages
from manus.data.forms.shown_functions import with_functions
from manus.data.forms.thought_format import spoken_part
from manus.data.sample import Row, Sample
from manus.scorers import short_answer
from manus.scorers.score import Score
from manus.settings.frozen import Frozen

VERSION = 1
MODALITIES = ("text", "vision")
SAMPLE_KINDS = ("messages", "preference", "prompt")
DEFAULT_DATA = {"hub": "HuggingFaceM4/the_cauldron", "subset": "vqav2", "split": "train"}
GENERATOR = "scenes"
METRIC = "accuracy"
ABLATIONS = {"question alone": "removed", "picture blanked": "blanked", "picture swapped": "swapped"}


class Settings(Frozen):
    """Settings of the probe."""

    max_new_tokens: int = Field(
        16, gt=0, description="The longest answer that the probe lets the model give."
    )


def read(row: Row) -> Sample:
    """Return a row as a question about pictures.

    Raises:
        RowError: the row holds none.
    """
    return with_short_answer(with_functions(as_media_messages(row)))


def can_score(sample: Sample) -> bool:
    """Return whether there is a picture and an answer to compare with."""
    return bool(sample.get("answer")) and has(sample, "image")


def score(sample: Sample, completion: str) -> Score:
    """Return whether the answer is right."""
    return short_answer.score(sample["answer"], spoken_part(completion))
