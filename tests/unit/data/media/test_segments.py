"""Rows about one long medium become samples of its parts, which are found by seeking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manus.data.forms.media import as_media_messages
from manus.data.media import video
from manus.data.media.files import MediaFiles
from manus.data.media.segments import rows_of_parts
from manus.data.prepared.samples import PreparedSamples
from manus.data.sample import RowError
from manus.files import read_jsonl
from tests.unit.data.media import corpus
from tests.unit.data.media.corpus import tone, wav
from tests.unit.data.preparation.test_media_intake import marked, prepared, source_of

SAID = [(0.0, 2.0, "one"), (2.0, 3.5, " two\nand more "), (3.5, 4.0, ""), (4.0, 9.0, "three")]
SEGMENTS = [{"id": n, "start": begin, "end": end, "text": text} for n, (begin, end, text) in enumerate(SAID)]


def spans(row: dict[str, Any], clip_seconds: float | None = None) -> list[tuple[float, float | None, str]]:
    made = rows_of_parts(row, clip_seconds)
    assert made is not None
    return [(one["start"], one.get("end"), as_media_messages(one)["messages"][-1]["content"]) for one in made]


TOLD = [(0.0, 2.0, "one"), (2.0, 3.5, "two and more"), (4.0, 9.0, "three")]


@pytest.mark.parametrize(
    "row",
    [
        {"audio": "a.mp3", "segments": SEGMENTS, "text": "one two and more three", "language": "en"},
        {"audio": "a.mp3", "chunks": [{"timestamp": [b, e], "text": text} for b, e, text in SAID]},
        {
            "video": "a.mkv",
            "timestamps": [[b, e] for b, e, _ in SAID],
            "sentences": [text for *_, text in SAID],
        },
        {
            "audio": "a.mp3",
            "segments": [
                {"start": f"00:00:0{b}", "end": f"0:0{e}".replace(".", ","), "text": t} for b, e, t in SAID
            ],
        },
    ],
)
def test_each_part_with_a_text_is_a_row(row: dict[str, Any]) -> None:
    assert spans(row) == TOLD


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ({"video": "a.mkv", "segments": SEGMENTS}, "Transcribe the speech."),
        ({"video": "a.mkv", "chunks": [{"timestamp": [0, 2], "text": "one"}]}, "Transcribe the speech."),
        ({"video": "a.mkv", "segments": [{"start": 0, "end": 2, "caption": "a fox"}]}, "Describe the video."),
        ({"video": "a.mkv", "timestamps": [[0, 2]], "sentences": ["a fox"]}, "Describe the video."),
        ({"audio": "a.mp3", "segments": SEGMENTS}, "Transcribe the speech."),
    ],
)
def test_what_is_said_in_a_video_is_not_what_is_seen(row: dict[str, Any], asked: str) -> None:
    for one in rows_of_parts(row, None) or [{}]:
        assert as_media_messages(one)["messages"][0]["content"].endswith(asked)


@pytest.mark.parametrize(
    ("seconds", "joined"),
    [
        (3.6, [(0.0, 3.5, "one two and more"), (4.0, 9.0, "three")]),
        (9.0, [(0.0, 9.0, "one two and more three")]),
        (1.0, TOLD),  # what is longer by itself stays
    ],
)
def test_parts_that_follow_each_other_are_joined(
    seconds: float, joined: list[tuple[float, float, str]]
) -> None:
    assert spans({"audio": "a.mp3", "segments": SEGMENTS}, seconds) == joined


def test_what_overlaps_or_has_no_end_is_not_joined() -> None:
    dense = {"video": "a.mkv", "timestamps": [[0, 8], [3, 5], [5, 6]], "sentences": ["all", "some", "rest"]}
    assert spans(dense, 60) == [(0.0, 8.0, "all"), (3.0, 6.0, "some rest")]
    open_end = {
        "audio": "a.mp3",
        "chunks": [{"timestamp": [0, 2], "text": "a"}, {"timestamp": [2, None], "text": "b"}],
    }
    assert spans(open_end, 60) == [(0.0, 2.0, "a"), (2.0, None, "b")]


@pytest.mark.parametrize(
    "row",
    [
        {"video": "a.mkv", "question": "What?", "answer": "that", "segments": SEGMENTS},
        {"audio": "a.mp3", "text": "all of it"},
        {"image": "a.png", "text": "a cat", "segments": [{"text": "a mask"}]},
        {"audio": "a.mp3", "text": "all of it", "segments": [{"start": 0, "end": 1, "speaker": "A"}]},
        {"text": "no medium", "segments": SEGMENTS},
    ],
)
def test_rows_with_one_answer_about_all_stay_as_they_are(row: dict[str, Any]) -> None:
    assert rows_of_parts(row, 30) is None


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            {"audio": "a.mp3", "segments": [{"start": "soon", "end": 2, "text": "a"}]},
            "part 1: begin .* 'soon'",
        ),
        (
            {"audio": "a.mp3", "segments": [{"start": 3, "end": 2, "text": "a"}]},
            "part 1 from 3.0 to 2.0 s is none",
        ),
        ({"audio": "a.mp3", "segments": [{"end": 2, "text": "a"}]}, "part 1 from None"),
        (
            {"audio": "a.mp3", "segments": [{"start": 0, "end": 2, "text": " "}]},
            "none of its parts has a text",
        ),
        ({"audio": ["a.mp3", "b.mp3"], "segments": SEGMENTS}, "one video or sound, and has 2 media"),
        ({"video": "a.mkv", "timestamps": [[0, 1]], "sentences": ["a", "b"]}, "1 timestamps for 2 sentences"),
    ],
)
def test_parts_that_are_none_are_told(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(RowError, match=reason):
        rows_of_parts(row, None)


def test_only_the_parts_are_decoded_by_seeking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frame n of ten minutes at one a second is grey 8 n; second n of sound is 200 + 10 n hertz."""
    corpus.video(tmp_path / "long.mkv", 600, 1)
    sound = np.concatenate([tone(1, hertz=200 + 10 * second) for second in range(60)])
    (tmp_path / "long.wav").write_bytes(wav(sound))
    seen = [
        {"start": begin, "end": begin + 3, "text": f"from {begin}"} for begin in (5, 111, 300, 590, 597, 601)
    ]
    heard = [{"start": begin, "end": begin + 1, "text": f"from {begin}"} for begin in (0, 7, 31, 59)]
    frames: list[int] = []
    decoded = video._decoded

    def counting(*given: Any) -> Any:
        for frame in decoded(*given):
            frames.append(1)
            yield frame

    monkeypatch.setattr(video, "_decoded", counting)
    rows = [{"video": "long.mkv", "segments": seen}, {"audio": "long.wav", "segments": heard}]
    told = prepared(tmp_path, source_of(tmp_path, rows), held_out=1, failure_budget=0.2)
    assert told["rows"] == 10 and told["quarantined"] == 1
    # One part is held out, and the others of that recording do not train.
    aside = told["left_aside"]["same recording as a held-out sample"]
    assert (told["train_samples"], aside) in ((4, 4), (5, 3))
    (refused,) = read_jsonl(tmp_path / "out" / "quarantine.jsonl")
    assert refused["reason"] == "video long.mkv: the part from 601 to 604 s of 600.00 s is none"
    out = tmp_path / "out"
    samples, files, words = PreparedSamples(out), MediaFiles(out), marked()
    assert told["media"]["video"]["files"] == told["media"]["audio"]["files"] == 1
    for place in range(len(samples)):
        (number,) = samples.media_of(place)
        begin = int(words.decode(samples[place]["ids"]).split("from ")[1].split("<")[0])
        if files.facts(number)["kind"] == "video":
            levels = files.frames(number, [0.0, 1.0, 2.0]).mean((1, 2, 3)) / 8
            assert levels.round().tolist() == [(begin + n) % 32 for n in range(3)]
        else:
            spectrum = np.abs(np.fft.rfft(files.audio(number)))
            assert abs(spectrum.argmax() - (200 + 10 * begin)) <= 1
    assert sum(frames) < 200  # of 600, for five parts that are checked and read; key frames come every ten
