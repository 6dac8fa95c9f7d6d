"""What is known of a model before a conversation: where functions are shown, and how it draws by itself."""

from __future__ import annotations

from pathlib import Path

from manus.serving.hosted import Hosted, learned_calls, shows_tools
from tests.pico import tokenizer, untrained


def test_functions_are_shown_by_the_template_where_it_can_and_nothing_else_was_learned(
    tmp_path: Path,
) -> None:
    words = tokenizer()
    assert not shows_tools(words)
    words.chat_template = (
        "{% if tools %}{{ tools | tojson }}{% endif %}{% generation %}{% endgeneration %}"
        + words.chat_template
    )
    assert shows_tools(words)
    merged = tmp_path / "results" / "r" / "merged"
    (merged.parent / "evaluations").mkdir(parents=True)
    assert not learned_calls(merged)
    (merged.parent / "evaluations" / "calls.json").write_text('{"capability": "tools"}', encoding="utf-8")
    assert learned_calls(merged)


def test_a_models_own_settings_of_drawing_are_the_default(tmp_path: Path) -> None:
    folder = untrained(tmp_path / "model")
    assert Hosted.load(folder, "m").drawn_by_default["temperature"] == 0
    file = folder / "generation_config.json"
    file.write_text(
        '{"do_sample": true, "temperature": 0.6, "top_k": 20, "eos_token_id": 2}', encoding="utf-8"
    )
    assert Hosted.load(folder, "m").drawn_by_default == {"temperature": 0.6, "top_p": 1.0, "top_k": 20}
