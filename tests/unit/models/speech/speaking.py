"""A pico model that speaks: drawn weights, a small codec fitted to buzzing; nothing it says is understood."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from manus.files import write_json, write_jsonl
from manus.models.speech.codecs import mel
from manus.models.speech.coded import CLIPS, CODES, FACTS
from manus.models.speech.examples import durations_of
from manus.models.speech.storing import put_speech, save_talker
from manus.models.speech.talker import Talker, TalkerConfig
from manus.models.speech.words import split_words
from tests.unit.models.speech.clips import buzz, hiss, said

CODEC = mel.MelCodecConfig(codebooks=2, codebook_size=16, pitch_width=16)
VOICES = ("ann", "bob")
PICO_WIDTH = 64


def codec(folder: Path) -> Path:
    """Write a small codec into a folder."""
    torch.manual_seed(0)
    waves = [said([buzz(hertz, 0.4), hiss(0.2)]) for hertz in (100.0, 150.0)]
    model = mel.MelCodec(CODEC)
    mel.fit_books(model, waves, torch.Generator().manual_seed(0))
    model.save_pretrained(folder)
    return folder


def talker(text_size: int) -> Talker:
    """Return a small talker that has learned nothing."""
    sizes = TalkerConfig(2, 16, text_size, hidden=32, layers=1, heads=2, voices=4)
    return Talker(sizes).eval()


def speaking(base: Path, folder: Path, text_size: int) -> Path:
    """Copy a model to a folder, and let it speak."""
    shutil.copytree(base, folder)
    save_talker(talker(text_size), VOICES, folder.parent / "talker")
    put_speech(folder.parent / "talker", codec(folder.parent / "codec"), None, folder)
    return folder


def coded(folder: Path, texts: list[str], shifts: int = 2) -> Path:
    """Write coded speech of drawn codes: two voices in turn."""
    folder.mkdir(parents=True)
    draw, clips = torch.Generator().manual_seed(0), []
    with (folder / CODES).open("wb") as file:
        for place, text in enumerate(texts):
            count = len(split_words(text)) + 1
            frames = [3 * count + place % 3 + shift for shift in range(shifts)]
            for number in frames:
                codes = torch.randint(0, 16, (number, 2), generator=draw)
                file.write(codes.numpy().astype("<i2").tobytes())
            lengths = [durations_of([3.0 * word for word in range(count)], number, 1.0) for number in frames]
            clips.append({"text": text, "speaker": VOICES[place % 2], "frames": frames, "durations": lengths})
    write_jsonl(folder / CLIPS, clips)
    facts = {"codebooks": 2, "codebook_size": 16, "frames_per_second": 31.25, "shifts": shifts}
    write_json(folder / FACTS, {**facts, "voices": list(VOICES), "clips": len(texts), "seconds": 1.0})
    return folder
