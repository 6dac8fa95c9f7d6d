"""What trains hears the pieces that a listener hears; what was learned outlives a session's forgetting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoProcessor

from manus.capabilities import known_capabilities
from manus.data.preparation.choosing import prepare
from manus.data.prepared.samples import read_held_out
from manus.data.sample import PLACEHOLDERS
from manus.data.settings import DataSettings, Source
from manus.models.generation.questions import Drawing
from manus.models.listening.listener import Listener
from manus.models.listening.memory import Memory
from manus.models.loading.composition import load_model
from manus.models.omni.layout import MediaLayout
from manus.models.senses.omni_inputs import MediaInputs
from manus.models.tokenizer import load_tokenizer
from tests.seeds import SEED
from tests.unit.data.media import corpus
from tests.unit.models.omni import small

PIECE_SECONDS = 0.32
SECONDS = 1.5


@pytest.fixture(scope="module")
def folder(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An omni checkpoint of a pico base that hears pieces of a third of a second."""
    root = tmp_path_factory.mktemp("listens")
    ears = small.whisper(root / "ears")
    return small.omni(pico_base, root / "omni", None, ears, settings={"longest_audio_seconds": PIECE_SECONDS})


def test_what_trains_sees_the_pieces_that_a_listener_hears(folder: Path, tmp_path: Path) -> None:
    hearing = known_capabilities()["hearing"]
    rows = []
    for name, hertz in (("a.wav", 440.0), ("b.wav", 330.0)):
        (tmp_path / name).write_bytes(corpus.wav(corpus.tone(SECONDS, hertz=hertz)))
        parts = [{"type": "audio", "audio": name}, {"type": "text", "text": "What is it?"}]
        said = {"role": "assistant", "content": f"A tone of {hertz:g} hertz."}
        rows.append(json.dumps({"messages": [{"role": "user", "content": parts}, said]}))
    (tmp_path / "rows.jsonl").write_text("\n".join(rows) + "\n")
    prepare(
        [Source(path=str(tmp_path / "rows.jsonl"))],
        DataSettings(held_out=1, max_length=256),
        hearing.read,
        "messages",
        load_tokenizer(folder),
        tmp_path,
        SEED,
        tmp_path,
        tmp_path / "work",
        MediaLayout.of(folder),
    )
    (sample,) = read_held_out(tmp_path)
    assert len(sample["media"]) == -(-SECONDS // PIECE_SECONDS) == 5
    model, processor = load_model(folder, torch.float32).eval(), AutoProcessor.from_pretrained(folder)
    inputs = MediaInputs.of(folder, tmp_path)
    tokens, media = inputs.whole(processor.tokenizer, sample)
    with torch.no_grad():
        trained_on = model.embedded(torch.tensor([tokens.ids]), **media)
    listener = Listener(model, processor)
    heard = np.concatenate([inputs.files.audio(medium["number"]) for medium in sample["media"]])
    for start in range(0, len(heard), 1234):
        listener.hear(heard[start : start + 1234], 16_000)
    question = sample["messages"][0]["content"].replace(PLACEHOLDERS["audio"], "")
    assert question.strip() == "What is it?"
    listener.say(question)
    list(listener.answer(Drawing(max_new_tokens=1, ends=())))
    read = torch.cat([held.embeds for held in listener.held], dim=1)[:, :-1]  # the answer's token apart
    count = read.shape[1]
    assert listener.ids[:count] == list(tokens.ids[:count])
    assert sum(tokens.ids[n] == model.config.audio_token_id for n in range(count)) > 15
    torch.testing.assert_close(read, trained_on[:, :count], atol=1e-5, rtol=1e-5)


HERTZ = (300.0, 700.0, 1500.0)
ANSWERS = (40, 41, 42)  # tokens of text, one a tone
MEMORY = 80  # tokens: about a dozen pieces
RATE = 5e-3
POOL = 24  # pieces of each tone


def pieces(tone: int, draw: np.random.Generator, count: int) -> list[np.ndarray]:
    """Return pieces of one tone, each with a phase, a loudness and noise of its own."""
    times = np.arange(round(PIECE_SECONDS * 16_000)) / 16_000
    made = []
    for _ in range(count):
        hertz, phase = HERTZ[tone] * draw.uniform(0.97, 1.03), draw.uniform(0, 2 * np.pi)
        wave = draw.uniform(0.2, 0.8) * np.sin(2 * np.pi * hertz * times + phase)
        made.append((wave + 0.02 * draw.standard_normal(len(times))).astype(np.float32))
    return made


def learn(model: Any, processor: Any, steps: int) -> None:
    """Teach a model to name the last of several tones, whatever their number."""
    draw = np.random.default_rng(SEED)
    turns = Listener(model, processor).turns
    beginning, asking = (processor.tokenizer(text)["input_ids"] for text in (turns.beginning, turns.asking))
    made = [processor.audio_inputs(pieces(tone, draw, POOL)) for tone in range(len(HERTZ))]
    states = torch.cat([model.encode_audio(one["input_features"]) for one in made])
    count = int(made[0]["audio_tokens"][0])
    place = [model.config.audio_token_id] * count
    trained = [*model.language_model.parameters(), *model.audio_projector.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=RATE)
    rows = 16
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 20)
        length = int(draw.integers(1, 1 + (MEMORY - len(beginning) - len(asking)) // count))
        tones = draw.integers(0, len(HERTZ), (rows, length))
        which = torch.from_numpy(tones * POOL + draw.integers(0, POOL, tones.shape)).flatten()
        before = [*beginning, *place * length, *asking]
        answers = torch.tensor([[ANSWERS[tone]] for tone in tones[:, -1]])
        ids = torch.cat([torch.tensor([before] * rows), answers], dim=1)
        labels = torch.full_like(ids, -100)
        labels[:, -1] = ids[:, -1]
        heard = {"audio_states": states[which], "audio_tokens": torch.full((len(which),), count)}
        loss = model(input_ids=ids, labels=labels, **heard).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.learns
def test_the_last_sound_is_still_recognised_once_the_session_has_forgotten_its_first(tmp_path: Path) -> None:
    base = small.text_model("llama", tmp_path / "base", initializer_range=0.1)
    settings = {"longest_audio_seconds": PIECE_SECONDS}
    folder = small.omni(base, tmp_path / "omni", None, small.whisper(tmp_path / "ears"), settings=settings)
    model, processor = load_model(folder, torch.float32).eval(), AutoProcessor.from_pretrained(folder)
    torch.manual_seed(SEED)
    learn(model, processor, 300)
    draw = np.random.default_rng(SEED + 1)
    right, deaf, asked, heard = 0, 0, 15, 26
    for _ in range(asked):
        tones = draw.integers(0, len(HERTZ), heard)
        silenced = Listener(model, processor, memory=Memory(MEMORY))
        listener = Listener(model, processor, memory=Memory(MEMORY))
        for number, tone in enumerate(tones):
            (piece,) = pieces(int(tone), draw, 1)
            listener.hear(piece, 16_000)
            silenced.hear(piece if number < heard - 1 else 0 * piece, 16_000)
        places = listener.ids.count(model.config.audio_token_id)
        assert listener.context.tokens <= MEMORY and places < heard * 4 * 0.7, "not all of it is remembered"
        right += best(listener) == tones[-1]
        deaf += best(silenced) == tones[-1]
    assert right >= 0.9 * asked, f"{right} of {asked}"
    assert deaf <= 0.6 * asked, f"{deaf} of {asked} in silence"


def best(listener: Listener) -> int:
    """Ask, and return the number of the answer."""
    (step,) = listener.answer(Drawing(max_new_tokens=1, ends=()))
    return ANSWERS.index(step.token) if step.token in ANSWERS else -1
