"""Hearing: write down what is said, and answer what is asked aloud.

Format taught: the sound where it stands in the question, and the answer as the row gives it: a transcript, or
a word or a few. Rows are conversations whose content has `audio` parts, or columns such as `audio` and `text`
(a transcript) and `audio`, `question` and `answer` (docs/DATASETS.md). The probe compares a short answer as
`vision-qa` does; an answer of more words is a transcript, right when its word error rate (part `wer`) is at
most `most_word_errors`. Accuracy must fall when the sound is silenced or is another question's.
"""

from __future__ import annotations

from pydantic import Field

from manus.capabilities._senses import has
from manus.data.forms.media import as_media_messages
from manus.data.forms.shown_functions import with_functions
from manus.data.forms.thought_format import spoken_part
from manus.data.sample import Row, Sample
from manus.scorers import short_answer, word_errors
from manus.scorers.plain_words import words
from manus.scorers.score import Score
from manus.settings.frozen import Frozen

VERSION = 1
MODALITIES = ("text", "audio_in")
SAMPLE_KINDS = ("messages", "preference", "prompt")
DEFAULT_DATA = {"hub": "openslr/librispeech_asr", "subset": "clean", "split": "train.100"}
GENERATOR = "spoken"
METRIC = "accuracy"
ABLATIONS = {"question alone": "removed", "sound silenced": "silenced", "sound swapped": "swapped"}
LONGEST_SHORT_ANSWER_WORDS = 2


class Settings(Frozen):
    """Settings of the probe."""

    max_new_tokens: int = Field(
        64, gt=0, description="The longest answer that the probe lets the model give."
    )
    most_word_errors: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="A transcript is right up to this word error rate; its mean is the part `wer`.",
    )


def read(row: Row) -> Sample:
    """Return a row as a question about a sound.

    Raises:
        RowError: the row holds none.
    """
    sample = with_functions(as_media_messages(row))
    answer = sample.get("answer") or sample["messages"][-1]["content"]
    return {**sample, "answer": answer} if has(sample, "audio") and words(answer) else sample


def can_score(sample: Sample) -> bool:
    """Return whether there is a sound and an answer to compare with."""
    return bool(sample.get("answer")) and has(sample, "audio")


def score(sample: Sample, completion: str, settings: Settings | None = None) -> Score:
    """Return whether the answer, or the transcript, is right."""
    said = spoken_part(completion)
    if len(words(sample["answer"])) <= LONGEST_SHORT_ANSWER_WORDS:
        return short_answer.score(sample["answer"], said)
    return word_errors.score(sample["answer"], said, (settings or Settings()).most_word_errors)
