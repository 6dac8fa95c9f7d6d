"""Prompts that begin alike are read once, by models that compute the same of pieces as of the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoProcessor

from manus.errors import ModelError
from manus.models.generation.engine import Engine
from manus.models.generation.questions import Drawing, Question
from manus.models.listening.context import Context, units_of
from manus.models.listening.fitness import why_unfit
from manus.models.listening.listener import Listener
from manus.models.loading.composition import load_model
from tests.pico_native_more import made as native
from tests.unit.models.generation.asking import generated
from tests.unit.models.omni import small

TEXT = "<|im_start|>user\n<|audio|><|audio|>and<|image|>what<|im_end|>\n<|im_start|>assistant\n"

OTHERS = (50, 60, 70)  # tokens of text


@pytest.fixture(scope="module")
def omni(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    root = tmp_path_factory.mktemp("omni")
    seeing, hearing = (
        small.vision_encoder("siglip_vision_model", root / "see"),
        small.whisper(root / "hear"),
    )
    folder = small.omni(small.text_model("llama", root / "text"), root / "omni", seeing, hearing)
    return load_model(folder, torch.float32).eval(), AutoProcessor.from_pretrained(folder)


def asked(
    processor: Any, text: str = TEXT, sounds: tuple[int, ...] = (1, 2)
) -> tuple[list[int], dict[str, Any]]:
    made = processor(text=text, images=[small.picture(1)], audio=[small.sound(seed) for seed in sounds])
    media = {name: made[name] for name in ("pixel_values", "input_features", "audio_tokens")}
    return made["input_ids"][0].tolist(), media


def logits_of(model: Any, ids: list[int], media: dict[str, Any]) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([ids]), **media, is_generating=True).logits[:, -1]
    return found


def check(context: Context, ids: list[int], media: dict[str, Any]) -> None:
    """Assert that what a context holds is this prompt."""
    wanted = logits_of(context.model, ids, media)
    seen = torch.isfinite(wanted)
    assert context.logits_1V is not None and context.tokens == len(ids)
    assert [token for unit in context.units for token in unit.ids] == ids
    assert (wanted - context.logits_1V)[seen].abs().max() < 1e-4


def test_what_was_read_is_not_read_again(omni: tuple[Any, Any]) -> None:
    model, processor = omni
    context = Context(model)
    ids, media = asked(processor)
    end = len(ids) - 1 - ids[::-1].index(model.config.placeholder_ids["audio"])
    sound = {name: media[name] for name in ("input_features", "audio_tokens")}
    heard = {name: value[:1] for name, value in sound.items()}
    first = ids[: end + 1 - int(media["audio_tokens"][1])]
    assert context.read(first, heard) == len(first)
    assert context.read(ids, media) == len(ids) - len(first)
    check(context, ids, media)
    assert context.read(ids, media) == 1  # the last token, for its logits
    check(context, ids, media)
    more = [*ids[:-1], *OTHERS]
    assert context.read(more, media) == len(OTHERS)
    check(context, more, media)


def test_other_media_behind_the_same_tokens_are_read(omni: tuple[Any, Any]) -> None:
    model, processor = omni
    context = Context(model)
    ids, media = asked(processor)
    context.read(ids, media)
    ids, media = asked(processor, sounds=(1, 3))
    second = [n for n, token in enumerate(ids) if token == model.config.placeholder_ids["audio"]]
    assert context.read(ids, media) == len(ids) - second[0] - int(media["audio_tokens"][0])
    check(context, ids, media)
    context.read(*(swapped := asked(processor, sounds=(3, 1))))
    check(context, *swapped)


def test_a_prompt_that_ends_with_a_medium_is_read_to_its_end(omni: tuple[Any, Any]) -> None:
    model, processor = omni
    context = Context(model)
    ids, media = asked(processor, text="<|audio|>and<|audio|>what<|image|>")
    context.read(ids, media)
    check(context, ids, media)
    context.read(ids, media)
    check(context, ids, media)


def test_what_does_not_go_together_is_refused_and_what_failed_is_begun_anew(omni: tuple[Any, Any]) -> None:
    model, processor = omni
    context = Context(model)
    ids, media = asked(processor)
    context.read(ids, media)
    for wrong in (ids[:-20], [token for token in ids if token != model.config.placeholder_ids["image"]]):
        with pytest.raises(ValueError, match="placeholder tokens in the text than features"):
            context.read(wrong, media)
    with pytest.raises(ValueError, match="more placeholder tokens"):
        list(units_of(model, ids, {}))
    broken = {**media, "pixel_values": media["pixel_values"][:, :2]}
    with pytest.raises(RuntimeError):
        context.read(ids, broken)
    assert not context.units and context.tokens == 0
    context.read(ids, media)
    check(context, ids, media)


@pytest.mark.parametrize("window", [8, 200])
def test_behind_a_window_that_was_reached_all_is_read_again(window: int, tmp_path: Path) -> None:
    base = small.text_model("mistral", tmp_path / "text", sliding_window=window)
    folder = small.omni(base, tmp_path / "omni", None, small.whisper(tmp_path / "hear"))
    model, processor = load_model(folder, torch.float32).eval(), AutoProcessor.from_pretrained(folder)
    made = processor(text="<|audio|>what do you see", audio=[small.sound(1)])
    ids, media = made["input_ids"][0].tolist(), {n: made[n] for n in ("input_features", "audio_tokens")}
    context = Context(model)
    context.read(ids, media)
    other = [*ids[:-1], *OTHERS]
    assert context.read(other, media) == (len(OTHERS) if window == 200 else len(other))
    check(context, other, media)


def test_the_engine_answers_from_what_was_read(omni: tuple[Any, Any]) -> None:
    model, processor = omni
    context = Context(model)
    ids, media = asked(processor)
    context.read(ids[:3], {})
    engine = Engine(model, places=2, pad_token_id=0)
    other = Question([5, 6, 7, 8], Drawing(max_new_tokens=9, ends=()))
    mine = Question(ids, Drawing(max_new_tokens=7, ends=()), media, begun=context)
    text = Question(ids[:3], Drawing(max_new_tokens=4, ends=()), begun=Context(model))
    assert engine.answers([other, mine, text]) == [
        generated(model, other.ids, 9),
        generated(model, ids, 7, media),
        generated(model, ids[:3], 4),
    ]
    check(context, ids, media)
    assert context.read(ids, media) == 1, "what the answer read is its own"


@pytest.mark.parametrize("family", ["llava", "qwen2_audio"])
def test_a_base_with_senses_of_its_own_is_refused_with_what_to_do(family: str, tmp_path: Path) -> None:
    model = load_model(native(family, tmp_path), torch.float32).eval()
    why = why_unfit(model)
    assert why is not None and "set longest_audio_seconds" in why and model.config.model_type in why
    with pytest.raises(ModelError, match="cannot listen as it comes"):
        Listener(model, None)  # type: ignore[arg-type]


def test_positions_that_stretch_are_refused(tmp_path: Path) -> None:
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    base = small.text_model("llama", tmp_path / "text", rope_parameters=rope)
    folder = small.omni(base, tmp_path / "omni", None, small.whisper(tmp_path / "hear"))
    model = load_model(folder, torch.float32).eval()
    assert "stretch" in str(why_unfit(model))


@pytest.mark.parametrize("family", sorted(small.TEXT))
def test_the_families_that_get_senses_can_listen(family: str, tmp_path: Path) -> None:
    base = small.text_model(family, tmp_path / "text")
    folder = small.omni(base, tmp_path / "omni", None, small.whisper(tmp_path / "hear"))
    assert why_unfit(load_model(folder, torch.float32).eval()) is None
