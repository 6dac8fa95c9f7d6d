"""Rows with media become prepared data: expanded, split by what is seen, read by number, always the same."""

from __future__ import annotations

import csv
import http.server
import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet
from rich.console import Console

from manus.cli.data_view import facts
from manus.data.examination import examine
from manus.data.forms.media import as_media_messages
from manus.data.media.files import MediaFiles
from manus.data.media.store import MediaWriter
from manus.data.preparation.choosing import prepare
from manus.data.preparation.leaks import leaks
from manus.data.prepared.samples import PROMPTS, PreparedSamples, open_samples, read_arrow, read_held_out
from manus.data.sample import PLACEHOLDERS, RowError
from manus.data.sample_digests import content_digest, prompt_digest
from manus.data.settings import DataSettings, Source
from manus.data.sources import hub
from manus.data.sources import named_media as identity
from manus.data.sources.files import data_files
from manus.data.sources.named_media import media_identity
from manus.errors import DataError
from manus.files import read_jsonl
from manus.guards.workers import side_by_side
from manus.store.digests import Digests
from tests.pico import rows, tokenizer, write_rows
from tests.unit.data.media import corpus
from tests.unit.data.media.corpus import encoded, noise, tone, wav


@dataclass
class FakeLayout:
    """A picture takes a token for each 100 pixels, a video one a second, sound one each half second."""

    senses: frozenset[str] = frozenset(PLACEHOLDERS)
    longest_audio_seconds: float = 2.0

    def frame_times(self, seconds: float) -> list[float]:
        return [float(second) for second in range(max(1, int(seconds)))]

    def expanded(self, text: str, facts: Sequence[Any]) -> str:
        for medium in facts:
            token = PLACEHOLDERS[medium["kind"]]
            if medium["kind"] == "image":
                count = medium["width"] * medium["height"] // 100
            else:
                count = int(medium["seconds"] * (1 if medium["kind"] == "video" else 2))
            text = text.replace(token, "\0" * count, 1)
            text = text.replace("\0", token.replace("|", "\1")) if count else text
        return text.replace("\1", "|")


def marked() -> Any:
    found = tokenizer()
    found.add_special_tokens({"additional_special_tokens": list(PLACEHOLDERS.values())})
    return found


LAYOUT = FakeLayout()


def prepared(
    folder: Path,
    source: Source,
    layout: Any = LAYOUT,
    kind: Any = "messages",
    read: Any = as_media_messages,
    **settings: Any,
) -> dict[str, Any]:
    out = folder / "out"
    out.mkdir(parents=True)
    chosen = DataSettings(**({"held_out": 5, "max_length": 128} | settings))
    return prepare([source], chosen, read, kind, marked(), folder, 0, out, folder / "work", layout)


def pictures(folder: Path, count: int, side: int = 20) -> list[dict[str, Any]]:
    (folder / "seen").mkdir(parents=True, exist_ok=True)
    for n in range(count):
        noise(side, side, n).save(folder / "seen" / f"{n}.png")
    return [{"image": f"seen/{n}.png", "question": "Which one?", "answer": str(n)} for n in range(count)]


def answer_in(sample: dict[str, Any]) -> int:
    """Return the number that a sample teaches to say."""
    return int(marked().decode(sample["ids"][sample["is_learned"]]).split("<|im_end|>")[0])


def source_of(folder: Path, data: list[dict[str, Any]]) -> Source:
    return Source(path=str(write_rows(folder / "data.jsonl", data)))


def test_pictures_become_expanded_tokens_and_numbers(tmp_path: Path) -> None:
    told = prepared(tmp_path, source_of(tmp_path, pictures(tmp_path, 30)))
    out = tmp_path / "out"
    samples, files, words = PreparedSamples(out), MediaFiles(out), marked()
    image_id = words.convert_tokens_to_ids(PLACEHOLDERS["image"])
    assert told["train_samples"] == len(samples) == 25
    for place in range(25):
        (number,) = samples.media_of(place)
        ids = samples[place]["ids"]
        assert (ids == image_id).sum() == 4
        assert np.array_equal(files.image(number), noise(20, 20, answer_in(samples[place])))
    for sample in read_held_out(out):
        (medium,) = sample["media"]
        assert np.array_equal(files.image(medium["number"]), noise(20, 20, int(sample["answer"])))
        assert sample["messages"][0]["content"] == "<|image|>\nWhich one?"
    assert told["media"]["image"] == {
        "count": 30,
        "files": 30,
        "bytes": sum(p.stat().st_size for p in (tmp_path / "seen").iterdir()),
        "width": {"0": 20, "50": 20, "100": 20},
        "height": {"0": 20, "50": 20, "100": 20},
    }
    assert leaks(out) == 0 and files.name(3) == "image seen/3.png"


FORGETS_THOUGHTS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{{ m['content'] if loop.last else m['content'].split('</think>')[-1] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.mark.parametrize("index_above_bytes", [10**9, 0], ids=["in memory", "in shards"])
def test_turns_that_are_learned_apart_have_the_media_up_to_them(
    index_above_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = marked()
    words.chat_template = FORGETS_THOUGHTS
    monkeypatch.setitem(globals(), "marked", lambda: words)
    data = []
    for n, row in enumerate(pictures(tmp_path, 24, side=20)):
        images = [row["image"], f"seen/{(n + 1) % 24}.png"]
        said = [f"<think>hm</think>first {n}", f"<think>so</think>second {n}"]
        turns = [
            {"role": r, "content": c}
            for r, c in zip(
                ("user", "assistant") * 2, ("<image> one?", said[0], "<image> two?", said[1]), strict=True
            )
        ]
        data.append({"messages": turns, "images": images})
    prepared(
        tmp_path, source_of(tmp_path, data), index_above_bytes=index_above_bytes, held_out=4, max_length=256
    )
    samples, files = open_samples(tmp_path / "out"), MediaFiles(tmp_path / "out")
    assert len(samples) == 2 * 20
    image_id = words.convert_tokens_to_ids(PLACEHOLDERS["image"])
    seen = Counter[str]()
    for place in range(len(samples)):
        ids, is_learned = samples[place]["ids"], samples[place]["is_learned"]
        said = words.decode(ids[is_learned])
        which, number = said.removesuffix("<|im_end|>\n").rpartition(">")[2].split()
        assert said == f"<think>{'hm' if which == 'first' else 'so'}</think>{which} {number}<|im_end|>\n"
        shown = [int(number), (int(number) + 1) % 24][: 1 if which == "first" else 2]
        media = samples.media_of(place)
        assert (ids == image_id).sum() == 4 * len(media) == 4 * len(shown)
        for one, n in zip(media, shown, strict=True):
            assert np.array_equal(files.image(one), noise(20, 20, n))
        seen[which] += 1
    assert seen == {"first": 20, "second": 20}


def test_twice_the_same_bytes(tmp_path: Path) -> None:
    film = corpus.video(tmp_path / "v.mp4")  # once: an encoder with threads need not write the same twice
    for name in ("a", "b"):
        data = pictures(tmp_path / name, 30)
        data += [{"audio": "t.wav", "text": "hm"}, {"video": "v.mp4", "caption": "it gets lighter"}]
        (tmp_path / name / "v.mp4").write_bytes(film)
        (tmp_path / name / "t.wav").write_bytes(wav(tone(5)))
        prepared(tmp_path / name, source_of(tmp_path / name, data), sample_size=20)
    a, b = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "out").iterdir()} for name in ("a", "b")
    )
    assert a == b and len(a) > 10


@pytest.mark.parametrize("at_once", [7, 1000])
def test_media_that_are_checked_side_by_side_make_the_same_files(
    at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[int] = []

    def counted(tasks: Any, work: Any, count: int, *rest: Any) -> Any:
        checked.append(count)
        return side_by_side(tasks, work, count, *rest)

    monkeypatch.setattr("manus.data.media.checking.FILES_FOR_A_PROCESS", 2)
    monkeypatch.setattr("manus.data.media.checking.side_by_side", counted)
    for name, processes in (("one", 1), ("three", 3)):
        data = pictures(tmp_path / name, 40)
        for n in (3, 17, 18):
            (tmp_path / name / "seen" / f"{n}.png").write_bytes(b"no picture")
        (tmp_path / name / "seen" / "20.png").unlink()
        data += [
            {"image": "seen/5.png", "question": "Again?", "answer": "5"},
            {"question": "No media?", "answer": "no"},
        ]
        data += [
            {"video": "v.mp4", "caption": f"part {n}", "start": n / 2, "end": n / 2 + 1} for n in range(7)
        ]
        data += [{"audio": "t.wav", "text": "hm"}]
        corpus.video(tmp_path / name / "v.mp4")
        (tmp_path / name / "t.wav").write_bytes(wav(tone(5)))
        monkeypatch.setattr("manus.data.media.checking.processors", lambda processes=processes: processes)
        monkeypatch.setattr("manus.data.preparation.media_intake.ROWS_AT_ONCE", at_once)
        told = prepared(tmp_path / name, source_of(tmp_path / name, data), failure_budget=0.2)
        assert told["quarantined"] == 5 and told["rows"] == 50  # one part of the video begins where it ends
    a, b = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "out").iterdir()}
        for name in ("one", "three")
    )
    assert a == b and len(a) > 10
    assert checked and max(checked) == 3


def test_only_what_is_used_is_kept(tmp_path: Path) -> None:
    prepared(tmp_path, source_of(tmp_path, pictures(tmp_path, 60)), sample_size=10)
    files, samples = MediaFiles(tmp_path / "out"), PreparedSamples(tmp_path / "out")
    assert len(files) == 15
    numbers = [samples.media_of(place)[0] for place in range(10)]
    numbers += [sample["media"][0]["number"] for sample in read_held_out(tmp_path / "out")]
    assert sorted(numbers) == list(range(15))


def test_the_same_question_about_two_pictures_is_two_prompts_and_about_one_is_one(tmp_path: Path) -> None:
    data = pictures(tmp_path, 10)
    (tmp_path / "seen" / "copy.png").write_bytes((tmp_path / "seen" / "0.png").read_bytes())
    data.append({"image": "seen/copy.png", "question": "Which one?", "answer": "another answer"})
    writer = MediaWriter(tmp_path)
    samples = [as_media_messages(row) for row in data]
    for sample in samples:
        sample["media"] = [one for medium in sample["media"] for one in writer.add(medium, tmp_path)]
    writer.close()
    assert len({prompt_digest(sample) for sample in samples}) == 10
    assert prompt_digest(samples[0]) == prompt_digest(samples[10])
    assert len({content_digest(sample) for sample in samples}) == 11
    assert samples[0]["media"][0]["number"] == samples[10]["media"][0]["number"]
    # The number is where a medium is kept, not what it is.
    moved = {**samples[0], "media": [{**samples[0]["media"][0], "number": 99}]}
    assert content_digest(moved) == content_digest(samples[0])  # type: ignore[arg-type]


def test_a_picture_that_is_asked_about_twice_stays_on_one_side(tmp_path: Path) -> None:
    data = pictures(tmp_path, 12)
    data += [{**row, "answer": f"also {row['answer']}"} for row in data]
    told = prepared(tmp_path, source_of(tmp_path, data))
    assert leaks(tmp_path / "out") == 0
    assert told["left_aside"]["same prompt as a held-out sample"] > 0


def test_max_length_counts_what_a_picture_takes(tmp_path: Path) -> None:
    data = [*pictures(tmp_path, 30), {"image": "large.png", "question": "Which one?", "answer": "large"}]
    noise(200, 200).save(tmp_path / "large.png")
    for too_long in ("drop", "truncate"):
        told = prepared(tmp_path / too_long, source_of(tmp_path, data), held_out=1, too_long=too_long)
        # Half a picture is none: it is not cut either.
        assert told["left_aside"] == {"longer than max_length": 1} or told["train_samples"] == 30
        assert PreparedSamples(tmp_path / too_long / "out").lengths.max() < 50


def test_broken_media_are_kept_apart_with_names(tmp_path: Path) -> None:
    data = [
        *pictures(tmp_path, 30),
        {"image": "torn.png", **BYTES},
        {"image": {"bytes": b"\xff" * 9, "path": None}, **BYTES},
    ]
    (tmp_path / "torn.png").write_bytes(encoded(noise(9, 9), "PNG")[:100])
    source = Source(path=str(tmp_path / "rows.parquet"))
    table = [
        {
            "image": row["image"]
            if isinstance(row["image"], dict)
            else {"bytes": None, "path": row["image"]},
            "question": row["question"],
            "answer": row["answer"],
        }
        for row in data
    ]
    parquet.write_table(pyarrow.Table.from_pylist(table), tmp_path / "rows.parquet")
    told = prepared(tmp_path, source, failure_budget=0.1)
    quarantined = list(read_jsonl(tmp_path / "out" / "quarantine.jsonl"))
    assert told["quarantined"] == 2
    assert "image torn.png" in quarantined[0]["reason"] and quarantined[0]["place"] == "rows.parquet row 31"
    assert (
        quarantined[1]["row"]["image"]["bytes"] == "(9 bytes)"
        and "image of 9 bytes" in quarantined[1]["reason"]
    )
    with pytest.raises(DataError, match=r"image torn.png: the picture cannot be decoded"):
        prepared(tmp_path / "strict", source)


BYTES = {"question": "Which one?", "answer": "none"}


def test_long_sound_becomes_pieces_that_follow_each_other(tmp_path: Path) -> None:
    waves = tone(5, hertz=300) * np.linspace(0.2, 1, 80_000)
    (tmp_path / "long.wav").write_bytes(wav(waves))
    data = [*pictures(tmp_path, 10), {"audio": "long.wav", "text": "a rising tone"}]
    prepared(tmp_path, source_of(tmp_path, data), held_out=1)
    samples, files, words = PreparedSamples(tmp_path / "out"), MediaFiles(tmp_path / "out"), marked()
    audio_id = words.convert_tokens_to_ids(PLACEHOLDERS["audio"])
    place = next(n for n in range(len(samples)) if audio_id in samples[n]["ids"])
    numbers = samples.media_of(place)
    assert [files.facts(number)["seconds"] for number in numbers] == [2.0, 2.0, 1.0]
    assert (samples[place]["ids"] == audio_id).sum() == 10
    pieces = np.concatenate([files.audio(number) for number in numbers])
    assert np.abs(pieces - waves).max() < 1e-3
    assert (tmp_path / "out" / "media.bin").stat().st_size < 200_000  # kept once


@pytest.mark.parametrize("ending", ["mp3", "m4a", "ogg", "flac"])
def test_pieces_of_compressed_sound_are_those_of_the_whole(ending: str, tmp_path: Path) -> None:
    codec = {"mp3": "libmp3lame", "m4a": "aac", "ogg": "libopus", "flac": "flac"}[ending]
    sweep = 0.5 * np.sin(2 * np.pi * np.cumsum(np.linspace(100, 2000, 112_000)) / 16_000)
    corpus.compressed(tmp_path / f"a.{ending}", codec, sweep)
    writer = MediaWriter(tmp_path, FakeLayout())
    pieces = writer.add({"kind": "audio", "file": f"a.{ending}"}, tmp_path)
    (tmp_path / "whole").mkdir()
    whole = MediaWriter(tmp_path / "whole", FakeLayout(longest_audio_seconds=100))
    whole.add({"kind": "audio", "file": f"a.{ending}"}, tmp_path)
    writer.finish(), whole.finish()
    expected = MediaFiles(tmp_path / "whole").audio(0)
    found = np.concatenate([MediaFiles(tmp_path).audio(n) for n in range(len(pieces))])
    assert len(pieces) == 4 and len(found) == len(expected)
    # A seek lands on the sample, or the sweep would have another pitch there.
    assert np.corrcoef(found, expected)[0, 1] > 0.99


def test_parts_of_a_video_are_media_of_their_own(tmp_path: Path) -> None:
    corpus.video(tmp_path / "v.mp4")
    writer = MediaWriter(tmp_path)
    first, second = (
        writer.add({"kind": "video", "file": "v.mp4", "begin": begin, "end": begin + 1}, tmp_path)[0]
        for begin in (0.0, 2.0)
    )
    with pytest.raises(RowError, match=r"v.mp4: the part from 5 to 6 s of 3.00 s is none"):
        writer.add({"kind": "video", "file": "v.mp4", "begin": 5.0, "end": 6.0}, tmp_path)
    writer.finish()
    files = MediaFiles(tmp_path)
    assert first["digest"] != second["digest"] and second["seconds"] == 1.0
    assert round(float(files.frames(second["number"], [0.55]).mean()) / 8) == 25


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_folder_of_media_with_metadata(form: str, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    table = [{"file_name": f"seen/{n}.png", "text": f"number {n}"} for n in range(30)]
    pictures(folder, 30)
    (folder / "README.md").write_text("A text that is none of the rows.")
    if form == "jsonl":
        write_rows(folder / "metadata.jsonl", table)  # type: ignore[arg-type]
    elif form == "csv":
        with (folder / "metadata.csv").open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["file_name", "text"])
            writer.writeheader()
            writer.writerows(table)
    else:
        parquet.write_table(pyarrow.Table.from_pylist(table), folder / "metadata.parquet")
    source = Source(path=str(folder))
    assert [file.name for file in data_files(source, tmp_path)] == [f"metadata.{form}"]
    assert prepared(tmp_path, source)["rows"] == 30
    assert len(MediaFiles(tmp_path / "out")) == 30


def test_what_identifies_data_includes_their_media(tmp_path: Path) -> None:
    source, digests = source_of(tmp_path, pictures(tmp_path, 3)), Digests(tmp_path / "digests.json")
    before = media_identity(source, tmp_path, digests)
    assert before["media_files"] == 3 and media_identity(source, tmp_path, digests) == before
    noise(20, 20, 99).save(tmp_path / "seen" / "1.png")
    assert media_identity(source, tmp_path, digests) != before
    assert media_identity(source_of(tmp_path / "text", rows("first", 3)), tmp_path, digests) == {}


def test_media_of_one_name_in_two_folders_count_each(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "data" / name / "seen").mkdir(parents=True)
        noise(20, 20, len(name)).save(tmp_path / "data" / name / "seen" / "0.png")
        write_rows(tmp_path / "data" / name / "rows.jsonl", [{"image": "seen/0.png", "text": "x"}])
    source, digests = Source(path=str(tmp_path / "data")), Digests(tmp_path / "digests.json")
    before = media_identity(source, tmp_path, digests)
    noise(20, 20, 99).save(tmp_path / "data" / "b" / "seen" / "0.png")
    assert media_identity(source, tmp_path, digests) != before


def test_rows_that_did_not_change_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "REMEMBER_NAMES_FROM_BYTES", 1)
    data = pictures(tmp_path, 3)
    source, digests = source_of(tmp_path, data), Digests(tmp_path / "digests.json")
    before = media_identity(source, tmp_path, digests)
    read, named_in = list[Path](), identity._named_in
    monkeypatch.setattr(identity, "_named_in", lambda file: read.append(file) or named_in(file))
    assert media_identity(source, tmp_path, digests) == before and read == []
    source_of(tmp_path, data[:2])
    assert media_identity(source, tmp_path, digests)["media_files"] == 2 and read == [tmp_path / "data.jsonl"]


def test_a_model_without_senses_refuses_media(tmp_path: Path) -> None:
    source = source_of(tmp_path, pictures(tmp_path, 10))
    with pytest.raises(DataError, match="takes in text only; give the recipe an omni stage"):
        prepared(tmp_path / "text", source, layout=None)
    with pytest.raises(DataError, match="the model takes in audio, not image"):
        prepared(tmp_path / "deaf", source, layout=FakeLayout(senses=frozenset({"audio"})))


def test_text_is_prepared_the_same_with_and_without_senses(tmp_path: Path) -> None:
    source = source_of(tmp_path, rows("first", 60))
    for name, layout in (("with", FakeLayout()), ("without", None)):
        prepared(tmp_path / name, source, layout=layout)
    a, b = (
        {p.name: p.read_bytes() for p in (tmp_path / name / "out").iterdir()} for name in ("with", "without")
    )
    assert a == b
    assert PreparedSamples(tmp_path / "with" / "out").media_of(3) == []


def test_a_placeholder_in_a_text_is_refused_by_whoever_reads_it(tmp_path: Path) -> None:
    from manus.data.forms.messages import as_messages

    bad = {
        "messages": [{"role": "user", "content": "What is <|image|>?"}, {"role": "assistant", "content": "x"}]
    }
    with pytest.raises(DataError, match=r"'<\|image\|>' stands in a text"):
        prepared(tmp_path, source_of(tmp_path, [*rows("first", 20), bad]), read=as_messages)


def test_large_rows_with_media_are_prepared_as_large_texts_are(tmp_path: Path) -> None:
    source = source_of(tmp_path, pictures(tmp_path, 10))
    assert prepared(tmp_path / "media", source, index_above_bytes=10)["media"]["image"]["count"] == 10
    told = prepared(tmp_path / "text", source_of(tmp_path, rows("first", 60)), index_above_bytes=10)
    assert told["train_samples"] == 55


def test_bytes_in_parquet_do_not_make_data_large(tmp_path: Path) -> None:
    table = [{"image": {"bytes": encoded(noise(90, 90, n), "PNG"), "path": None}, **BYTES} for n in range(20)]
    parquet.write_table(pyarrow.Table.from_pylist(table), tmp_path / "rows.parquet")
    size = (tmp_path / "rows.parquet").stat().st_size
    told = prepared(
        tmp_path, Source(path=str(tmp_path / "rows.parquet")), index_above_bytes=size // 2, max_length=256
    )
    assert told["train_samples"] == 15


def test_prompts_keep_one_placeholder_a_medium(tmp_path: Path) -> None:
    told = prepared(tmp_path, source_of(tmp_path, pictures(tmp_path, 20)), kind="prompt")
    table = read_arrow(tmp_path / "out", PROMPTS)
    first = json.loads(table[0]["sample"])
    assert told["train_samples"] == 15
    assert first["messages"][0]["content"] == "<|image|>\nWhich one?" and first["media"][0]["kind"] == "image"
    assert told["tokens"] > 15 * 8  # four for the picture, and the words


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "a.png").write_bytes(encoded(noise(20, 20), "PNG"))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given, directory=str(tmp_path / "served"))

        def log_message(self, *given: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_address[1]}"
        served.shutdown()


def test_addresses_are_fetched_only_where_that_is_allowed(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr("manus.data.media.fetching.LARGEST_BYTES", 10_000)
    (tmp_path / "served" / "large.png").write_bytes(bytes(20_000))
    refusing, allowing = MediaWriter(tmp_path), MediaWriter(tmp_path / "served", allow_urls=True)
    with pytest.raises(RowError, match="only with fetch_urls: true"):
        refusing.add({"kind": "image", "url": f"{server}/a.png"}, tmp_path)
    assert allowing.add({"kind": "image", "url": f"{server}/a.png"}, tmp_path)[0]["width"] == 20
    with pytest.raises(RowError, match=r"absent.png: cannot be fetched: .*404"):
        allowing.add({"kind": "image", "url": f"{server}/absent.png"}, tmp_path)
    with pytest.raises(RowError, match=r"large.png: more than 10,000 bytes"):
        allowing.add({"kind": "image", "url": f"{server}/large.png"}, tmp_path)
    refusing.close(), allowing.close()


@pytest.mark.parametrize("sample_size", [0, 12])
def test_hub_rows_come_encoded_by_the_disk_or_as_a_stream(
    sample_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import Dataset, Features, List, Value
    from datasets import Image as ImageFeature

    table = {"images": [[{"bytes": encoded(noise(20, 20, n), "PNG"), "path": None}] for n in range(30)]}
    table |= {"question": ["Which one?"] * 30, "answer": [str(n) for n in range(30)]}
    features = Features(
        {"images": List(ImageFeature()), "question": Value("string"), "answer": Value("string")}
    )
    monkeypatch.setattr(
        "datasets.load_dataset", lambda *_, **__: Dataset.from_dict(table, features).to_iterable_dataset()
    )
    told = prepared(tmp_path, Source(hub="owner/name"), sample_size=sample_size)
    samples, files = PreparedSamples(tmp_path / "out"), MediaFiles(tmp_path / "out")
    assert told["train_samples"] == (sample_size or 25)
    for place in range(len(samples)):
        shown = files.image(samples.media_of(place)[0])
        assert np.array_equal(shown, noise(20, 20, answer_in(samples[place])))
    spool = next((tmp_path / "work" / "spool").glob("*.jsonl"), None) if sample_size == 0 else None
    if spool is not None:
        assert hub.spool_bytes(spool, without_media=True) < hub.spool_bytes(spool, without_media=False) / 5
    assert (spool is not None) == (sample_size == 0)


def test_the_doctor_tells_of_media(tmp_path: Path) -> None:
    corpus.video(tmp_path / "v.mp4")
    data = [*pictures(tmp_path, 30), {"video": "v.mp4", "caption": "it gets lighter"}]
    prepared(tmp_path, source_of(tmp_path, data))
    found = examine(tmp_path / "out", marked(), 128, 1, 0)
    told = dict(facts(found))
    assert str(told["images"]).startswith("30 in 30 files, 0.0 MB; least, middle and largest sides: 20 × 20")
    assert "3 to 3 s" in str(told["videos"])
    Console(file=None, quiet=True).print(told)


def test_pictures_of_an_image_larger_than_is_looked_at_are_measured_as_they_are_given(tmp_path: Path) -> None:
    """The number of tokens is decided by facts: they are those of the decoded picture, not of the file."""
    Image.new("RGB", (5000, 100)).save(tmp_path / "a.png")
    writer = MediaWriter(tmp_path)
    (medium,) = writer.add({"kind": "image", "file": "a.png"}, tmp_path)
    writer.finish()
    assert (medium["width"], medium["height"]) == MediaFiles(tmp_path).image(0).size == (2048, 41)
