"""Runs `snakemake --lint` and fails on what it finds beyond the points that docs/decisions/0009 disputes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
DISPUTED = (
    "No log directive defined",
    "Specify a conda environment or container for each rule",
    "Mixed rules and functions in same snakefile",
    "Absolute path",
    "Path composition with '+'",
)


def main() -> int:
    """Print the findings that nobody disputes; return 1 if there are any."""
    command = [
        str(Path(sys.executable).parent / "snakemake"),
        "--lint",
        "--config",
        "recipe=recipes/quickstart.yaml",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    told = done.stdout + done.stderr
    if "Lints for" not in told and "Congratulations" not in told:
        print(told)
        return 1
    findings = re.findall(r"^    \* (.+?):\n", told, re.MULTILINE)
    undisputed = [finding for finding in findings if not finding.startswith(DISPUTED)]
    print("\n".join(undisputed) or f"snakemake --lint: nothing beyond the {len(findings)} disputed findings")
    return bool(undisputed)


if __name__ == "__main__":
    sys.exit(main())
