"""What a verifier may know of the stage that it scores for. Knows nothing of any verifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from manus.files import at_home
from manus.store.digests import Digests


@dataclass(frozen=True, slots=True)
class Context:
    """The stage's capability by its public name, and where things are.

    `beside` is the recipe's folder. `models` are the folders of reward models, by what `model:` says, and
    `device` is where they run; both matter only to verifiers that score in the trainer's process.
    """

    capability: str
    beside: Path
    models: Mapping[str, Path] = field(default_factory=dict)
    device: str = "cpu"

    def find(self, path: str) -> Path:
        """Return where a path of the recipe leads: from the working directory, else beside the recipe."""
        here = at_home(path)
        return here if here.exists() else self.beside / here


@dataclass(frozen=True, slots=True)
class Lookup:
    """Where the content of what a verifier refers to is identified.

    `pins` are the commits of hub ids that an earlier plan settled on; `made` are the keys of the reward
    models that the recipe itself makes, by name.
    """

    digests: Digests
    pins: Mapping[str, str] = field(default_factory=dict)
    made: Mapping[str, str] = field(default_factory=dict)
