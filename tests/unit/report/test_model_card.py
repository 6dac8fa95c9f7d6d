"""The model card says how the merged model is loaded, and which encoders it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manus.models.encoders.finding import Encoder
from manus.plan.planner import make_plan
from manus.recipe.recipe import read_recipe
from manus.report.model_card import described, model_card, pipeline_tag
from tests.pico_omni import encoders, with_senses

MERGE = {
    "combine": "sum",
    "dtype": "float32",
    "parity": {"max_difference": 0, "scale": 1, "prompts": 8, "tolerance": 1e-3},
}
VISION_QA = "  - vision-qa: {data: [{generator: scenes}]}\n"


def card(folder: Path, base: Path, capabilities: str) -> str:
    """Return the card of a recipe's model, before anything of it is built."""
    recipe = folder / "r.yaml"
    recipe.write_text(f"base_model: {base}\noutput_dir: {folder / 'results'}\ncapabilities:\n{capabilities}")
    return model_card(make_plan(read_recipe(recipe)), MERGE)


def code(text: str) -> str:
    (found,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    return str(found)


def test_a_text_model_is_loaded_without_manus(tmp_path: Path, pico_base: Path) -> None:
    text = card(tmp_path, pico_base, "  - cot: {data: [{generator: cot}]}\n")
    assert "pipeline_tag: text-generation\n" in text and "AutoModelForCausalLM" in code(text)
    assert "import manus" not in text and "ncoders" not in text


def test_a_model_with_senses_names_its_encoders_and_how_it_is_loaded(tmp_path: Path, pico_base: Path) -> None:
    encoders(tmp_path)
    omni = "  - omni: {vision: ./seeing, audio_input: ./hearing, data: [{generator: scenes}]}\n"
    text = card(tmp_path, pico_base, omni + VISION_QA)
    assert "pipeline_tag: image-text-to-text\n" in text
    assert "- vision: `./seeing`; its weights are in this folder\n" in text
    assert "- audio_input: `./hearing`; its weights are in this folder\n" in text
    assert code(text).startswith("import manus")


def test_the_code_for_a_model_with_senses_loads_one(
    tmp_path: Path, pico_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = with_senses(pico_base, tmp_path)
    text = card(tmp_path, base, VISION_QA)
    assert "Its encoders are those of its base." in text
    monkeypatch.chdir(tmp_path)
    base.rename("merged")
    loaded: dict[str, object] = {}
    exec(code(text), loaded)
    assert type(loaded["model"]).__name__ == "ManusOmniForConditionalGeneration"
    assert type(loaded["processor"]).__name__ == "ManusOmniProcessor"


@pytest.mark.parametrize(("embed", "where"), [(None, "loaded from the hub"), (True, "in this folder")])
def test_an_encoder_of_the_hub_is_named_with_its_commit_and_where_its_weights_are(
    embed: bool | None, where: str
) -> None:
    encoder = Encoder("vision", "google/siglip2-base-patch16-224", "hub", None, "hub:...", revision="75de2d5")
    line = described(encoder, embed)
    assert "vision: `google/siglip2-base-patch16-224` at commit `75de2d5`; its weights are " + where in line


@pytest.mark.parametrize(
    ("senses", "tag"),
    [
        (set(), "text-generation"),
        ({"audio_in"}, "audio-text-to-text"),
        ({"vision", "video"}, "image-text-to-text"),
    ],
)
def test_a_hub_lists_the_model_under_what_it_takes_in(senses: set[str], tag: str) -> None:
    assert pipeline_tag(senses) == tag


def test_a_model_that_speaks_says_how(tmp_path: Path, pico_base: Path) -> None:
    podcast = (
        "  - podcast: {audio_output: small-trained, recogniser: whisper-tiny-en-packaged, "
        "data: [{generator: read-aloud}]}\n"
    )
    text = card(tmp_path, pico_base, podcast)
    assert "`manus say merged" in text and "codec (`trained:voices`) is in `speech/codec/`" in text
    assert "AutoModelForCausalLM" in code(text), "the rest is a plain model"
