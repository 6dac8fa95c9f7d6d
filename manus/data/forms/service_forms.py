"""Turns the rows of training services, and of verl, into chats as all others write them. Opens no medium.

| shape | columns |
|---|---|
| Gemini | `contents` of `role` and `parts` (text, functionCall, functionResponse, inlineData, fileData),
`systemInstruction`, `tools` |
| Bedrock | `messages` whose blocks have no type (`{"text": ...}`, `{"toolUse": ...}`), `system`,
`toolConfig`, `schemaVersion` |
| verl | `prompt`, `reward_model` with `ground_truth`, `data_source`, `ability`, `extra_info` |
"""

from __future__ import annotations

from manus.data.forms.bedrock_rows import is_bedrock, of_bedrock
from manus.data.forms.columns import Columns
from manus.data.forms.gemini_rows import is_gemini, of_gemini
from manus.data.forms.verl_rows import is_verl, of_verl


def as_chat(row: Columns) -> Columns:
    """Return a row of a service's as a chat, with functions as OpenAI describes them; any other as it is.

    Raises:
        RowError: it has a part that is not known.
    """
    if is_gemini(row):
        return of_gemini(row)
    if is_bedrock(row):
        return of_bedrock(row)
    return of_verl(row) if is_verl(row) else row
