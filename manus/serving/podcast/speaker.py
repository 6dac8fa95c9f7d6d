"""Who speaks an episode's turns: the contract, and where a model's own voices come from. Makes no sound."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt


class Speaker(Protocol):
    """What speaks a text in one of its voices.

    identity: a digest of model and voices; a spoken turn is kept under it.
    voices: names of its voices, the first ones are taken where a script names none.
    sample_rate: samples a second of what it says.
    """

    @property
    def identity(self) -> str: ...

    @property
    def voices(self) -> tuple[str, ...]: ...

    @property
    def sample_rate(self) -> int: ...

    def speak(self, text: str, voice: str) -> npt.NDArray[np.float32]:
        """Return a text as sound [S], mono, within -1 and 1."""
        ...


def speaker_of(folder: Path) -> Speaker:
    """Return what speaks for a model.

    Raises:
        ModelError: the model does not speak.
    """
    from manus.models.speech.voice import Voice

    return Voice.of(folder)
