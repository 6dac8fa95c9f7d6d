"""Questions about video: what moves where, what came first, how often.

Format taught: the clip where it stands in the question, and the answer as the row gives it, a word or a few.
Rows are conversations whose content has `video` parts (pictures too), or columns such as `video`, `question`
and `answer`, LLaVA's `<video>` marks, and clips with captions (docs/DATASETS.md). The probe compares the
answer as `vision-qa` does, by `level`. A level whose name begins with `order: ` cannot be answered from a bag
of frames: accuracy must fall there when the frames come in another order, and everywhere when they are
blanked or another clip's. Long answers and captions train but are not probed.
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
MODALITIES = ("text", "vision", "video")
SAMPLE_KINDS = ("messages", "preference", "prompt")
DEFAULT_DATA = {
    "hub": "lmms-lab/LLaVA-Video-178K",
    "subset": "0_30_s_academic_v0_1",
    "split": "open_ended",
    "archives": ["0_30_s_academic_v0_1/0_30_s_academic_v0_1_videos_1.tar.gz"],  # one of eight, 5.3 GB
}
GENERATOR = "moving-scenes"
METRIC = "accuracy"
NEEDS_ORDER = "order: "
ABLATIONS = {
    "question alone": "removed",
    "frames blanked": "blanked",
    "clip swapped": "swapped",
    "frames shuffled": "shuffled",
}
HURT_LEVELS = {"frames shuffled": NEEDS_ORDER}


class Settings(Frozen):
    """Settings of the probe."""

    max_new_tokens: int = Field(
        16, gt=0, description="The longest answer that the probe lets the model give."
    )


def read(row: Row) -> Sample:
    """Return a row as a question about a clip.

    Raises:
        RowError: the row holds none.
    """
    return with_short_answer(with_functions(as_media_messages(row)))


def can_score(sample: Sample) -> bool:
    """Return whether there is a clip and an answer to compare with."""
    return bool(sample.get("answer")) and has(sample, "video")


def score(sample: Sample, completion: str) -> Score:
    """Return whether the answer is right."""
    return short_answer.score(sample["answer"], spoken_part(completion))
