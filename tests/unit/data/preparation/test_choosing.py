"""Small and large data are prepared by the same rules: small stay bit for bit, large give what small give."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manus.capabilities import cot
from manus.data.forms.media import as_media_messages
from manus.data.forms.messages import as_messages, as_text
from manus.data.forms.pairs import read_pair
from manus.data.forms.prompts import read_prompt
from manus.data.media.files import MediaFiles, has_media
from manus.data.preparation import in_shards
from manus.data.preparation.choosing import prepare
from manus.data.preparation.leaks import leaks
from manus.data.prepared import samples as samples_module
from manus.data.prepared.samples import PAIRS, PROMPTS, open_samples, read_arrow, read_held_out
from manus.data.sample import PLACEHOLDERS, Row, Sample, SampleKind, numbers_of
from manus.data.settings import DataSettings, Source
from manus.files import read_jsonl
from tests.pico import pairs, rows, tokenizer, write_rows
from tests.unit.data.preparation.test_media_intake import FakeLayout

BAD: dict[str, Any] = {"messages": [{"role": "user", "content": "no answer"}]}
READERS: dict[SampleKind, Callable[[Row], Sample]] = {
    "messages": cot.read,
    "text": as_text,
    "preference": lambda row: read_pair(row, as_messages),
    "prompt": lambda row: read_prompt(row, as_messages, lambda sample: True),
}


def picture(number: int, side: int = 20) -> bytes:
    """Return a PNG of the same bytes under every version of every library: nothing is compressed."""
    draw = random.Random(number)
    lines = b"".join(b"\0" + draw.randbytes(3 * side) for _ in range(side))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines, 0)),
        (b"IEND", b""),
    ]
    framed = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def of_kind(kind: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of two sources of a kind: with repeats, rows that are too long, and one that is bad."""
    if kind == "text":
        some = [{"text": f"{n % 80} is a number, " * (n % 13 + 1)} for n in range(100)]
        return [*some, {"words": 1}], [{"text": f"{n} others"} for n in range(40)]
    if kind == "preference":
        long = {"prompt": "so", "chosen": "x " * 90, "rejected": "y " * 90}
        return [*pairs("first", 90), {"prompt": "?"}, long], [*pairs("last", 40), *pairs("last", 10)]
    if kind == "prompt":
        long = {"question": "so " * 90, "answer": "1"}
        asked = [{"question": f"What is {n % 70} more than one?", "answer": str(n)} for n in range(90)]
        return [*asked, {"question": 7}, long], rows("last", 40)
    if kind == "media":
        seen = [
            {"image": f"seen/{n % 40}.png", "question": f"Which one is {n % 55}?", "answer": str(n)}
            for n in range(60)
        ]
        seen += [{"image": ["seen/1.png", "seen/41.png"], "question": "Both?", "answer": "yes"}]
        parts = [{"user": f"part {n}?", "assistant": str(n)} for n in range(3)]
        seen += [
            {"images": ["seen/42.png"], "texts": parts},
            {"image": "seen/none.png", "question": "?", "answer": "!"},
        ]
        return seen, rows("last", 40)
    long = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x " * 200}]}
    return [*rows("first", 90), BAD, *rows("first", 20), long], rows("last", 40)


def preparing(folder: Path, kind: str, **settings: Any) -> tuple[dict[str, Any], Path]:
    """Prepare two sources of a kind, the second seen half as often again; return statistics and folder."""
    first, second = of_kind(kind)
    slow_seconds = settings.pop("slow_seconds", 0)
    if kind == "media":
        (folder / "seen").mkdir(parents=True, exist_ok=True)
        for number in range(43):
            (folder / "seen" / f"{number}.png").write_bytes(picture(number))
    sources = [
        Source(path=str(write_rows(folder / "first.jsonl", first))),
        Source(path=str(write_rows(folder / "second.jsonl", second)), weight=settings.pop("weight", 1.5)),
    ]
    if kind == "messages":
        sources.append(Source(generator="cot", size=30))
    own: SampleKind = "messages" if kind == "media" else kind  # type: ignore[assignment]
    sample_kind: SampleKind = settings.pop("as_kind", own)
    read = as_media_messages if kind == "media" else READERS[sample_kind]
    words = tokenizer()
    if kind == "media":
        words.add_special_tokens({"additional_special_tokens": list(PLACEHOLDERS.values())})
    out = folder / "out"
    out.mkdir(exist_ok=True)
    chosen = DataSettings(**({"held_out": 10, "max_length": 64, "failure_budget": 0.1} | settings))
    layout = FakeLayout() if kind == "media" else None

    def reading(row: Row) -> Sample:
        time.sleep(slow_seconds)
        return read(row)

    told = prepare(sources, chosen, reading, sample_kind, words, folder, 0, out, folder / "work", layout)
    return dict(told), out


def digest_of(out: Path) -> str:
    """Return a digest of all prepared files; of tables, whose bytes are pyarrow's, that of their rows."""
    found = hashlib.sha256()
    for path in sorted(out.iterdir()):
        content = path.read_bytes()
        if path.suffix == ".arrow":
            content = json.dumps(read_arrow(out, path.name).to_list()).encode()
        found.update(path.name.encode() + hashlib.sha256(content).digest())
    return found.hexdigest()


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "truncated": {"too_long": "truncate", "max_length": 48},
    "drawn": {"sample_size": 50},
}
KINDS = ("messages", "text", "preference", "prompt", "media")
SMALL = json.loads((Path(__file__).parent / "small_data.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_small_data_stay_bit_for_bit(kind: str, settings: str, tmp_path: Path) -> None:
    assert digest_of(preparing(tmp_path, kind, **SETTINGS[settings])[1]) == SMALL[f"{kind} {settings}"]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make everything that is read at once so small that a few rows are many shards."""
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(in_shards, "SHARD_BYTES", 1500)
    monkeypatch.setattr(in_shards, "ROWS_WITH_MEDIA", 7)
    monkeypatch.setattr(samples_module, "ROWS_PER_ARROW_BATCH", 3)


def samples_in(out: Path) -> list[Any]:
    """Return all training samples with the content of their media, in the order of the data."""
    for name in (PAIRS, PROMPTS):
        if (out / name).exists():
            return [
                {**row, "sample": _by_content(out, json.loads(row["sample"]))} if "sample" in row else row
                for row in read_arrow(out, name).to_list()
            ]
    samples = open_samples(out)
    files = MediaFiles(out) if has_media(out) else None
    return [
        [
            samples[place]["ids"].tolist(),
            samples[place]["is_learned"].tolist(),
            [_bytes_of(files, number) for number in samples.media_of(place)],
        ]
        for place in range(len(samples))
    ]


def _bytes_of(files: MediaFiles | None, number: int) -> tuple[str, str]:
    assert files is not None
    return files.name(number), hashlib.sha256(files.encoded(number).read()).hexdigest()


def _by_content(out: Path, sample: dict[str, Any]) -> dict[str, Any]:
    files = MediaFiles(out) if has_media(out) else None
    media = [_bytes_of(files, medium["number"]) for medium in sample.get("media", [])]
    return {**sample, "media": media}


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("settings", ["plain", "truncated"])
@pytest.mark.parametrize("kind", KINDS)
def test_large_data_give_what_small_ones_give(kind: str, settings: str, tmp_path: Path) -> None:
    given = {**SETTINGS[settings], "weight": 2}
    expected, small = preparing(tmp_path / "small", kind, **given)
    told, large = preparing(tmp_path / "large", kind, index_above_bytes=0, **given)
    assert told["shards"] > 5
    for name in ("rows", "quarantined", "train_samples", "held_out_samples", "tokens", "media"):
        assert told.get(name) == expected.get(name), name
    for name in ("tokens_per_sample", "length_histogram", "learned_share", "sources"):
        assert told[name] == expected[name], name
    by_content = lambda some: sorted(map(json.dumps, some))  # noqa: E731
    assert by_content(samples_in(large)) == by_content(samples_in(small))
    held = ([_by_content(out, one) for one in read_held_out(out)] for out in (large, small))
    assert next(held) == next(held)
    assert list(read_jsonl(large / "quarantine.jsonl")) == list(read_jsonl(small / "quarantine.jsonl"))
    assert leaks(large) == 0


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("kind", KINDS)
def test_large_data_are_drawn_from_too(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_shards, "SPARE_ROWS", 10)
    everything = {json.dumps(one) for one in samples_in(preparing(tmp_path / "all", kind)[1])}
    told, out = preparing(tmp_path / "some", kind, index_above_bytes=0, sample_size=40, weight=1)
    found = [json.dumps(one) for one in samples_in(out)]
    assert 30 <= told["train_samples"] == len(found) <= (80 if kind == "text" else 40)
    assert kind == "text" or len(set(found)) == len(found)  # windows of other texts may be alike
    assert told["left_aside"]["beyond sample_size"] > 20
    if kind not in ("text", "media"):  # what a held-out sample asks is another one's here
        assert len(set(found) & everything) > 25


@pytest.mark.usefixtures("tiny")
def test_prompts_about_media_have_the_numbers_of_their_own(tmp_path: Path) -> None:
    given = {"as_kind": "prompt", "weight": 2}
    small = preparing(tmp_path / "small", "media", **given)[1]
    large = preparing(tmp_path / "large", "media", index_above_bytes=0, **given)[1]
    found = [sorted(map(json.dumps, samples_in(out))) for out in (small, large)]
    assert found[0] == found[1] and "image" in found[0][0]
    assert len(MediaFiles(small)) == len(MediaFiles(large))


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("kind", ["preference", "prompt", "media"])
def test_shares_of_any_kind(kind: str, tmp_path: Path) -> None:
    """`mix: samples` was refused for all but texts and chats."""
    told, _ = preparing(tmp_path, kind, mix="samples", weight=1)
    assert min(told["times_seen"]) < 1 == max(told["times_seen"])


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_killed_goes_on_and_gives_the_same_bytes(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    calm = preparing(tmp_path / "calm", kind, index_above_bytes=0)[1]
    child = os.fork()
    if not child:
        try:
            preparing(tmp_path / "killed", kind, index_above_bytes=0, slow_seconds=0.02)
        finally:
            os._exit(1)
    place = tmp_path / "killed" / "work" / "shards"
    while len(list(place.glob("shard-*[0-9]"))) < 4:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    kept = {path.name: path.stat().st_ino for path in place.glob("shard-*[0-9]")}
    out = preparing(tmp_path / "killed", kind, index_above_bytes=0)[1]
    assert f"continuing: {len(kept)} of" in capfd.readouterr().out
    assert {path.name: path.stat().st_ino for path in place.glob("shard-*[0-9]") if path.name in kept} == kept
    assert digest_of(out) == digest_of(calm)


@pytest.mark.usefixtures("tiny")
def test_media_of_several_shards_are_kept_once(tmp_path: Path) -> None:
    told, out = preparing(tmp_path, "media", index_above_bytes=0)
    files = MediaFiles(out)
    used = {number for place in range(told["train_samples"]) for number in open_samples(out).media_of(place)}
    used |= {number for one in read_held_out(out) for number in numbers_of(one)}
    assert (
        used == set(range(len(files))) and told["media"]["image"]["files"] == len(files) == 42
    )  # one is never used
    assert (out / "media.bin").stat().st_size == 42 * len(picture(0))


def test_generated_media_go_through_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator's bytes are spooled, and its held-out rows are of other templates."""
    monkeypatch.setenv("MANUS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(in_shards, "ROWS_WITH_MEDIA", 7)
    words = tokenizer()
    words.add_special_tokens({"additional_special_tokens": list(PLACEHOLDERS.values())})
    found = {}
    for above in (0, 1_000_000_000):
        out = tmp_path / str(above)
        out.mkdir()
        settings = DataSettings(held_out=10, max_length=4096, index_above_bytes=above, mix="epochs")
        source = Source(generator="scenes", size=40)
        told = prepare(
            [source, Source(path=str(write_rows(tmp_path / "rows.jsonl", rows("last", 30))))],
            settings,
            as_media_messages,
            "messages",
            words,
            tmp_path,
            0,
            out,
            tmp_path / f"work-{above}",
            FakeLayout(),
        )
        found[above] = (told["train_samples"], sorted(map(json.dumps, samples_in(out))), read_held_out(out))
    assert found[0][:2] == found[1_000_000_000][:2]
    held = [[one["messages"] for one in found[above][2]] for above in found]
    assert held[0] == held[1]
