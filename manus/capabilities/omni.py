"""Omni: gives a language model senses, by aligning encoders with what it knows.

Format taught: a medium and what it shows or says, that is captions and transcripts, in the shapes that
`vision-qa`, `video-understanding` and `hearing` read. The stage `omni` builds the checkpoint with vision,
video and sound from a base that lacks them and trains the projectors alone. The probe is a retrieval: of
eight captions, the medium's own and seven others' of its kind, the likeliest must be its own (chance is one
in eight), which no text alone can tell. Questions train too but are not probed: many share their answers.
"""

from __future__ import annotations

from pydantic import Field

from manus.data.forms.media import as_media_messages
from manus.data.forms.shown_functions import with_functions
from manus.data.sample import PLACEHOLDERS, Row, Sample
from manus.models.senses.settings import SensesSettings
from manus.scorers import short_answer
from manus.scorers.score import Score
from manus.settings.frozen import Frozen

VERSION = 2
MODALITIES = ("text",)
SAMPLE_KINDS = ("messages",)
DEFAULT_DATA = {"hub": "lmms-lab/LLaVA-ReCap-558K", "split": "train"}
GENERATOR = "emoji"
METRIC = "retrieval_accuracy"
PROBE = "retrieval"
DEFAULT_METHOD = "alignment"
ONLY_METHODS = ("alignment",)
Senses = SensesSettings
ABLATIONS = {"medium swapped": "swapped", "picture blanked": "blanked", "sound silenced": "silenced"}
HURT_LEVELS = {"picture blanked": "image", "sound silenced": "audio"}
DESCRIBED = ("caption", "transcript")


class Settings(Frozen):
    """Settings of the probe."""

    max_new_tokens: int = Field(64, gt=0, description="The longest caption that is compared, in tokens.")
    candidates: int = Field(8, ge=2, le=64, description="How many captions a medium's own is found among.")


def read(row: Row) -> Sample:
    """Return a row as a medium and what it shows or says.

    Raises:
        RowError: the row holds none.
    """
    sample = with_functions(as_media_messages(row))
    return {**sample, "answer": sample["messages"][-1]["content"]} if sample.get("media") else sample


def can_score(sample: Sample) -> bool:
    """Return whether a sample describes one medium; a sound may be heard in pieces, side by side."""
    return _is_of_one(sample) and sample.get("level", DESCRIBED[0]) in DESCRIBED


def _is_of_one(sample: Sample) -> bool:
    kinds = [medium["kind"] for medium in sample.get("media", [])]
    if set(kinds) != {"audio"}:
        return len(kinds) == 1
    pieces = PLACEHOLDERS["audio"] * len(kinds)
    return any(pieces in message["content"] for message in sample["messages"])


def score(sample: Sample, completion: str) -> Score:
    """Return whether the completion is the caption itself, word for word."""
    return short_answer.score(sample["answer"], completion)
