from pathlib import Path

import pytest

from manus.errors import ModelError, RecipeError
from manus.recipe.machine import ENCODERS, sense_choices

GOOD = """\
encoders:
  vision:
    default: google/siglip2-so400m-patch16-512
    small: ./encoders/small
  audio_input: {default: openai/whisper-tiny@main}
  audio_output: {default: kyutai/mimi}
decoders:
  vision_output: {default: stabilityai/stable-diffusion-3.5-large}
  video_output: {default: stabilityai/stable-video-diffusion-img2vid-xt}
"""


def read(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "configs").mkdir(exist_ok=True)
    (folder / ENCODERS).write_text(text)
    monkeypatch.chdir(folder)
    return sense_choices()


def test_the_projects_own_file_names_the_defaults_of_the_mission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    choices = sense_choices()
    assert [choices.spec_of(sense, None) for sense in ("vision", "audio_input", "audio_output")] == [
        "google/siglip2-so400m-patch16-512",
        "openai/whisper-large-v3-turbo",
        "kyutai/mimi",
    ]
    assert choices.spec_of("vision_output", None) == "stabilityai/stable-diffusion-3.5-large"
    assert choices.spec_of("video_output", None) == "stabilityai/stable-video-diffusion-img2vid-xt"


def test_a_file_in_the_working_directory_is_read_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    choices = read(GOOD, tmp_path, monkeypatch)
    assert dict(choices.choices("vision")) == {
        "default": "google/siglip2-so400m-patch16-512",
        "small": "./encoders/small",
    }
    assert choices.spec_of("vision", "small") == "./encoders/small"


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("  audio_output:", "  audio_outptu:", 6, "did you mean 'audio_output'"),
        ("    default: google", "    defautl: google", 2, "`default`"),
        ("./encoders/small", "packge:some/path", 4, "did you mean package:"),
        ("./encoders/small", "package:alone", 4, "package:DISTRIBUTION/PATH"),
        ("./encoders/small", "trained:nothing", 4, "can be trained here"),
        ("./encoders/small", "siglip", 4, "neither a hub id"),
        ("./encoders/small", "google/siglip@", 4, "OWNER/NAME@REVISION"),
        ("./encoders/small", "17", 4, "must be text"),
        ("    small:", "    'two words':", 4, "cannot name a choice"),
        ("kyutai/mimi", "''", 6, "must not be empty"),
        (
            "  video_output: {default: stabilityai/stable-video-diffusion-img2vid-xt}\n",
            "",
            7,
            "video_output: is required",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    old: str, new: str, line: int, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert old in GOOD
    with pytest.raises(RecipeError) as refused:
        read(GOOD.replace(old, new, 1), tmp_path, monkeypatch)
    said = str(refused.value).splitlines()
    assert [each for each in said if each.startswith(f"{ENCODERS}:{line}: ") and problem in each], said


def test_a_recipe_chooses_by_name_or_by_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    choices = read(GOOD, tmp_path, monkeypatch)
    assert choices.spec_of("vision", "facebook/dinov2-base") == "facebook/dinov2-base"
    with pytest.raises(ModelError, match="did you mean 'small'"):
        choices.spec_of("vision", "smal")
    with pytest.raises(ModelError, match=r"a folder is \./encoder"):
        choices.spec_of("vision", "encoder")
    with pytest.raises(ModelError, match="DISTRIBUTION/PATH"):
        choices.spec_of("vision", "package:alone")
