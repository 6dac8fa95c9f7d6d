"""Small and large data are prepared by the same rules: the first stay bit for bit, the second give what the first give."""

from __future__ import annotations

import hashlib
import json
import random
import struct
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
from manus.data.preparation.choosing import prepare
from manus.data.prepared.samples import read_arrow
from manus.data.sample import PLACEHOLDERS, Row, Sample, SampleKind
from manus.data.settings import DataSettings, Source
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
    """Return a PNG whose bytes are the same under every version of every library: nothing in it is compressed."""
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
            {"image": f"seen/{n % 40}.png", "question": f"Which one is {n % 55}?", "answer": str(n)} for n in range(60)
        ]
        seen += [{"image": ["seen/1.png", "seen/41.png"], "question": "Both?", "answer": "yes"}]
        parts = [{"user": f"part {n}?", "assistant": str(n)} for n in range(3)]
        seen += [{"images": ["seen/42.png"], "texts": parts}, {"image": "seen/none.png", "question": "?", "answer": "!"}]
        return seen, rows("last", 40)
    long = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x " * 200}]}
    return [*rows("first", 90), BAD, *rows("first", 20), long], rows("last", 40)


def preparing(folder: Path, kind: str, **settings: Any) -> tuple[dict[str, Any], Path]:
    """Prepare two sources of a kind, the second of which is seen half as often again; return statistics and folder."""
    first, second = of_kind(kind)
    if kind == "media":
        (folder / "seen").mkdir(parents=True)
        for number in range(43):
            (folder / "seen" / f"{number}.png").write_bytes(picture(number))
    sources = [
        Source(path=str(write_rows(folder / "first.jsonl", first))),
        Source(path=str(write_rows(folder / "second.jsonl", second)), weight=settings.pop("weight", 1.5)),
    ]
    if kind == "messages":
        sources.append(Source(generator="cot", size=30))
    sample_kind: SampleKind = "messages" if kind == "media" else kind  # type: ignore[assignment]
    read = as_media_messages if kind == "media" else READERS[sample_kind]
    words = tokenizer()
    if kind == "media":
        words.add_special_tokens({"additional_special_tokens": list(PLACEHOLDERS.values())})
    out = folder / "out"
    out.mkdir()
    chosen = DataSettings(**({"held_out": 10, "max_length": 64, "failure_budget": 0.1} | settings))
    layout = FakeLayout() if kind == "media" else None
    place = folder / "work"
    told = prepare(sources, chosen, read, sample_kind, words, folder, 0, out, place, layout)
    return dict(told), out


def digest_of(out: Path) -> str:
    """Return a digest of all prepared files; of tables, whose bytes are pyarrow's affair, that of their rows."""
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
