"""Bases with their own senses, by family: prepared, trained, merged, loaded by plain transformers, asked."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForMultimodalLM, AutoProcessor

from manus.capabilities import known_capabilities
from manus.data.prepared.samples import open_samples, read_held_out
from manus.evaluation.answers import answer
from manus.evaluation.probes import Probe, measure
from manus.models.loading.composition import compose, load_model
from manus.models.loading.folders import copy_tokenizer
from manus.models.merging.merge import merge
from manus.models.merging.settings import MergeSettings
from manus.models.native.inputs import OwnInputs
from manus.models.native.processor import load_processor
from manus.training.batches.media import MediaRows, OwnCollator
from manus.training.batches.text import PaddedCollator
from manus.training.kernels.head import learn_by_parts
from manus.training.trainers.supervised import an_example
from tests.integration.stage import job, stopped, trained
from tests.native_data import plain_row, prepared, row
from tests.pico_native_more import EVERY, made

vision_qa = known_capabilities()["vision-qa"]

LEARNS: dict[str, Any] = {"epochs": 1, "batch_size": 4, "learning_rate": 1e-2}
PROJECTORS = dict.fromkeys(EVERY, "model.multi_modal_projector.") | {
    "qwen2_vl": "model.visual.merger.",
    "qwen2_5_vl": "model.visual.merger.",
    "idefics3": "model.connector.",
    "smolvlm": "model.connector.",
    "qwen3_vl": ("model.visual.merger.", "model.visual.deepstack_merger_list."),
}
LANGUAGE = dict.fromkeys(EVERY, ("model.language_model.", "lm_head.")) | dict.fromkeys(
    ("idefics3", "smolvlm"), ("model.text_model.", "lm_head.")
)
NEEDS_TORCHVISION = (
    "qwen2_vl",
    "qwen2_5_vl",
    "qwen3_vl",
    "internvl",
    "llava_onevision",
)  # to load a part of their processors that is for videos
FEW = ("llava", "qwen2_vl", "qwen2_audio")


@pytest.fixture(scope="module", params=list(EVERY))
def family(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Path]:
    """The name of a family, its base, and data with one or two media a conversation and some text alone."""
    folder = tmp_path_factory.mktemp(request.param)
    base = made(request.param, folder / "base")
    kind, draw = "audio" if request.param == "qwen2_audio" else "image", random.Random(0)
    rows = [row(kind, draw, media=1 + number % 2) for number in range(14)] + [
        plain_row(number) for number in range(4)
    ]
    return request.param, base, prepared(base, folder / "data", rows)


def changed(base: Path, stage: Any) -> set[str]:
    before, after = (
        load_model(base, torch.float32).state_dict(),
        compose(base, [stage], torch.float32).state_dict(),
    )
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_language_model_and_projector_learn_and_encoders_stay(
    family: tuple[str, Path, Path], tmp_path: Path
) -> None:
    check_what_learns(*family, tmp_path, "lora")


@pytest.mark.parametrize("family", FEW, indirect=True)
@pytest.mark.parametrize("method", ["sft", "qlora", "dora"])
def test_so_they_do_by_every_method(family: tuple[str, Path, Path], tmp_path: Path, method: str) -> None:
    check_what_learns(*family, tmp_path, method)


def check_what_learns(name: str, base: Path, data: Path, tmp_path: Path, method: str) -> None:
    moved = changed(base, trained(base, data, tmp_path / method, method, **LEARNS))
    of_projector = {weight for weight in moved if weight.startswith(PROJECTORS[name])}
    assert of_projector and any(weight.startswith(LANGUAGE[name]) for weight in moved)
    assert all(weight.startswith(LANGUAGE[name]) for weight in moved - of_projector)


@pytest.mark.parametrize("family", FEW, indirect=True)
def test_alignment_moves_the_projector_alone(family: tuple[str, Path, Path], tmp_path: Path) -> None:
    name, base, data = family
    moved = changed(base, trained(base, data, tmp_path / "alignment", "alignment", **LEARNS))
    assert moved and all(weight.startswith(PROJECTORS[name]) for weight in moved)


def test_the_loss_by_parts_is_that_of_all_logits(family: tuple[str, Path, Path]) -> None:
    """Proven on a sample with media, or a model that mixes them in later would not see them."""
    _, base, data = family
    model, samples, inputs = load_model(base, torch.float32), open_samples(data), OwnInputs.of(base, data)
    ids, media = an_example(samples, inputs)
    assert media and learn_by_parts(model, ids, media=media)

    class Late(type(model)):  # type: ignore[misc]
        """Media come in behind the body, which is not asked about them."""

        def forward(self, *args: Any, **given: Any) -> Any:
            out = super().forward(*args, **given)
            out.logits = out.logits * (2 if media.keys() & given.keys() else 1)
            return out

    late = load_model(base, torch.float32)
    late.__class__ = Late
    assert not learn_by_parts(late, ids, media=media)


def test_the_merged_model_is_that_of_plain_transformers(
    family: tuple[str, Path, Path], tmp_path: Path
) -> None:
    name, base, data = family
    stage = trained(base, data, tmp_path / "lora", "lora", **LEARNS)
    inputs, held_out = OwnInputs.of(base, data), read_held_out(data)
    asked = [sample for sample in held_out if sample.get("media")][:3]
    prompts = [inputs.prompt(None, sample["messages"][:-1], sample["media"]) for sample in asked]
    batches = [
        inputs.batch(None, [prompt], [sample["media"]]) for prompt, sample in zip(prompts, asked, strict=True)
    ]
    merge(base, [stage], "sequential", MergeSettings(), 0, batches, tmp_path / "merged")
    copy_tokenizer(base, tmp_path / "merged")
    model = AutoModelForMultimodalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32).eval()
    ours = compose(base, [stage], torch.float32).eval()
    for batch in batches:
        assert torch.allclose(model(**batch).logits, ours(**batch).logits, atol=1e-4)
    if name == "smolvlm":
        return  # without the part for videos, its processor asks models only as we do
    load = load_processor if name in NEEDS_TORCHVISION else AutoProcessor.from_pretrained
    processor = load(tmp_path / "merged")
    for batch, sample in zip(batches, asked, strict=True):
        media = iter(inputs.layout.decoded(sample["media"], inputs.files))
        turns = inputs.layout.in_parts(sample["messages"][:-1], sample["media"])
        turns = [
            {
                **turn,
                "content": [
                    p if p["type"] == "text" else {**p, p["type"]: next(media)[1]} for p in parts(turn)
                ],
            }
            for turn in turns
        ]
        given = processor.apply_chat_template(
            turns, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
        assert given["input_ids"].tolist() == batch["input_ids"].tolist()
        assert set(given) <= set(batch) and all(torch.equal(given[key], batch[key]) for key in given)


def parts(turn: dict[str, Any]) -> list[dict[str, Any]]:
    content = turn["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


@torch.no_grad()
def test_a_padded_batch_says_what_each_row_says_alone(family: tuple[str, Path, Path]) -> None:
    _, base, data = family
    model, inputs = load_model(base, torch.float32).eval(), OwnInputs.of(base, data)
    samples = read_held_out(data)
    media = [sample.get("media", []) for sample in samples]
    assert {len(row) for row in media} == {0, 1, 2}
    prompts = [
        inputs.prompt(None, sample["messages"][:-1], own) for sample, own in zip(samples, media, strict=True)
    ]
    together = model(**inputs.batch(None, prompts, media)).logits[:, -1]
    for index, prompt in enumerate(prompts):
        alone = model(**inputs.batch(None, [prompt], [media[index]])).logits[0, -1]
        assert torch.allclose(together[index], alone, atol=1e-3)
        assert not torch.allclose(together[index - 1], alone, atol=1e-2), "another row says something else"


@torch.no_grad()
def test_what_is_learned_from_is_what_the_processor_makes(family: tuple[str, Path, Path]) -> None:
    """The loss of a collated batch is that of the processor's own inputs, sample by sample."""
    _, base, data = family
    model, inputs, samples = (
        load_model(base, torch.float32).eval(),
        OwnInputs.of(base, data),
        open_samples(data),
    )
    rows = MediaRows(samples, {(): np.arange(len(samples))}, None)
    batch = OwnCollator(PaddedCollator(inputs.layout.tokenizer.pad_token_id), inputs)(
        [rows[i] for i in range(5)]
    )
    labels = batch.pop("labels")
    logits = model(**batch).logits
    for index in range(5):
        ids = samples[index]["ids"].tolist()
        numbers = samples.media_of(index)
        media = inputs.layout.decoded([inputs.medium(number) for number in numbers], inputs.files)
        own = {
            "input_ids": torch.tensor([ids]),
            **inputs.layout.marks(torch.tensor([ids])),
            **inputs.layout.media([media]),
        }
        assert torch.allclose(logits[index, : len(ids)], model(**own).logits[0], atol=1e-3)
        learned = inputs.layout.tokenizer.decode(ids_of(labels[index]))
        assert "What" not in learned and learned.count("<|im_end|>") == max(1, len(numbers))


def ids_of(labels: torch.Tensor) -> list[int]:
    return labels[labels >= 0].tolist()


@pytest.mark.parametrize("family", ["llava", "qwen2_vl"], indirect=True)
def test_a_probe_measures_what_has_media(family: tuple[str, Path, Path]) -> None:
    _, base, data = family
    media = OwnInputs.of(base, data)
    probe = Probe("stage", vision_qa, vision_qa.Settings(max_new_tokens=3), read_held_out(data), 400, media)
    told = measure(probe, load_model(base, torch.float32), media.layout.tokenizer, "test")
    assert told["samples"] == sum(bool(sample.get("media")) for sample in probe.samples) > 0


@pytest.mark.parametrize("family", FEW, indirect=True)
def test_activations_that_are_computed_twice_give_the_same(
    family: tuple[str, Path, Path], tmp_path: Path
) -> None:
    _, base, data = family
    once, twice = (
        trained(base, data, tmp_path / str(way), "lora", **LEARNS, gradient_checkpointing=way)
        for way in (False, True)
    )
    assert not changed(base, once) ^ changed(base, twice)
    ends = [compose(base, [stage], torch.float32).state_dict() for stage in (once, twice)]
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


@pytest.mark.parametrize("family", FEW, indirect=True)
def test_half_of_the_bits_learn_and_answer(family: tuple[str, Path, Path], tmp_path: Path) -> None:
    """Pixels and sound come in 32 bits, weights are held in 16."""
    _, base, data = family
    stage = trained(base, data, tmp_path / "lora", "lora", **LEARNS | {"precision": "bf16"})
    assert changed(base, stage)
    media, asked = OwnInputs.of(base, data), [sample for sample in read_held_out(data) if sample.get("media")]
    model = load_model(base, torch.bfloat16).eval()
    assert len(answer(model, media.layout.tokenizer, asked, 2, "test", media)) == len(asked) > 0


@pytest.mark.parametrize("family", ["llava", "gemma3"], indirect=True)
def test_a_stopped_run_ends_in_the_same_bits(family: tuple[str, Path, Path], tmp_path: Path) -> None:
    _, base, data = family
    orders = [job(base, data, tmp_path / run, "lora", **LEARNS) for run in ("whole", "stopped")]
    assert stopped(orders[0], ()) == stopped(orders[1], (1, 2))
