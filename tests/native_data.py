"""Small prepared data with pictures or sounds for bases that have senses of their own."""

from __future__ import annotations

import io
import json
import random
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from manus.capabilities import vision_qa
from manus.data.preparation.choosing import prepare
from manus.data.settings import DataSettings, Source
from manus.models.native.layout import OwnLayout
from tests.seeds import SEED
from tests.unit.data.media.corpus import wav

PITCHES = {"low": 220.0, "high": 1760.0}
COLOURS = ("red", "lime", "blue")


def picture(draw: random.Random) -> tuple[bytes, str]:
    """Return a PNG of some size with a square of some colour, and the colour."""
    colour, size = draw.choice(COLOURS), (draw.choice((32, 48, 80)), draw.choice((32, 56)))
    image = Image.new("RGB", size)
    ImageDraw.Draw(image).rectangle((4, 4, 24, 24), fill=colour)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue(), colour


def sound(draw: random.Random) -> tuple[bytes, str]:
    """Return a WAV of a tone and how high it is."""
    pitch = draw.choice(list(PITCHES))
    times = np.arange(round(draw.uniform(0.4, 1.2) * 16_000)) / 16_000
    return wav(0.3 * np.sin(2 * np.pi * PITCHES[pitch] * times)), pitch


def row(kind: str, draw: random.Random, media: int = 1) -> dict[str, Any]:
    """Return a conversation about one medium, or several turns about one each."""
    turns: list[dict[str, Any]] = []
    for _ in range(media):
        data, answer = picture(draw) if kind == "image" else sound(draw)
        name = "image/png" if kind == "image" else "audio/wav"
        parts = [
            {"type": kind, kind: f"data:{name};base64,{b64encode(data).decode()}"},
            {"type": "text", "text": "What is it?"},
        ]
        turns += [{"role": "user", "content": parts}, {"role": "assistant", "content": answer}]
    return {"messages": turns}


def plain_row(number: int) -> dict[str, Any]:
    """Return a conversation of text alone."""
    turns = [
        {"role": "user", "content": f"What is {number} and 1?"},
        {"role": "assistant", "content": str(number + 1)},
    ]
    return {"messages": turns}


def prepared(
    base: Path, folder: Path, rows: list[dict[str, Any]], held_out: int = 6, read: Any = vision_qa.read
) -> Path:
    """Prepare rows for a base that has senses of its own; return the folder."""
    folder.mkdir(parents=True)
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows))
    layout = OwnLayout.of(base)
    prepare(
        [Source(path=str(file))],
        DataSettings(held_out=held_out, max_length=400),
        read,
        "messages",
        layout.tokenizer,
        folder,
        SEED,
        folder,
        folder / "work",
        layout,
    )
    return folder
