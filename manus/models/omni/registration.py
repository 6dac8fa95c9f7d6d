"""Makes Auto classes know the omni checkpoint once they exist. Imports neither torch nor transformers.

`import manus` installs a finder that watches the modules below being imported, in whatever order; whenever
one is there, all pairs of an Auto module and one of ours that can be introduced to each other are. The model
waits for the first configuration of an omni checkpoint, without which nobody can ask for it: most programs
that read a tokenizer never do.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

AUTO, OURS = "transformers.models.auto", "manus.models.omni"
PAIRS = {
    f"{AUTO}.configuration_auto": f"{OURS}.configuration",
    f"{AUTO}.modeling_auto": f"{OURS}.modeling",
    f"{AUTO}.processing_auto": f"{OURS}.processing",
}
MODEL = f"{OURS}.modeling"
MODEL_CLASSES = (
    "AutoModel",
    "AutoModelForCausalLM",
    "AutoModelForImageTextToText",
    "AutoModelForMultimodalLM",
)


class Watcher(MetaPathFinder):
    """Lets other finders find a watched module, and calls back after it has been run."""

    def __init__(self, after: Callable[[], None]) -> None:
        self.after = after

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the next finder has, with a loader that calls back."""
        if name not in PAIRS and name not in PAIRS.values():
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        if spec is not None and spec.loader is not None:
            self._watch(spec.loader)
        return spec

    def _watch(self, loader: Any) -> None:
        run = loader.exec_module

        def run_and_tell(module: ModuleType) -> None:
            run(module)
            DONE.add(module.__name__)
            self.after()

        loader.exec_module = run_and_tell


DONE: set[str] = set()
REGISTERED: set[str] = set()
ASKED: set[str] = set()  # the models that somebody has a configuration of


def install() -> None:
    """Watch from now on, and register at once with what is there already."""
    if any(isinstance(finder, Watcher) for finder in sys.meta_path):
        return
    DONE.update(name for name in (*PAIRS, *PAIRS.values()) if _is_run(name))
    sys.meta_path.insert(0, Watcher(register))
    register()


def ask_for_model() -> None:
    """See to it that the Auto classes know the model, now or as soon as they are there."""
    if MODEL not in ASKED:
        ASKED.add(MODEL)
        register()


def register() -> None:
    """Introduce each Auto module there is to its module of ours, once; one being imported comes later."""
    for auto, ours in PAIRS.items():
        if auto not in DONE or auto in REGISTERED or (ours in sys.modules and ours not in DONE):
            continue
        if ours == MODEL and ours not in ASKED | DONE:
            continue
        module = importlib.import_module(ours)
        if auto in REGISTERED:  # importing ours has come here before
            continue
        REGISTERED.add(auto)
        _introduce(importlib.import_module(auto), module)


def _introduce(auto: Any, ours: Any) -> None:
    if hasattr(ours, "ManusOmniForConditionalGeneration"):
        for name in MODEL_CLASSES:
            getattr(auto, name).register(
                ours.ManusOmniForConditionalGeneration.config_class,
                ours.ManusOmniForConditionalGeneration,
                exist_ok=True,
            )
    elif hasattr(ours, "ManusOmniProcessor"):
        auto.AutoProcessor.register(ours.ManusOmniConfig, ours.ManusOmniProcessor, exist_ok=True)
    else:
        auto.AutoConfig.register(ours.ManusOmniConfig.model_type, ours.ManusOmniConfig, exist_ok=True)


def _is_run(name: str) -> bool:
    module = sys.modules.get(name)
    return module is not None and not getattr(module.__spec__, "_initializing", False)
