"""Podcast: speak, in the voices of the rows, and write what hosts say.

Format taught: by `method: alignment`, a text and how a speaker says it, in the shapes that `hearing` reads,
with the roles turned: columns such as `audio` and `text` (the transcript) and `speaker` (docs/DATASETS.md). A
talker of its own learns that; the language model stays as it is. By `method: lora` or `sft`, conversations in
which the assistant writes a host's next turn.

The probe has the held-out sentences said and read back by a speech recogniser: a sentence is understood when
its word error rate (part `wer`) is at most `most_word_errors`. It must fall when the text is cut off or is
another sentence's. Scripts are measured by how well their turns are foreseen.
"""

from __future__ import annotations

from pydantic import Field

from manus.data.forms.messages import as_messages
from manus.data.forms.shown_functions import with_functions
from manus.data.sample import Row, Sample
from manus.models.speech.settings import VoiceSettings
from manus.scorers import word_errors
from manus.scorers.score import Score
from manus.settings.frozen import Frozen

VERSION = 1
MODALITIES = ("text",)  # it brings its own voice
SAMPLE_KINDS = ("speech", "messages")
DEFAULT_DATA = {"hub": "mythicinfinity/libritts_r", "subset": "clean", "split": "train.clean.100"}
GENERATOR = "read-aloud"
METRIC = "understood"
DEFAULT_METHOD = "alignment"
Voice = VoiceSettings


class Settings(Frozen):
    """Settings of the probe."""

    max_new_tokens: int = Field(256, gt=0, description="The longest turn of a script that is written.")
    most_word_errors: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="A sentence is understood up to this word error rate; its mean is the part `wer`.",
    )


def read(row: Row) -> Sample:
    """Return a row of a script as a conversation.

    Raises:
        RowError: it is none.
    """
    return with_functions(as_messages(row))


def can_score(sample: Sample) -> bool:
    """Return whether the sample is something to say, which can be read back."""
    return "speaker" in sample


def score(sample: Sample, completion: str, settings: Settings | None = None) -> Score:
    """Return whether what was read back is what was to be said."""
    return word_errors.score(sample["answer"], completion, (settings or Settings()).most_word_errors)
