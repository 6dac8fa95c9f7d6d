"""What libraries are told before they are loaded: to be quiet, and how threads wait."""

from __future__ import annotations

import logging
import os
import warnings

from manus.guards.neighbours import SPIN_COUNT


def prepare_process() -> None:
    """Set what libraries read when they are loaded; to be called before torch is."""
    quiet_libraries()
    os.environ.setdefault(SPIN_COUNT, "0")  # where nobody has looked at who else is there (`neighbours`)


def quiet_libraries() -> None:
    """Keep libraries from writing over our progress, and from asking the hub what is in a local folder."""
    quiet = {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
    # TRL warns that some of it may change, which our pinned version does not, and would report its use.
    quiet |= {"TRL_EXPERIMENTAL_SILENCE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    for name, value in {**quiet, "TOKENIZERS_PARALLELISM": "false"}.items():
        os.environ.setdefault(name, value)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|peft|torch")
