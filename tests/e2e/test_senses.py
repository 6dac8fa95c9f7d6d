"""A recipe that gives senses, from end to end: encoders of folders, generated data, a merged omni model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.product import Product, digest
from tests.pico_omni import encoders

pytestmark = pytest.mark.e2e

RECIPE = """\
base_model: base
defaults: {method: lora, epochs: 2, batch_size: 8, learning_rate: 2e-3, held_out: 8, max_length: 512, precision: fp32}
capabilities:
  - omni:
      vision: ./seeing
      audio_input: ./hearing
      most_frames: 2
      data: [{generator: scenes, size: 24, options: {kinds: [caption]}}, {generator: spoken, size: 12, options: {kinds: [transcript]}}]
  - vision-qa: {data: [{generator: scenes, size: 24}], probe: {max_new_tokens: 4}}
  - cot: {data: [{path: first.jsonl}], method: sft, probe: {max_new_tokens: 12}}
guards: {cooldown_every_steps: 0}
"""


@pytest.fixture(scope="module")
def sensing(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Product:
    from tests.pico import rows, write_rows

    folder = tmp_path_factory.mktemp("sensing")
    shutil.copytree(pico_base, folder / "base")
    encoders(folder)
    write_rows(folder / "first.jsonl", rows("first", 40))
    product = Product(folder, folder / "r.yaml")
    product.recipe.write_text(RECIPE)
    product.snakemake()
    return product


def evaluation(product: Product, name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((product.results / "evaluations" / f"{name}.json").read_text())
    return value


def test_the_merged_folder_is_an_omni_model_that_sees(sensing: Product) -> None:
    """In a process of its own, as a user has it: `import manus`, then plain transformers."""
    program = """
import manus
import numpy as np
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

processor = AutoProcessor.from_pretrained("results/r/merged")
model = AutoModelForImageTextToText.from_pretrained("results/r/merged")
parts = [{"type": "image", "image": Image.new("RGB", (40, 30), "red")}, {"type": "text", "text": "What colour?"}]
chat = [{"role": "user", "content": parts}]
inputs = processor.apply_chat_template(
    chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
)
assert "pixel_values" in inputs
red = model(**inputs).logits[0, -1]
inputs["pixel_values"] = -inputs["pixel_values"]
assert not (red == model(**inputs).logits[0, -1]).all(), "another picture, another answer"
print(processor.tokenizer.decode(model.generate(**inputs, max_new_tokens=3)[0]))
"""
    from tests.e2e.product import BIN, run

    run([str(BIN / "python"), "-c", program], sensing.folder)


def test_the_projectors_alone_are_trained_by_the_omni_stage(sensing: Product) -> None:
    trained = digest(sensing.results / "stages" / "omni")
    assert list(trained) == ["projectors/projectors.safetensors"]
    before, after = (
        json.loads((sensing.results / name / "config.json").read_text()) for name in ("omni", "merged")
    )
    assert before["model_type"] == after["model_type"] == "manus_omni"


def test_each_sense_is_measured_with_and_without(sensing: Product) -> None:
    seen = evaluation(sensing, "vision-qa")
    assert {"picture blanked", "picture swapped"} <= set(seen["ablations"])
    aligned = evaluation(sensing, "omni")
    assert aligned["metric"] == "retrieval_accuracy" and set(aligned["after"]["levels"]) == {"image", "audio"}
    assert "ablations" not in evaluation(sensing, "cot")
    page = (sensing.results / "report.html").read_text()
    assert "Without the sense" in page and "data:image/jpeg;base64," in page


def test_a_second_run_builds_nothing_and_an_edit_what_it_alters(sensing: Product) -> None:
    assert set(sensing.plan().values()) == {"current"}
    sensing.edit("most_frames: 2", "most_frames: 3")
    try:
        built = {name for name, action in sensing.plan().items() if action == "build"}
    finally:
        sensing.edit("most_frames: 3", "most_frames: 2")
    assert {"assemble/omni", "data/omni", "train/vision-qa", "merge/merged"} <= built
    assert "detect/detected" not in built


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("      vision: ./seeing\n", "      vision: ./seing\n", ("r.yaml:5", "'./seing'")),
        ("      vision: ./seeing\n", "      vision: ./base\n", ("r.yaml:5", "vision")),
        ("      vision: ./seeing\n", "      vision: none\n", ("r.yaml:9", "vision-qa", "needs vision")),
        ("      audio_input: ./hearing\n", "      audio_input: ./seeing\n", ("r.yaml:6", "audio_input")),
    ],
)
def test_what_cannot_see_is_refused_before_anything_runs(
    sensing: Product, old: str, new: str, words: tuple[str, ...]
) -> None:
    sensing.edit(old, new)
    try:
        refused = sensing.manus("validate", sensing.recipe.name, check=False)
    finally:
        sensing.edit(new, old)
    assert refused.returncode == 2
    for word in words:
        assert word in refused.stdout + refused.stderr


def test_rows_of_a_users_own_are_measured_as_held_out_ones_are(sensing: Product) -> None:
    from manus.data.generators import scenes

    told = evaluation(sensing, "merged")["stages"]["vision-qa"]["merged"]
    with (sensing.folder / "mine.jsonl").open("w") as stream:
        for number, row in enumerate(scenes.rows(8, 42, True, scenes.Settings())):
            picture = sensing.folder / f"mine-{number}.png"
            part = row["messages"][0]["content"][0]
            picture.write_bytes(part["image"]["bytes"])
            part["image"] = picture.name
            stream.write(json.dumps(row | {"licence": "ours"}) + "\n")
        stream.write(json.dumps({"image": "gone.png", "question": "Which?", "answer": "none"}) + "\n")
    asked = ("measure", "results/r/merged", "vision-qa", "--data", "mine.jsonl", "--max-new-tokens", "4")
    found = json.loads(sensing.manus(*asked, "--json").stdout)
    assert found["values"] == told["values"]
    assert [one["text"] for one in found["said"]] == [one["text"] for one in told["said"]]
    assert set(found["ablations"]) == {"question alone", "picture blanked", "picture swapped"}
    assert found["columns_not_read"] == {"licence": 8}
    assert found["rows"] == 9 and "gone.png" in next(iter(found["refused"]))
    shown = sensing.manus(*asked)
    assert "blanked" in shown.stdout and "gone.png" in shown.stderr
    assert "mine.jsonl: columns that are not read: licence (8 rows)" in shown.stderr
