"""Stages about media: batches of a kind, decoded beside training, by one rank or several, change nothing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from manus.data.media.files import MEDIA_BIN, MEDIA_TABLE, MediaFiles
from manus.data.prepared.samples import PreparedSamples
from manus.data.prepared.senses import by_senses
from manus.errors import DataError, ManusError
from manus.guards.run import RUN
from manus.guards.settings import GuardSettings
from manus.models.loading.composition import compose
from manus.models.senses.inputs import media_inputs
from manus.models.senses.omni_inputs import MediaInputs
from manus.models.senses.projectors import language_model_of
from manus.recipe.recipe import METHODS
from manus.training.batches.media import MediaCollator, MediaRows, Row
from manus.training.batches.text import FlatCollator
from manus.training.labels import IGNORED
from manus.training.loop import StageTrainer
from manus.training.stage_job import StageJob
from manus.training.trainers.supervised import shown_by
from tests.integration.stage import job, prepared_with_media, stopped
from tests.pico_omni import with_senses

RUN_OF = {"epochs": 2, "batch_size": 4, "learning_rate": 1e-3, "cache_features": False}
SENSES = [(), ("audio",), ("image",), ("video",)]
INPUTS = {"pixel_values": "image", "pixel_values_videos": "video", "input_features": "audio"}
STATES = {"image_states": "image", "video_states": "video", "audio_states": "audio"}

# One rank of two; it leaves what its batches held and what its cache cost it.
RANK = """
import json, os, sys
from pathlib import Path
from manus.models.senses.omni_inputs import MediaInputs
from manus.recipe.recipe import METHODS
from tests.integration.stage import job
from tests.integration.test_mixed_senses import recorded

base, data, folder, settings = map(json.loads, sys.argv[1:])
asked, state = [], MediaInputs.state
MediaInputs.state = lambda self, model, number, given: (asked.append(number), state(self, model, number, given))[1]
order = job(Path(base), Path(data), Path(folder), "lora", **settings)
told, kinds = recorded(lambda: METHODS["lora"].train(order))
said = {"kinds": kinds, "asked": asked, "steps": told["steps"], "loss": told["last_loss"]}
(Path(folder) / f"rank-{os.environ['RANK']}.json").write_text(json.dumps(said))
"""


def recorded(train: Any) -> tuple[Any, list[list[str]]]:
    """Run a training; return what it returns, and the kinds of media in each of its batches."""
    kinds: list[list[str]] = []
    loss = StageTrainer.compute_loss

    def looking(self: Any, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        kinds.append(sorted({kind for name, kind in {**INPUTS, **STATES}.items() if name in inputs}))
        return loss(self, model, inputs, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StageTrainer, "compute_loss", looking)
        return train(), kinds


@pytest.fixture(scope="module")
def base(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_senses(pico_base, tmp_path_factory.mktemp("omni"))


@pytest.fixture(scope="module")
def data(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared_with_media(base, tmp_path_factory.mktemp("made") / "data")


@pytest.fixture(autouse=True)
def _states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def trained(order: StageJob, method: str, processes: int) -> tuple[Any, list[list[str]], str]:
    with RUN.of(order.work, GuardSettings(cooldown_every_steps=0, decoding_processes=processes), "starting"):
        told, kinds = recorded(lambda: METHODS[method].train(order))
    (weights,) = order.staging.rglob("*.safetensors")
    return told, kinds, hashlib.sha256(weights.read_bytes()).hexdigest()


def held(data: Path) -> dict[tuple[str, ...], int]:
    """Return how many training samples have which senses."""
    samples, files = PreparedSamples(data), MediaFiles(data)
    found: dict[tuple[str, ...], int] = {}
    for index in range(len(samples)):
        senses = tuple(sorted({files.facts(number)["kind"] for number in samples.media_of(index)}))
        found[senses] = found.get(senses, 0) + 1
    return found


def test_all_four_kinds_train_in_one_stage_each_batch_of_one(base: Path, data: Path, tmp_path: Path) -> None:
    counts = held(data)
    assert sorted(counts) == SENSES
    order = job(base, data, tmp_path / "run", "lora", **{**RUN_OF, "packing": False})
    told, kinds, _ = trained(order, "lora", 0)
    batches = {senses: -(-count // 4) for senses, count in counts.items()}
    assert {senses: kinds.count(list(senses)) for senses in SENSES} == {s: 2 * n for s, n in batches.items()}
    assert len(kinds) == told["steps"] == 2 * sum(batches.values())
    by_epoch = [kinds[: len(kinds) // 2], kinds[len(kinds) // 2 :]]
    assert by_epoch[0] != by_epoch[1] and all(some != sorted(some) for some in by_epoch)


def test_packing_puts_samples_of_one_kind_into_a_row(base: Path, data: Path, tmp_path: Path) -> None:
    order = replace(job(base, data, tmp_path / "run", "lora", **RUN_OF, packing=True), max_length=512)
    told, kinds, _ = trained(order, "lora", 0)
    assert {tuple(some) for some in kinds} == set(SENSES)
    assert told["steps"] < 2 * len(PreparedSamples(data)) / 4


@pytest.mark.parametrize("senses", SENSES[1:])
def test_a_beginning_before_the_media_is_computed_once(
    base: Path, data: Path, senses: tuple[str, ...]
) -> None:
    model = compose(base, (), torch.float32).train()
    samples, inputs = PreparedSamples(data), media_inputs(base, data)
    assert isinstance(inputs, MediaInputs) and shown_by(language_model_of(model), samples, inputs).is_sharing
    rows = MediaRows(samples, {senses: by_senses(samples, inputs.files.folder)[senses][:4]}, None)
    placeholder = model.config.placeholder_ids[senses[0]]

    def beginning_alike(row: Row) -> Row:
        ((ids, labels),), media = row
        first = int((ids == placeholder).nonzero()[0])
        asked, unlearned = torch.arange(5, 10), torch.full((5,), IGNORED)
        return [(torch.cat([asked, ids[first:]]), torch.cat([unlearned, labels[first:]]))], media

    batch = [beginning_alike(rows[index]) for index in range(4)]
    losses, lengths = [], []
    for is_sharing in (False, True):
        made = MediaCollator(FlatCollator(is_sharing, tuple(model.config.special_token_ids)), inputs)(batch)
        losses.append(float(model(**made).loss.detach()))
        lengths.append(made["input_ids"].shape[1])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert lengths[0] - lengths[1] == 3 * 5


def test_projectors_learn_from_samples_with_media_alone(
    base: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, kinds, _ = trained(job(base, data, tmp_path / "run", "alignment", **RUN_OF), "alignment", 0)
    assert {tuple(some) for some in kinds} == set(SENSES) - {()}
    assert f"{held(data)[()]} samples without media are left out" in capsys.readouterr().out


@pytest.mark.parametrize("cache", [False, True])
def test_processes_change_no_bit(base: Path, data: Path, tmp_path: Path, cache: bool) -> None:
    settings = {**RUN_OF, "dropout": 0.1, "cache_features": cache}
    runs = [
        trained(job(base, data, tmp_path / str(processes), "lora", **settings), "lora", processes)
        for processes in (0, 1, 3)
    ]
    assert {weights for _, _, weights in runs} == {runs[0][2]}
    assert runs[0][1] == runs[1][1] == runs[2][1]
    assert len({told["last_loss"] for told, _, _ in runs}) == 1


def test_a_run_that_is_stopped_between_kinds_ends_in_the_same_bits(
    base: Path, data: Path, tmp_path: Path
) -> None:
    def order(name: str) -> StageJob:
        return job(base, data, tmp_path / name, "lora", **RUN_OF, dropout=0.1, gradient_accumulation=2)

    assert stopped(order("calm"), ()) == stopped(order("stopped"), (1, 3, 5))


def test_what_cannot_be_decoded_any_more_is_one_message_with_its_name(
    base: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "data"
    broken.mkdir()
    for path in data.iterdir():
        if path.is_file():
            (broken / path.name).write_bytes(path.read_bytes())
    import numpy as np

    table = np.load(broken / MEDIA_TABLE)
    with (broken / MEDIA_BIN).open("r+b") as file:
        for entry in table[table["kind"] == 0]:
            file.seek(int(entry["offset"]))
            file.write(bytes(int(entry["size"])))
    for processes, cache in ((0, False), (2, False), (2, True)):
        order = job(
            base, broken, tmp_path / f"{processes}-{cache}", "lora", **{**RUN_OF, "cache_features": cache}
        )
        with pytest.raises(
            DataError, match=r"^image .*: not a picture in a known format; it could be decoded when"
        ):
            trained(order, "lora", processes)

    def killed(*given: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(MediaInputs, "tensors", killed)
    order = job(base, data, tmp_path / "killed", "lora", **RUN_OF)
    with pytest.raises(
        ManusError, match=r"^stage: the process that decodes media died; .*The next run continues$"
    ):
        trained(order, "lora", 2)


@pytest.mark.parametrize("cache", [pytest.param(False, marks=pytest.mark.exhaustive), True])
def test_two_ranks_take_the_same_steps_and_ask_the_encoders_once(
    base: Path, data: Path, tmp_path: Path, cache: bool
) -> None:
    """A projector without a gradient, on all ranks alike, keeps none of them waiting."""
    given = [str(base), str(data), str(tmp_path / "run"), {**RUN_OF, "cache_features": cache}]
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        str(script),
    ]
    result = subprocess.run(
        [*command, *map(json.dumps, given)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    told = [json.loads((tmp_path / "run" / f"rank-{rank}.json").read_text()) for rank in range(2)]
    assert told[0]["kinds"] == told[1]["kinds"] and told[0]["loss"] == told[1]["loss"]
    assert {tuple(some) for some in told[0]["kinds"]} == set(SENSES)
    assert told[0]["steps"] == 2 * sum(-(-count // 8) for count in held(data).values())
    asked = [number for one in told for number in one["asked"]]
    samples = PreparedSamples(data)
    numbers = {number for index in range(len(samples)) for number in samples.media_of(index)}
    assert sorted(asked) == (sorted(numbers) if cache else [])
    assert all(told[rank]["asked"] for rank in range(2)) or not cache
