"""What trains nothing is found beside the capabilities, and says what it can be asked and held to."""

from __future__ import annotations

import pytest

from manus.capabilities import GROUPS, PLANNED, known_capabilities, known_features
from manus.evaluation.gate_settings import OF_PROBES, GateSettings


def test_features_and_capabilities_are_told_apart() -> None:
    assert "streaming" in known_features() and "streaming" not in known_capabilities()
    assert not {*known_features()} & {*known_capabilities(), *PLANNED}
    assert {name for members in GROUPS.values() for name in members} <= {
        *known_features(),
        *known_capabilities(),
    }


@pytest.mark.parametrize("name", known_features())
def test_what_a_feature_says_of_itself(name: str) -> None:
    feature = known_features()[name]
    assert len(feature.doc) > 200 and feature.Settings()
    assert feature.GATES and set(feature.GATES) <= set(GateSettings.model_fields) - set(OF_PROBES)


def test_every_limit_belongs_to_probes_or_to_a_feature() -> None:
    held = {limit for feature in known_features().values() for limit in feature.GATES}
    assert held | {*OF_PROBES} == set(GateSettings.model_fields)


def test_settings_of_streaming() -> None:
    settings = known_features()["streaming"].Settings
    for wrong in ({"questions": 0}, {"max_new_tokens": 1}, {"temperature": 0}, {"streams": 3}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            settings(**wrong)
