"""`import manus` alone teaches transformers the omni checkpoint; each order of imports in its own process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LOAD = """
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor
for auto in (AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText):
    assert type(auto.from_pretrained(FOLDER)).__name__ == "ManusOmniForConditionalGeneration"
assert type(AutoProcessor.from_pretrained(FOLDER)).__name__ == "ManusOmniProcessor"
assert type(AutoConfig.from_pretrained(FOLDER)).__name__ == "ManusOmniConfig"
"""
ORDERS = {
    "manus first": "import manus",
    "Auto classes first": "from transformers import AutoModel, AutoConfig, AutoProcessor; import manus",
    "only the configuration before": "from transformers import AutoConfig; import manus",
    "our model first": "from manus.models.omni.modeling import ManusOmniForConditionalGeneration",
    "our processor first": "from manus.models.omni.processing import ManusOmniProcessor",
}


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_of_imports_works(checkpoint: Path, order: str) -> None:
    run(f"FOLDER = {str(checkpoint)!r}\n{ORDERS[order]}\n{LOAD}")


def test_importing_manus_imports_no_heavy_library() -> None:
    run(
        "import manus, manus.models.omni.layout, manus.models.omni.settings, manus.cli.app, sys\n"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules), 'a heavy import'"
    )


def test_the_model_is_not_imported_before_somebody_has_its_configuration(checkpoint: Path) -> None:
    run(
        "import manus, sys; from transformers import AutoModelForCausalLM, AutoTokenizer; "
        f"folder = {str(checkpoint)!r}\n"
        "assert 'manus.models.omni.modeling' not in sys.modules\n"
        "from manus.models.omni.configuration import ManusOmniConfig\n"
        "model = AutoModelForCausalLM.from_config(ManusOmniConfig.from_pretrained(folder))\n"
        "assert type(model).__name__ == 'ManusOmniForConditionalGeneration'"
    )


def test_without_manus_transformers_does_not_know_it(checkpoint: Path) -> None:
    run(
        f"from transformers import AutoConfig\ntry:\n    AutoConfig.from_pretrained({str(checkpoint)!r})\n"
        "except ValueError as error:\n    assert 'manus_omni' in str(error)\nelse:\n    raise SystemExit(1)"
    )
