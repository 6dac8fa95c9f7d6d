"""The encoder that learns drawn scenes: it learns at all, it continues exactly, its folder works."""

import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from manus.errors import Interrupted, ModelError
from manus.guards.checkpoint import checkpoints
from manus.guards.requests import Requests
from manus.guards.run import Run
from manus.guards.settings import GuardSettings
from manus.models.encoders.finding import find_encoder
from manus.models.encoders.materialising import materialise
from manus.models.encoders.trained import _guarded, _labelled, scenes
from manus.store.digests import Digests
from tests.seeds import SEED

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
SHORT = scenes.Effort(steps=8, batch_size=4, measured_pictures=8)


def test_no_picture_holds_a_pair_that_is_held_out():
    draw = random.Random(0)
    seen = set()
    for _ in range(300):
        picture = _labelled.labelled(draw, _labelled.SEEN)
        seen |= set(zip(picture.colours.tolist(), picture.shapes.tolist(), strict=True))
    hidden = {
        (1 + _labelled.COLOURS.index(colour), 1 + _labelled.SHAPES.index(shape))
        for colour, shape in _labelled.HELD_OUT
    }
    assert len(hidden) == 7
    assert not seen & hidden
    assert (
        len({colour for colour, _ in seen}) == len(_labelled.COLOURS) + 2
    )  # nothing, and those without a name
    assert len({shape for _, shape in seen}) == len(_labelled.SHAPES) + 1


def test_labels_stand_where_the_things_are():
    draw = random.Random(1)
    shown, held, centred = [], [], []
    for _ in range(100):
        picture = _labelled.labelled(draw, _labelled.SEEN)
        pixels = np.asarray(picture.picture, dtype=int)
        patches = pixels.reshape(8, 8, 8, 8, 3).swapaxes(1, 2).reshape(64, 8, 8, 3)
        shown.append(
            abs(patches[:, 3:5, 3:5] - pixels[0, 0]).max((1, 2, 3)) > 40
        )  # unlike the corner's background
        held.append(picture.shapes > 0)
        centred.append(held[-1] & (abs(picture.towards).max(1) < 0.4))
    shown_P, held_P, centred_P = (np.concatenate(each) for each in (shown, held, centred))
    assert centred_P.sum() > 150
    assert shown_P[centred_P].mean() > 0.99, "a thing's middle is on the patch that is said to have it"
    assert held_P[shown_P].mean() > 0.98, "what is shown is labelled"
    assert shown_P[held_P].mean() > 0.5, "what is labelled is shown, but for the rims of things"


@pytest.mark.learns
def test_it_learns_what_shuffled_labels_cannot_teach(tmp_path: Path):
    effort = {"steps": 60, "batch_size": 12, "measured_pictures": 48, "learning_rate": 2e-3}
    _, _, taught = scenes.train(SEED, tmp_path / "taught", scenes.Effort(**effort))
    _, _, misled = scenes.train(SEED, tmp_path / "misled", scenes.Effort(**effort, is_shuffled=True))
    held_out, before, nothing = taught["held_out"], taught["held_out_before"], misled["held_out"]
    assert held_out["colour"] > 0.5 > 0.3 > max(before["colour"], nothing["colour"])
    assert held_out["place"] > 0.88 > max(before["place"], nothing["place"])


def test_the_same_seed_gives_the_same_bits_and_another_others(tmp_path: Path):
    one, again, other = (
        scenes.train(seed, tmp_path / name, SHORT)[0].state_dict()
        for seed, name in ((3, "a"), (3, "b"), (4, "c"))
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_a_signal_stops_it_and_the_next_call_ends_in_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    straight, _, facts = scenes.train(3, tmp_path / "straight", SHORT)
    drawn, real, run = [], scenes.batch_of, Run(Requests())

    def batch_then_signal(*args, **kwargs):
        drawn.append(None)
        if len(drawn) == 5:  # one batch is for measuring
            os.kill(os.getpid(), signal.SIGTERM)
        return real(*args, **kwargs)

    monkeypatch.setattr(_guarded, "RUN", run)
    monkeypatch.setattr(scenes, "batch_of", batch_then_signal)
    work = tmp_path / "stopped"
    work.mkdir()
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    run.requests.listen()
    try:
        with (
            run.of(work, GuardSettings(), "starting"),
            pytest.raises(Interrupted, match="SIGTERM while training scenes"),
        ):
            scenes.train(3, work, SHORT)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert [path.name for path in checkpoints(work)] == ["checkpoint-4"]
    monkeypatch.undo()
    continued, _, again = scenes.train(3, work, SHORT)
    weights = continued.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in straight.state_dict().items())
    assert again == facts


def test_it_becomes_a_folder_that_transformers_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    encoder = find_encoder("vision", "trained:scenes", tmp_path, Digests(tmp_path / "digests.json"), {})
    assert (encoder.kind, encoder.is_seeded, encoder.model_type) == ("trained", True, "siglip_vision_model")
    monkeypatch.setattr(scenes.train, "__defaults__", (SHORT,))
    folder = tmp_path / "out"
    folder.mkdir()
    facts = materialise(encoder, folder, 0, tmp_path / "work")
    assert facts["held_out"].keys() == {"colour", "shape", "place"}
    model, preparer = AutoModel.from_pretrained(folder), AutoImageProcessor.from_pretrained(folder)
    prepared = preparer(Image.new("RGB", (100, 50), "red"), return_tensors="pt")
    assert model(**prepared).last_hidden_state.shape == (1, 64, scenes.WIDTH)


def test_its_key_sees_what_the_scenes_hold_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def identity():
        return find_encoder(
            "vision", "trained:scenes", tmp_path, Digests(tmp_path / "digests.json"), {}
        ).identity()

    before = identity()
    assert identity() == before
    monkeypatch.setattr(_labelled, "HELD_OUT", _labelled.HELD_OUT[:-1])
    assert identity() != before
    with pytest.raises(ModelError, match="cannot be trained here; what can be for audio_input: nothing"):
        find_encoder("audio_input", "trained:scenes", tmp_path, Digests(tmp_path / "digests.json"), {})
