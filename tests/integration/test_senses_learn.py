"""From rows to a probe: a pico model learns to see by our own methods, and fails when it is blindfolded."""

from __future__ import annotations

import io
import json
import random
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw

from manus.capabilities import known_capabilities
from manus.data.preparation.choosing import prepare
from manus.data.prepared.samples import read_held_out
from manus.data.settings import DataSettings, Source
from manus.evaluation.ablations import measure_ablated
from manus.evaluation.probes import Probe, gain, measure
from manus.models.loading.composition import Trained, compose
from manus.models.omni.layout import MediaLayout
from manus.models.senses.omni_inputs import MediaInputs
from manus.models.tokenizer import load_tokenizer
from tests.integration import stage as stages
from tests.integration.stage import LEAST_GAIN, trained
from tests.pico_omni import with_senses
from tests.seeds import SEED

omni, vision_qa = (known_capabilities()[name] for name in ("omni", "vision-qa"))

COLOURS = ("red", "lime", "blue")
SIDE = 32
# Above about 2e-3 it learns which answers are usual, and stays there.
LEARNS: dict[str, Any] = {"epochs": 12, "batch_size": 16, "learning_rate": 1e-3}


def row(draw: random.Random, answers: list[str] | None = None) -> dict[str, Any]:
    """Return a question about a square of some colour, size and place; `answers` replace the right one."""
    colour, size = draw.choice(COLOURS), draw.randint(10, 16)
    left, top = draw.randint(0, SIDE - size), draw.randint(0, SIDE - size)
    picture = Image.new("RGB", (SIDE, SIDE))
    ImageDraw.Draw(picture).rectangle((left, top, left + size, top + size), fill=colour)
    file = io.BytesIO()
    picture.save(file, "PNG")
    parts = [
        {"type": "image", "image": f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"},
        {"type": "text", "text": "What colour is it?"},
    ]
    said = answers.pop() if answers else colour
    return {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": said}]}


def prepared(
    base: Path,
    folder: Path,
    answers: list[str] | None = None,
    capability: Any = vision_qa,
    layout: Any = None,
) -> Path:
    """Prepare questions about pictures, all of them different."""
    folder.mkdir()
    draw = random.Random(SEED)
    rows = [row(draw, answers) for _ in range(400)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    settings = DataSettings(held_out=60, max_length=256)
    prepare(
        [Source(path=str(folder / "rows.jsonl"))],
        settings,
        capability.read,
        "messages",
        load_tokenizer(base),
        folder,
        SEED,
        folder,
        folder / "work",
        layout or MediaLayout.of(base),
    )
    return folder


@pytest.fixture(scope="module")
def base(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_senses(pico_base, tmp_path_factory.mktemp("senses"))


@pytest.fixture(scope="module")
def data(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(base, tmp_path_factory.mktemp("seeing") / "data")


def probe_of(base: Path, data: Path, capability: Any = vision_qa) -> Probe:
    media = MediaInputs.of(base, data)
    return Probe("seeing", capability, capability.Settings(max_new_tokens=8), read_held_out(data), 256, media)


def compared(
    base: Path, probe: Probe, stage: Trained, start: Sequence[Trained] = ()
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return what is measured before and after a stage, and after it with the sense cut off."""
    tokenizer = load_tokenizer(base)

    def measured(cut: Probe, reader: Any, title: str) -> dict[str, Any]:
        return measure(replace(cut, media=replace(probe.media, files=reader)), model, tokenizer, title)

    before = measure(probe, compose(base, start, torch.float32), tokenizer, "before")
    model = compose(base, (*start, stage), torch.float32)
    after = measure(probe, model, tokenizer, "after")
    return before, after, measure_ablated(probe, probe.media.files, measured, after)


def assert_senses(
    before: dict[str, Any], after: dict[str, Any], cut: dict[str, Any], ablations: Sequence[str]
) -> None:
    """It is better than before by more than chance, and falls by more than that when the sense is cut off."""
    assert gain(before, after)["low"] > LEAST_GAIN, (
        f"learned too little: {before['value']} -> {after['value']}"
    )
    for name in ablations:
        assert cut[name]["drop"]["low"] > LEAST_GAIN, (
            f"{name} should make it fail: {after['value']} -> {cut[name]['value']}"
        )


@pytest.mark.learns
@pytest.mark.parametrize("method", ["sft", "lora"])
def test_a_method_teaches_to_see(base: Path, data: Path, tmp_path: Path, method: str) -> None:
    own = {"learning_rate": 2e-3, "rank": 16, "epochs": 20} if method == "lora" else {}
    stage = trained(base, data, tmp_path / method, method, **{**LEARNS, **own})
    assert_senses(
        *compared(base, probe_of(base, data), stage), ("picture blanked", "picture swapped", "question alone")
    )


@pytest.mark.learns
def test_alignment_teaches_a_frozen_model_what_pictures_show(base: Path, tmp_path: Path) -> None:
    """Of three captions, the picture's own is the likeliest: chance is one in three.

    The model first learns from text to name a colour that it reads, wherever that stands. One that does not
    look there cannot be told of any by what a projector puts in its place, at whatever learning rate.
    """
    draw = random.Random(SEED)

    def digits() -> str:
        return " ".join(str(draw.randrange(10)) for _ in range(draw.randrange(8)))

    texts: list[dict[str, Any]] = [
        {
            "messages": [
                {"role": "user", "content": f"{digits()} {colour} {digits()}\nWhat colour is it?"},
                {"role": "assistant", "content": colour},
            ]
        }
        for colour in COLOURS * 200
    ]
    named = trained(
        base, stages.prepared(base, tmp_path / "texts", texts), tmp_path / "named", "sft", **LEARNS
    )
    data = prepared(base, tmp_path / "data", capability=omni)
    steady = {"epochs": 30, "learning_rate": 5e-3, "scheduler": "cosine", "warmup": 0.1}
    aligned = trained(base, data, tmp_path / "aligned", "alignment", (named,), **LEARNS | steady)
    ablations = ("picture blanked", "medium swapped")
    assert_senses(*compared(base, probe_of(base, data, omni), aligned, (named,)), ablations)


@pytest.mark.learns
def test_answers_dealt_out_to_wrong_pictures_teach_no_seeing(base: Path, data: Path, tmp_path: Path) -> None:
    draw = random.Random(SEED + 1)
    wrong = prepared(base, tmp_path / "wrong", [draw.choice(COLOURS) for _ in range(400)])
    stage = trained(base, wrong, tmp_path / "sft", "sft", **LEARNS)
    told = measure(
        probe_of(base, data), compose(base, (stage,), torch.float32), load_tokenizer(base), "after"
    )
    assert told["value"] < 0.6
