"""What a recipe that speaks plans: codec, coded speech, talker; a key follows what it is made from."""

import pytest

from manus.errors import RecipeError
from manus.plan.planner import make_plan
from manus.recipe.recipe import read_recipe

STAGE = """
base_model: {base}
output_dir: {out}
capabilities:
  - podcast: {{audio_output: small-trained, recogniser: whisper-tiny-en-packaged, data: [{{generator: read-aloud}}]{more}}}
"""


def planned(base, tmp_path, more="", after=""):
    path = tmp_path / "speak.yaml"
    path.write_text(STAGE.format(base=base, out=tmp_path / "out", more=more) + after)
    return make_plan(read_recipe(path))


def test_the_talker_is_planned_after_codes_and_codec(pico_base, tmp_path):
    plan = planned(pico_base, tmp_path)
    names = list(plan.artifacts)
    assert names.index("encoder/audio_output") < names.index("speech/podcast") < names.index("train/podcast")
    assert {"encoder/audio_output", "data/podcast"} == set(plan.artifacts["speech/podcast"].parents)
    assert "speech/podcast" in plan.artifacts["train/podcast"].parents
    assert "encoder/audio_output" in plan.artifacts["merge/merged"].parents
    assert plan.voice is not None and plan.voice.recogniser.kind == "package"


@pytest.mark.parametrize(
    ("more", "changed"),
    [
        (", talker_layers: 2", {"train"}),
        (", spliced: 0.1", {"train"}),
        (", frame_shifts: 2", {"speech", "train"}),
        (", recogniser: whisper-tiny-en-packaged", set()),
    ],
)
def test_what_changes_a_setting_changes_no_more_than_it_must(pico_base, tmp_path, more, changed):
    before = planned(pico_base, tmp_path).artifacts
    if "recogniser" in more:
        more = ""
    after = planned(pico_base, tmp_path, more).artifacts
    kinds = {a.kind for a in before.values() if a.key != after[a.id].key} - {"evaluate", "merge", "report"}
    assert kinds == changed


def test_a_second_stage_keeps_the_talker(pico_base, tmp_path):
    again = "  - podcast: {{name: again, data: [{{generator: read-aloud}}]{more}}}\n"
    assert planned(pico_base, tmp_path, after=again.format(more=""))
    with pytest.raises(RecipeError, match="stage 'podcast' made the talker with talker_layers: 6"):
        planned(pico_base, tmp_path, after=again.format(more=", talker_layers: 2"))


def test_without_a_stage_that_speaks_there_is_no_voice(pico_base, tmp_path):
    path = tmp_path / "mute.yaml"
    path.write_text(
        f"base_model: {pico_base}\noutput_dir: {tmp_path}\ncapabilities:\n  - podcast: {{method: lora}}\n"
    )
    recipe = read_recipe(path)
    assert recipe.speaks is None and recipe.stages[0].data_kind == "messages"
    path.write_text(path.read_text().replace("lora", "lora, audio_output: small-trained"))
    with pytest.raises(RecipeError, match="belongs to the stage `podcast`, which trains the talker"):
        read_recipe(path)
