"""The command that removes what no recipe refers to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from manus.cli.app import app
from manus.cli.options import AsJson


@app.command()
def gc(
    output_dir: Annotated[Path, typer.Argument(help="The folder that holds .store.")] = Path("results"),
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it only show.")] = False,
    is_cache: Annotated[
        bool,
        typer.Option(
            "--cache", help="The data cache instead: indexes and plain copies, which are made anew."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show stored artifacts that no recipe in the folder refers to any more; with --yes remove them.

    Also tells how large the data cache is, which all recipes of this user share.
    """
    from manus.data.sources.cache import cache_folder, clear, sizes
    from manus.plan.garbage import remove_unreferenced

    cache = sizes(cache_folder())
    found = cache if is_cache else remove_unreferenced(output_dir, is_dry=not yes)
    if is_cache and yes:
        clear(cache_folder())
    if as_json:
        print(
            json.dumps([{"artifact": name, "bytes": size, "removed": yes} for name, size in found], indent=2)
        )
        return
    for name, size in found:
        print(f"  {size / 1e6:10.1f} MB  {name}")
    total = sum(size for _, size in found) / 1e6
    what = f"files in {cache_folder()}" if is_cache else "artifacts"
    print(
        f"{len(found)} {what}, {total:.1f} MB: {'removed' if yes else 'would be removed; add --yes to do it'}"
    )
    if cache and not is_cache:
        print(
            f"data cache: {sum(size for _, size in cache) / 1e6:.1f} MB in {cache_folder()}; "
            "--cache removes it"
        )
