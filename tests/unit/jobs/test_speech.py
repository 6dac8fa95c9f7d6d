"""A recipe that speaks, from its rows to the report, with the packaged voices: small, so nothing is understood."""

import json

import pytest

from manus.jobs.runner import build
from manus.models.detection.detect import detect
from manus.models.encoders.trained import voices
from manus.models.speech.voice import Voice
from manus.plan.planner import make_plan
from manus.recipe.recipe import read_recipe

RECIPE = """
base_model: {base}
output_dir: {out}
capabilities:
  - podcast:
      audio_output: small-trained
      recogniser: whisper-tiny-en-packaged
      data: [{{generator: read-aloud}}]
      sample_size: 8
      held_out: 2
      epochs: 1
      batch_size: 4
      frame_shifts: 2
      talker_hidden: 32
      talker_layers: 1
      talker_heads: 2
guards: {{cooldown_every_steps: 0}}
"""


@pytest.fixture(scope="module")
def plan(pico_base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("speaks")
    path = folder / "speaks.yaml"
    path.write_text(RECIPE.format(base=pico_base, out=folder / "results"))
    with pytest.MonkeyPatch.context() as patch:
        few = voices.Effort(sentences=16, measured_sentences=2)
        patch.setattr(voices.train, "__defaults__", (few,))
        found = make_plan(read_recipe(path))
        build(found, "report/report", with_parents=True)
    return found


def test_the_merged_model_speaks(plan, pico_base):
    merged = plan.folder / "merged"
    assert detect(merged).modalities["audio_out"]
    voice = Voice.of(merged)
    assert voice.voices == ("heart", "joe") and len(voice.speak("The old captain sings.", "joe")) > 1000
    weights = "model.safetensors"
    assert (merged / weights).stat().st_size == (pico_base / weights).stat().st_size


def test_what_was_made_on_the_way_is_told(plan):
    made = plan.folder
    facts = json.loads((made / "speech" / "podcast" / "speech.json").read_text())
    assert facts["clips"] + facts["left_out"] == 8 and facts["left_out"] == 0 and facts["shifts"] == 2
    codec = json.loads((made / "encoders" / "audio_output" / "manifest.json").read_text())["metrics"]
    assert codec["sentences"] == 16 and 0 < codec["held_out"]["log_mel_error"] < 2
    found = json.loads((made / "evaluations" / "podcast.json").read_text())
    assert found["metric"] == "understood" and found["samples"] == 2
    assert found["ablations"].keys() == {"text cut off", "text swapped"}
    assert found["after"]["parts"].keys() == {"wer", "wer heart", "wer joe"}


def test_the_report_plays_what_was_said(plan):
    page = (plan.folder / "report.html").read_text()
    assert page.count("<audio controls") >= 4 and "media-src data:" in page
    assert "text swapped" in page
