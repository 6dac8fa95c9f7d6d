"""What is heard and seen piece by piece is computed as at once; what is forgotten is forgotten by rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoProcessor

from manus.errors import ModelError
from manus.models.generation.questions import Drawing
from manus.models.listening.listener import Listener
from manus.models.listening.memory import Memory
from manus.models.loading.composition import load_model
from tests.unit.models.omni import small

PIECE_SECONDS = 0.32
FAMILIES = ["llama", "gemma3_text", "gpt_neox", "mistral"]
MEMORY = 160  # tokens; a piece of two seconds takes 25
CHANGES: dict[str, dict[str, Any]] = {
    "mistral": {"sliding_window": 24}
}  # shorter than what is heard and seen


def made(family: str, root: Path, piece_seconds: float = PIECE_SECONDS, **changes: Any) -> tuple[Any, Any]:
    """Build a pico model that sees, and hears pieces of so many seconds; return it with its processor."""
    vision = small.vision_encoder("siglip_vision_model", root / "vision")
    settings = {"longest_audio_seconds": piece_seconds, "most_frames": 16}
    base = small.text_model(family, root / "base", **changes)
    folder = small.omni(base, root / "omni", vision, small.whisper(root / "audio"), settings=settings)
    return load_model(folder, torch.float32).eval(), AutoProcessor.from_pretrained(folder)


def pieces_of(sound: np.ndarray) -> list[np.ndarray]:
    """Return a sound as data preparation cuts it: the parts that the encoder hears at once."""
    longest = round(PIECE_SECONDS * 16_000)
    return [sound[start : start + longest] for start in range(0, len(sound), longest)]


@pytest.mark.parametrize("family", FAMILIES)
def test_pieces_give_the_logits_and_answers_of_the_whole(family: str, tmp_path: Path) -> None:
    model, processor = made(family, tmp_path, **CHANGES.get(family, {}))
    listener = Listener(model, processor, instructions="be kind")
    heard, film = small.sound(1, 1.5), small.film(1, frames=3)
    for start in range(0, len(heard), 1000):
        listener.hear(heard[start : start + 1000], 16_000)
    listener.say("and")
    for frame in film:
        listener.watch(frame)
    listener.see(small.picture(3))
    listener.say("what do you see")
    steps = list(listener.answer(Drawing(max_new_tokens=6, ends=())))
    content: list[dict[str, Any]] = [{"type": "audio", "audio": piece} for piece in pieces_of(heard)]
    content += [{"type": "text", "text": "and"}, {"type": "video", "video": film}]
    content += [
        {"type": "image", "image": small.picture(3)},
        {"type": "text", "text": "what do you see"},
    ]
    turns: list[dict[str, Any]] = [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": content},
    ]
    whole = processor.apply_chat_template(
        turns, tokenize=True, return_dict=True, return_tensors="pt", add_generation_prompt=True
    )
    whole.pop("token_type_ids", None)
    answer = model.generate(**whole, max_new_tokens=6, do_sample=False, eos_token_id=None)
    length = whole["input_ids"].shape[1]
    assert [step.token for step in steps] == answer[0, length:].tolist()
    assert listener.ids == answer[0].tolist()
    with torch.no_grad():
        media = {name: value for name, value in whole.items() if name not in ("input_ids", "attention_mask")}
        logits = model(input_ids=answer, **media, is_generating=True).logits[0, -1]
    seen = torch.isfinite(logits)
    assert torch.equal(seen, torch.isfinite(listener.logits[0]))
    assert (logits - listener.logits[0])[seen].abs().max() < 1e-4
    other = Listener(model, processor, instructions="be kind")
    other.hear(small.sound(2, 1.5), 16_000)
    first = Listener(model, processor, instructions="be kind")
    first.hear(heard, 16_000)
    assert first.ids == other.ids, "so that the sound alone differs"
    assert (first.logits - other.logits)[0, seen].abs().max() > 1e-2


@pytest.fixture(scope="module")
def ears(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    return made("llama", tmp_path_factory.mktemp("ears"))


def test_it_goes_on_listening_after_an_answer_which_stays_in_the_conversation(ears: tuple[Any, Any]) -> None:
    model, processor = ears
    listener = Listener(model, processor)
    listener.hear(small.sound(1, 0.5), 16_000)
    said = [step.token for step in listener.answer(Drawing(max_new_tokens=4, ends=()))]
    listener.watch(small.film(1)[0])
    listener.hear(small.sound(2, 0.4), 16_000)
    again = [step.token for step in listener.answer(Drawing(max_new_tokens=4, ends=()))]
    one, two = pieces_of(small.sound(1, 0.5)), pieces_of(small.sound(2, 0.4))
    frame = {"type": "video", "video": small.film(1)[:1]}
    text = listener.turns
    written = (
        text.beginning + "<|audio|>" * len(one) + text.asking + "{}" + text.next + "<|video|>"
        + "<|audio|>" * len(two) + text.asking
    )  # fmt: skip
    marked = processor(
        text=written.replace("{}", "<|im_start|>"), videos=[frame["video"]], audio=[*one, *two]
    )
    marked.pop("token_type_ids", None)
    ids = marked["input_ids"][0].tolist()
    opening = processor.tokenizer("<|im_start|>", add_special_tokens=False)["input_ids"]
    place = [n for n, token in enumerate(ids) if [token] == opening][2]  # of user, assistant, and the mark
    # The first piece of the second sound comes before the frame is followed by it: here the frame is first in
    # both.
    whole = torch.tensor([[*ids[:place], *said, *ids[place + 1 :]]])
    media = {name: value for name, value in marked.items() if name not in ("input_ids", "attention_mask")}
    answer = model.generate(
        input_ids=whole, attention_mask=torch.ones_like(whole), **media, max_new_tokens=4, eos_token_id=None
    )
    assert answer[0, whole.shape[1] :].tolist() == again
    assert listener.ids == answer[0].tolist()


def test_an_answer_that_is_not_heard_to_its_end_is_remembered_as_far_as_it_was_said(
    ears: tuple[Any, Any],
) -> None:
    model, processor = ears
    listener = Listener(model, processor)
    listener.say("what")
    steps = listener.answer(Drawing(max_new_tokens=30, ends=()))
    said = [next(steps).token for _ in range(3)]
    before = listener.ids
    assert before[-3:] == said
    listener.say("and")
    assert listener.ids[: len(before)] == before


def test_an_end_of_turn_is_told_and_stands_once_in_the_conversation(ears: tuple[Any, Any]) -> None:
    model, processor = ears
    listener = Listener(model, processor)
    listener.say("what")
    ends = tuple(range(model.config.vocab_size))
    (step,) = listener.answer(Drawing(max_new_tokens=9, ends=ends))
    assert step.finish == "stop" and listener.ids[-1] != step.token
    listener.say("and")
    assert processor.decode(listener.ids).count("<|im_end|>") == 2  # of the user, and of the empty answer


def test_sound_of_another_rate_and_frames_of_any_time(ears: tuple[Any, Any]) -> None:
    model, processor = ears
    listener = Listener(model, processor)
    listener.hear(torch.from_numpy(small.sound(1, 0.5)), 24_000)
    listener.watch(small.film(1)[0], 7.25)
    listener.say("!")
    text = processor.decode(listener.ids)
    assert "<7.2 seconds>" in text and text.count("<|audio|>") == -(
        -round(0.5 * 16_000 / 24_000 * 16_000) // 1280
    )


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda one: one.hear(np.zeros((2, 5), np.float32), 16_000), "mono floats"),
        (lambda one: one.hear(np.zeros(5, np.int16), 16_000), "mono floats"),
        (lambda one: one.hear(np.full(5, np.nan, np.float32), 16_000), "no numbers"),
        (lambda one: one.hear(small.sound(), 0), "samples a second"),
        (lambda one: one.watch(np.zeros((4, 4), np.uint8)), "a frame is uint8"),
        (lambda one: one.say("<|audio|>"), "give the medium as such"),
        (lambda one: one.answer(Drawing(max_new_tokens=5000, ends=())), "raise most_tokens"),
        (lambda one: one.say("what " * 500), "raise most_tokens"),
    ],
)
def test_what_cannot_be_read_is_refused_and_changes_nothing(
    ears: tuple[Any, Any], act: Any, message: str
) -> None:
    listener = Listener(*ears)
    before = listener.ids
    with pytest.raises(ValueError, match=message):
        act(listener)
    assert listener.ids == before


def test_more_than_the_model_reads_cannot_be_remembered(ears: tuple[Any, Any]) -> None:
    with pytest.raises(ModelError, match="by a model that reads 512"):
        Listener(*ears, memory=Memory(513))
    assert Listener(*ears).memory.most_tokens == 512


def test_an_hour_of_sound_stays_within_bounds_and_the_state_is_that_of_what_is_remembered(
    tmp_path: Path,
) -> None:
    model, processor = made("llama", tmp_path, 2.0)
    listener = Listener(model, processor, instructions="be kind", memory=Memory(MEMORY))
    rng = np.random.default_rng(0)
    minute = (0.1 * rng.standard_normal(60 * 16_000)).astype(np.float32)
    beginning = processor.tokenizer(listener.turns.beginning)["input_ids"]
    sizes, held, read = [], [], 0
    for number in range(60):
        listener.hear(minute * np.float32(rng.uniform(0.5, 1)), 16_000)
        if number % 10 == 9:
            listener.say("what")
            read += len(list(listener.answer(Drawing(max_new_tokens=5, ends=()))))
        sizes.append(listener.context.bytes)
        held.append(sum(one.embeds.numel() for one in listener.held))
        assert listener.context.tokens == len(listener.ids) <= MEMORY
        assert listener.ids[: len(beginning)] == beginning
    layers, heads, size, hidden, bytes_of_a_number = 2, 2, 8, 32, 4
    assert read == 30 and listener.turn == 5
    assert max(sizes) <= MEMORY * layers * 2 * heads * size * bytes_of_a_number
    assert max(held) <= MEMORY * hidden and len(listener.pieces.waiting_S) < listener.pieces.samples
    with torch.no_grad():
        embeds = torch.cat([one.embeds for one in listener.held], dim=1)
        logits = model(inputs_embeds=embeds, is_generating=True).logits[0, -1]
    seen = torch.isfinite(logits)
    assert (logits - listener.logits[0])[seen].abs().max() < 1e-4
