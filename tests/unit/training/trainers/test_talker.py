"""A talker's stage: it ends in the same bits however it is stopped, and goes on from an earlier talker."""

import hashlib
import json
import signal
from pathlib import Path

import pytest

from manus.errors import InputError, Interrupted
from manus.guards.requests import REQUESTS
from manus.guards.run import RUN
from manus.guards.settings import GuardSettings
from manus.models.loading.composition import Trained
from manus.models.speech.settings import VoiceSettings
from manus.models.speech.storing import load_talker
from manus.recipe.recipe import METHODS
from manus.training.stage_job import StageJob
from manus.training.trainers.talker import train_talker
from tests.unit.models.speech.speaking import VOICES, coded

TEXTS = [f"{a} {b} three" for a in ("one", "two", "six") for b in ("four", "five")]
VOICE = VoiceSettings(talker_hidden=32, talker_layers=1, talker_heads=2, frame_shifts=2)


def order(base: Path, folder: Path, start=(), speech=None) -> StageJob:
    data = folder / "data"
    for part in (folder / "work", folder / "staging", data):
        part.mkdir(parents=True, exist_ok=True)
    turns = [{"role": "user", "content": "one five three"}, {"role": "assistant", "content": "<|audio|>"}]
    (data / "held_out.jsonl").write_text(json.dumps({"messages": turns}) + "\n")
    settings = METHODS["alignment"].Settings(epochs=4, batch_size=2, learning_rate=2e-3, precision="fp32")
    speech = speech or coded(folder / "speech", TEXTS)
    places = {"work": folder / "work", "staging": folder / "staging", "speech": speech, "data": data}
    return StageJob("podcast", settings, base, "pico", start, max_length=64, seed=0, voice=VOICE, **places)


def train(job: StageJob, stop: int | None = None) -> None:
    cross = RUN.cross

    def crossing(doing, step=0, *rest):
        REQUESTS.stop = signal.SIGTERM if step and step == stop else None
        cross(doing, step, *rest)

    with (
        pytest.MonkeyPatch.context() as patch,
        RUN.of(job.work, GuardSettings(cooldown_every_steps=0), "starting"),
    ):
        patch.setattr(RUN, "cross", crossing)
        patch.setattr(REQUESTS, "stop", None)
        METHODS["alignment"].train(job)


def logged(job: StageJob) -> list[dict[str, float]]:
    return [json.loads(line) for line in (job.staging / "metrics.jsonl").read_text().splitlines()]


def losses(job: StageJob) -> list[float]:
    return [entry["loss"] for entry in logged(job)]


def left(job: StageJob) -> tuple[str, list[dict[str, float]]]:
    weights = (job.staging / "talker" / "talker.safetensors").read_bytes()
    return hashlib.sha256(weights).hexdigest(), logged(job)


def test_a_stopped_stage_ends_in_the_same_bits(pico_base, tmp_path):
    whole = order(pico_base, tmp_path / "whole")
    train(whole)
    stopped = order(pico_base, tmp_path / "stopped", speech=whole.speech)
    for stop in (3, 7):
        with pytest.raises(Interrupted, match="next run continues"):
            train(stopped, stop)
    train(stopped)
    assert left(stopped) == left(whole) and len(losses(whole)) == 12
    assert {"codes_1", "codes_2", "action", "tokens"} <= logged(whole)[-1].keys()
    assert load_talker(whole.staging / "talker").voices == VOICES


def test_a_later_stage_goes_on_from_the_talker_before_it(pico_base, tmp_path):
    first = order(pico_base, tmp_path / "first")
    train(first)
    start = (Trained("podcast", "talker", first.staging / "talker"),)
    second = order(pico_base, tmp_path / "second", start, first.speech)
    train(second)
    assert losses(second)[0] < losses(first)[0]
    facts = first.speech / "speech.json"
    told = json.loads(facts.read_text())
    facts.write_text(json.dumps(told | {"voices": [f"voice {n}" for n in range(64)]}))
    with pytest.raises(InputError, match="64 new voices, and the talker of an earlier stage has room for 62"):
        train_talker(order(pico_base, tmp_path / "third", start, first.speech))
