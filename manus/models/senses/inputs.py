"""Says who prepares media for a model: our processor for omni checkpoints, else the base's. Knows no data."""

from __future__ import annotations

from pathlib import Path

from manus.data.media.expansion import Layout
from manus.models.native.inputs import OwnInputs
from manus.models.native.layout import OwnLayout
from manus.models.native.recognising import has_own_senses
from manus.models.omni.layout import MediaLayout
from manus.models.senses.omni_inputs import MediaInputs
from manus.models.senses.settings import senses_in

Media = MediaInputs | OwnInputs


def layout_of(folder: Path) -> Layout | None:
    """Return what the model in a folder makes of media; None where it takes in text only.

    Raises:
        ModelError: its processor is missing, or cannot be worked with.
    """
    if has_own_senses(folder):
        return OwnLayout.of(folder)
    return MediaLayout.of(folder) if senses_in(folder) else None


def media_inputs(folder: Path, data: Path) -> Media:
    """Open the media of prepared data for the model in a folder."""
    return OwnInputs.of(folder, data) if has_own_senses(folder) else MediaInputs.of(folder, data)
