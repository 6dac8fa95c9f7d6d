"""Rows of transcribed speech become texts to be said; what is not one sound with its words is refused."""

import pytest

from manus.data.forms.columns import Columns
from manus.data.forms.speech import as_speech
from manus.data.sample import RowError

SOUND = {"bytes": b"RIFF"}


@pytest.mark.parametrize(
    ("row", "said", "speaker"),
    [
        ({"audio": SOUND, "text": "Good  morning.", "speaker": "ann"}, "Good morning.", "ann"),
        ({"audio": SOUND, "text_normalized": "Good morning.", "speaker_id": 1034}, "Good morning.", "1034"),
        ({"audio": SOUND, "sentence": "Guten Morgen.", "client_id": "x"}, "Guten Morgen.", "x"),
        ({"audio": SOUND, "transcription": "GOOD MORNING"}, "good morning", "voice"),
    ],
)
def test_a_transcript_is_what_is_said(row, said, speaker):
    row = Columns.of(row)
    sample = as_speech(row)
    assert sample["messages"] == [
        {"role": "user", "content": said},
        {"role": "assistant", "content": "<|audio|>"},
    ]
    assert (sample["answer"], sample["speaker"], sample["level"]) == (said, speaker, speaker)
    assert [medium["kind"] for medium in sample["media"]] == ["audio"]
    assert row.unread(sample) == []


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"audio": SOUND, "question": "Who speaks?", "answer": "Ann"}, "does not give what is said"),
        ({"text": "Good morning.", "speaker": "ann"}, "no known shape"),
        ({"question": "Good morning?", "answer": "Yes.", "speaker": "ann"}, "needs one sound"),
        ({"audio": SOUND, "text": "...", "speaker": "ann"}, "no word that could be said"),
        ({"image": SOUND, "text": "A cat."}, "needs one sound"),
    ],
)
def test_what_cannot_be_said_is_refused(row, words):
    with pytest.raises(RowError, match=words):
        as_speech(row)
