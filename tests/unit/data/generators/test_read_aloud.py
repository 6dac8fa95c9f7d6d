"""Sentences read aloud: both sides share words and voices, never a sentence; rows are what the stage reads."""

import io
import wave

from manus.data.forms.speech import as_speech
from manus.data.generators import read_aloud


def made(held_out, count=24, seed=0, **options):
    return list(read_aloud.rows(count, seed, held_out, read_aloud.Settings(**options)))


def test_rows_are_spoken_by_the_voices_in_turn_and_the_same_again():
    rows = made(True, 6)
    assert [row["speaker"] for row in rows] == ["heart", "joe"] * 3 and rows == made(True, 6)
    for row in rows:
        with wave.open(io.BytesIO(row["audio"]["bytes"])) as file:
            assert file.getframerate() == 16_000 and file.getnframes() > 8_000
        assert as_speech(row)["answer"] == row["text"]


def test_no_sentence_stands_on_both_sides(monkeypatch):
    monkeypatch.setattr(read_aloud, "spoken", lambda *_: b"")
    sides = [[row["text"] for row in made(held_out, 300)] for held_out in (False, True)]
    assert not set(sides[0]) & set(sides[1]) and all(len(set(side)) == 300 for side in sides)
    words = [{word for text in side for word in text.lower().split()} for side in sides]
    assert words[1] <= words[0], "held-out sentences have no word that training lacks"
    assert 0.15 < sum(text.startswith("What is") for text in sides[0]) / 300 < 0.35
