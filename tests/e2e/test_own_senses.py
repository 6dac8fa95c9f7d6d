"""A recipe on a base that sees, from end to end: nothing is assembled, the merged model is of its family."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.product import BIN, Product, run
from tests.pico_native import llava

pytestmark = pytest.mark.e2e

RECIPE = """\
base_model: base
defaults: {method: lora, epochs: 1, batch_size: 8, learning_rate: 2e-3, held_out: 8, max_length: 512, precision: fp32}
capabilities:
  - vision-qa: {data: [{generator: scenes, size: 24}], probe: {max_new_tokens: 4}}
  - video-understanding: {data: [{generator: moving-scenes, size: 16}], probe: {max_new_tokens: 4}}
  - cot: {data: [{path: first.jsonl}], method: sft, probe: {max_new_tokens: 12}}
guards: {cooldown_every_steps: 0}
"""


@pytest.fixture(scope="module")
def seeing(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Product:
    from tests.pico import rows, write_rows

    folder = tmp_path_factory.mktemp("seeing")
    llava(folder / "base", pico_base)
    write_rows(folder / "first.jsonl", rows("first", 40))
    product = Product(folder, folder / "r.yaml")
    product.recipe.write_text(RECIPE)
    product.snakemake()
    return product


def test_nothing_is_assembled(seeing: Product) -> None:
    planned = seeing.plan()
    assert set(planned.values()) == {"current"}
    assert not [name for name in planned if name.startswith(("assemble/", "encoder/", "base/"))]
    assert not (seeing.results / "omni").exists()


def test_the_merged_folder_is_a_model_of_plain_transformers(seeing: Product) -> None:
    """In a process of its own, without Manus."""
    program = """
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

processor = AutoProcessor.from_pretrained("results/r/merged")
model = AutoModelForImageTextToText.from_pretrained("results/r/merged")
assert type(model).__name__ == "LlavaForConditionalGeneration", type(model)
parts = [{"type": "image", "image": Image.new("RGB", (40, 30), "red")}, {"type": "text", "text": "What colour?"}]
chat = [{"role": "user", "content": parts}]
inputs = processor.apply_chat_template(
    chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
)
red = model(**inputs).logits[0, -1]
inputs["pixel_values"] = -inputs["pixel_values"]
assert not (red == model(**inputs).logits[0, -1]).all(), "another picture, another answer"
print(processor.tokenizer.decode(model.generate(**inputs, max_new_tokens=3)[0]))
"""
    run([str(BIN / "python"), "-c", program], seeing.folder)
    template = "chat_template.jinja"
    assert (seeing.results / "merged" / template).read_bytes() == (
        seeing.folder / "base" / template
    ).read_bytes()


def test_senses_are_cut_off_and_shown(seeing: Product) -> None:
    told = {
        name: json.loads((seeing.results / "evaluations" / f"{name}.json").read_text())
        for name in ("vision-qa", "video-understanding", "cot")
    }
    assert {"picture blanked", "picture swapped"} <= set(told["vision-qa"]["ablations"])
    assert "frames shuffled" in told["video-understanding"]["ablations"] and "ablations" not in told["cot"]
    page = (seeing.results / "report.html").read_text()
    assert "Without the sense" in page and "data:image/jpeg;base64," in page
    card = (seeing.results / "merged" / "README.md").read_text()
    assert "image-text-to-text" in card and "import manus" not in card


def test_a_picture_can_be_talked_about(seeing: Product) -> None:
    from PIL import Image

    Image.new("RGB", (40, 30), "red").save(seeing.folder / "red.png")
    asked = [
        "results/r/merged",
        "--image",
        "red.png",
        "--once",
        "What colour?",
        "--max-new-tokens",
        "3",
        "--json",
    ]
    assert json.loads(seeing.manus("chat", *asked).stdout)["tokens"] >= 1
    refused = seeing.manus("chat", "results/r/merged", "--audio", "red.png", "--once", "What?", check=False)
    assert refused.returncode == 2 and "has no audio_in" in refused.stderr


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ("  - omni\n", ("r.yaml:4", "sees by itself", "remove this stage")),
        ("  - omni: {audio_input: none}\n", ("r.yaml:4", "sees by itself", "remove this stage")),
        ("  - omni\n  - hearing\n", ("r.yaml:5", "'hearing' needs audio_in", "no other sense can be added")),
        ("  - hearing\n", ("r.yaml:4", "'hearing' needs audio_in", "sees by itself", "text alone")),
    ],
)
def test_its_senses_are_never_replaced_and_none_is_added(
    seeing: Product, added: str, words: tuple[str, ...]
) -> None:
    seeing.edit("capabilities:\n", f"capabilities:\n{added}")
    try:
        refused = seeing.manus("validate", seeing.recipe.name, check=False)
    finally:
        seeing.edit(f"capabilities:\n{added}", "capabilities:\n")
    assert refused.returncode == 2
    for word in words:
        assert word in refused.stdout + refused.stderr


def test_what_cannot_be_cached_is_refused(seeing: Product, tmp_path: Path) -> None:
    folder = tmp_path / "cached"
    shutil.copytree(seeing.folder / "base", folder / "base")
    product = Product(folder, folder / "r.yaml")
    product.recipe.write_text(
        "base_model: base\ncapabilities:\n"
        "  - vision-qa: {data: [{generator: scenes, size: 12}], held_out: 4, "
        "max_length: 512, cache_features: true}\n"
    )
    refused = product.manus("stage", "r.yaml", "vision-qa", check=False)
    assert (
        refused.returncode == 2 and "cache_features: true needs encoders that Manus added" in refused.stderr
    )
