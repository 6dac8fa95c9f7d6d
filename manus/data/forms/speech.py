"""Reads rows of transcribed speech as something to say: who says what, and how it sounds. Opens no medium.

It is what hearing reads, with the roles turned: the transcript is asked for, and the sound is the answer.
"""

from __future__ import annotations

from typing import cast

from manus.data.forms.captions import ASKED_OF
from manus.data.forms.columns import Columns, is_empty
from manus.data.forms.media import as_media_messages
from manus.data.sample import PLACEHOLDERS, Row, RowError, Sample

SPEAKERS = ("speaker", "voice", "speaker_name", "speaker_id", "client_id")
ANYBODY = "voice"  # where the rows name no speaker, as in recordings of one person


def as_speech(row: Row) -> Sample:
    """Return a row as a text and the sound of a speaker who says it; `level` is the speaker.

    Raises:
        RowError: it has not one sound, or does not give word for word what is said in it.
    """
    row = Columns.of(row)
    column = next((name for name in SPEAKERS if not is_empty(row.get(name))), None)
    speaker = ANYBODY if column is None else " ".join(str(row.take(column)).split())
    sample = as_media_messages(row)
    media = sample.get("media", [])
    if [medium["kind"] for medium in media] != ["audio"]:
        raise RowError(f"a text to be said needs one sound of it, and the row has {len(media)} media")
    turns = sample["messages"]
    asked = turns[-2]["content"].replace(PLACEHOLDERS["audio"], "").strip()
    if asked != ASKED_OF["audio"] or [turn["role"] for turn in turns[-2:]] != ["user", "assistant"]:
        raise RowError(
            f"it asks {asked!r} about its sound, and does not give what is said: "
            "give the transcript in a column such as 'text'"
        )
    said = " ".join(turns[-1]["content"].split())
    if not any(map(str.isalnum, said)):
        raise RowError(f"its transcript {said!r} has no word that could be said")
    spoken = [{"role": "user", "content": said}, {"role": "assistant", "content": PLACEHOLDERS["audio"]}]
    return cast(
        Sample, {"messages": spoken, "media": media, "answer": said, "speaker": speaker, "level": speaker}
    )
