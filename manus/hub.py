"""What the hub answers: commits of names, and the errors that mean it cannot be reached."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from manus.errors import ModelError

HUB_ID = re.compile(r"(?P<id>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
COMMIT = re.compile(r"[0-9a-f]{40}")
MODEL_FILES = (".safetensors", ".json", ".jinja", ".model", ".txt", ".tiktoken")


def commit_of(kind: Literal["model", "dataset"], repository: str, revision: str | None) -> str:
    """Return the commit a hub repository's revision stands for: from the local cache, else from the hub.

    Raises:
        ModelError: it is not in the cache and the hub gives no answer.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    if revision and COMMIT.fullmatch(revision):
        return revision
    reference = revision or "main"
    folder = Path(constants.HF_HUB_CACHE) / f"{kind}s--{repository.replace('/', '--')}" / "refs" / reference
    if folder.is_file():
        return folder.read_text(encoding="utf-8").strip()
    try:
        info = HfApi().repo_info(repository, repo_type=kind, revision=revision, timeout=10)
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        raise ModelError(
            f"{kind} {repository}@{reference}: the hub answered {status}; check the id and your access"
        ) from None
    except unreachable() as error:
        raise ModelError(
            f"{kind} {repository}@{reference} is not on this machine and the hub cannot be reached "
            f"({type(error).__name__}); download it first, or name a local folder"
        ) from None
    assert info.sha is not None, "the hub names a commit for every revision"
    return info.sha


def unreachable() -> tuple[type[Exception], ...]:
    """Return the exceptions by which a hub that gives no answer shows itself."""
    from httpx2 import HTTPError
    from huggingface_hub.errors import OfflineModeIsEnabled

    return OSError, HTTPError, OfflineModeIsEnabled
