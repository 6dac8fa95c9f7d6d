"""Nothing of the user's is deleted: what stands where results go is refused by name, and kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from manus.errors import EXIT_BAD_INPUT, InputError
from manus.jobs.runner import build, show
from manus.plan.garbage import remove_unreferenced
from manus.plan.next_run import check_ways, next_run
from manus.plan.planner import make_plan
from manus.recipe.recipe import read_recipe
from manus.store.keys import key_of
from manus.store.manifest import MANIFEST, Manifest
from manus.store.publishing import MARK, check_way, publish_file, publish_folder
from manus.store.store import Made, Store
from tests.unit.plan.test_planner import built, planned, recipe

__all__ = ["recipe"]  # a fixture


def stored(root: Path, number: int, *names: str) -> Path:
    """A sealed artifact with files of these names."""
    store, key = Store(root), key_of({"number": number})
    staging = store.staging(key)
    for name in names:
        (staging / name).parent.mkdir(parents=True, exist_ok=True)
        (staging / name).write_text(f"{name} {number}")
    store.seal("train", "cot", key, {}, time.time(), Made(seed=1, metrics={}))
    return store.folder(key)


@pytest.mark.parametrize("theirs", ["a folder", "a file", "a link", "files above", "another manifest"])
def test_what_is_no_result_of_ours_is_refused_by_name(tmp_path: Path, theirs: str) -> None:
    view, kept = tmp_path / "proj" / "data" / "cot", tmp_path / "proj" / "data" / "cot" / "mine.txt"
    if theirs == "a file":
        kept = view
    elif theirs == "files above":
        kept = view.parent
    elif theirs == "another manifest":
        kept = view / MANIFEST
    elif theirs == "a link":
        kept = tmp_path / "elsewhere" / "mine.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text('{"name": "another tool\'s"}')
    if theirs == "a link":
        view.parent.mkdir(parents=True)
        view.symlink_to(kept.parent)
    with pytest.raises(InputError) as told:
        check_way(view, None, False, tmp_path / ".store")
    assert str(
        kept.parent
        if theirs == "files above" and kept.is_dir()
        else view
        if theirs != "files above"
        else kept
    ) in str(told.value)
    assert told.value.exit_code == EXIT_BAD_INPUT
    assert kept.read_text() == '{"name": "another tool\'s"}'


def test_a_users_file_where_one_of_ours_goes_is_refused(tmp_path: Path) -> None:
    view, folder = tmp_path / "r" / "report.html", stored(tmp_path, 1, "report.html")
    view.parent.mkdir()
    view.write_text("my own report")
    with pytest.raises(InputError, match=r"report\.html is a file of yours"):
        check_way(view, "report.html", False, tmp_path / ".store")
    view.write_text((folder / "report.html").read_text())
    check_way(view, "report.html", False, tmp_path / ".store")  # a kill before the stamp leaves this
    view.unlink()
    view.mkdir()
    with pytest.raises(InputError, match="a folder of yours"):
        check_way(view, "report.html", True, tmp_path / ".store")


def test_files_that_a_user_laid_beside_ours_stay(tmp_path: Path) -> None:
    view = tmp_path / "r" / "merged"
    publish_folder(stored(tmp_path, 1, "model", "old"), view)
    (view / "notes").mkdir()
    (view / "notes" / "mine.txt").write_text("mine")
    (view / "link").symlink_to("/nowhere")
    publish_folder(stored(tmp_path, 2, "model"), view)
    assert (view / "notes" / "mine.txt").read_text() == "mine"
    assert (view / "link").is_symlink()
    assert not (view / "old").exists()
    assert (view / "model").read_text() == "model 2"
    with pytest.raises(InputError, match=r"mine\.txt is a file of yours"):
        publish_folder(stored(tmp_path, 3, "notes/mine.txt"), view)
    with pytest.raises(InputError, match=r"mine\.txt is a file of yours"):
        publish_folder(stored(tmp_path, 4, "notes"), view)
    assert (view / "notes" / "mine.txt").read_text() == "mine"
    assert (view / "model").read_text() == "model 2"


def test_a_kill_between_the_two_renames_loses_no_file_of_the_users(tmp_path: Path) -> None:
    view, folder = tmp_path / "r" / "merged", stored(tmp_path, 1, "model")
    publish_folder(folder, view)
    (view / "mine.txt").write_text("mine")
    view.rename(view.with_name(".merged.outgoing"))
    publish_folder(folder, view)
    assert (view / "mine.txt").read_text() == "mine"
    assert [entry.name for entry in view.parent.iterdir()] == ["merged"]


def test_a_republished_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    view, folder = tmp_path / "r" / "detected.json", stored(tmp_path, 1, "detected.json")
    for _ in range(3):
        publish_file(folder / "detected.json", view)
        assert [entry.name for entry in view.parent.iterdir()] == ["detected.json"]


def test_a_view_without_its_manifest_is_repaired_unless_something_of_the_users_is_in_it(recipe: Path) -> None:
    plan = planned(recipe)
    built(plan)
    artifact = plan.artifacts["train/cot"]
    (artifact.view / MANIFEST).unlink()
    assert next_run(plan)[artifact.id].action == "publish"
    show(plan, artifact)
    assert Manifest.read(artifact.view) is not None
    (artifact.view / MANIFEST).unlink()
    (artifact.view / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match=r"stages/cot is a folder of yours.*mine\.txt"):
        next_run(plan)


@pytest.mark.parametrize("output_dir", [".", "results"])
def test_a_run_is_refused_before_anything_is_built(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, output_dir: str
) -> None:
    monkeypatch.chdir(recipe.parent)
    proj = recipe.rename(recipe.with_name("proj.yaml"))
    proj.write_text(proj.read_text().replace(str(recipe.parent / "results"), output_dir))
    mine = Path(output_dir) / "proj" / "data" / "cot" / "rows.jsonl"
    mine.parent.mkdir(parents=True)
    mine.write_text("my rows")
    plan = make_plan(read_recipe(proj))
    for refused in (
        lambda: check_ways(plan),
        lambda: next_run(plan),
        lambda: build(plan, "train/cot", with_parents=True),
        lambda: build(plan, "data/cot"),
    ):
        with pytest.raises(InputError, match="data/cot is a folder of yours"):
            refused()
    assert not plan.store.root.exists() or not list(plan.store.root.glob("*/manifest.json"))
    assert mine.read_text() == "my rows"


@pytest.mark.parametrize("name", [".store", "r/logs", "r/.built"])
def test_a_users_file_where_a_folder_of_ours_goes_is_refused_before_anything_is_built(
    recipe: Path, name: str
) -> None:
    plan = planned(recipe)
    mine = plan.output_dir / name
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(InputError, match=f"{name} is a file of yours where a folder with results goes"):
        next_run(plan)
    assert mine.read_text() == "mine"


def test_whatever_lies_beside_ours_is_shown_again(recipe: Path) -> None:
    plan = planned(recipe)
    built(plan)
    view = plan.artifacts["data/cot"].view
    (view / "empty" / "inside").mkdir(parents=True)
    os.mkfifo(view / "pipe")
    (view / "link").symlink_to("/etc")
    (view / "nowhere").symlink_to("nothing")
    before = sorted(path.name for path in view.rglob("*"))
    rows = recipe.parent / "one.jsonl"
    rows.write_text(rows.read_text() * 2)
    again = planned(recipe)
    assert again.artifacts["data/cot"].key != plan.artifacts["data/cot"].key
    built(again)
    assert sorted(path.name for path in view.rglob("*")) == before
    assert (view / "pipe").is_fifo() and (view / "link").readlink() == Path("/etc")


def test_a_link_in_the_store_is_not_followed(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANUS_CHECKPOINT_DIR", str(tmp_path / "fast"))
    plan, far = planned(recipe), tmp_path / "far"
    far.mkdir()
    (far / "mine").write_text("mine")
    key = plan.artifacts["detect/detected"].key
    for link in (plan.store.folder(key), plan.store.folder("a" * 20), tmp_path / "fast" / ("b" * 20)):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(far)
    plan.store.folder("b" * 20).mkdir()
    with pytest.raises(InputError, match=f"{key} is a link of yours where results go"):
        build(plan, "detect/detected")
    assert [name for name, _ in remove_unreferenced(plan.output_dir, is_dry=False)] == [
        "unfinished " + "b" * 20
    ]
    assert (far / "mine").read_text() == "mine"


def edit_in_place(path: Path) -> None:
    with path.open("a") as stream:
        stream.write(" and mine")


def edit_by_renaming(path: Path) -> None:
    new = path.with_name("new")
    new.write_text(path.read_text() + " and mine")
    new.replace(path)


@pytest.mark.parametrize("edit", [edit_in_place, edit_by_renaming])
def test_a_file_of_ours_that_was_edited_is_kept_beside_the_new_one(
    tmp_path: Path, edit: Callable[[Path], None]
) -> None:
    view = tmp_path / "r" / "merged"
    publish_folder(stored(tmp_path, 1, "model", "sub/old"), view)
    for times, name in ((1, "model.edited"), (2, "model.edited-2")):
        edit(view / "model")
        edit(view / "sub" / "old") if times == 1 else None
        said = (view / "model").read_text()
        kept = publish_folder(stored(tmp_path, times + 1, "model"), view)
        assert view / name in kept
        assert (view / name).read_text() == said and said.endswith(" and mine")
        assert (view / "model").read_text() == f"model {times + 1}"
    assert (view / "sub" / "old.edited").read_text() == "sub/old 1 and mine"
    assert publish_folder(stored(tmp_path, 9, "model"), view) == []
    assert sorted(path.name for path in view.iterdir()) == [
        MANIFEST,
        "model",
        "model.edited",
        "model.edited-2",
        "sub",
    ]


def test_an_edited_manifest_hides_no_edits(tmp_path: Path) -> None:
    view = tmp_path / "r" / "merged"
    publish_folder(stored(tmp_path, 1, "model"), view)
    edit_by_renaming(view / MANIFEST)
    edit_by_renaming(view / "model")
    kept = publish_folder(stored(tmp_path, 2, "model"), view)
    assert sorted(kept) == [view / f"{MANIFEST}.edited", view / "model.edited"]


@pytest.mark.parametrize("edit", [edit_in_place, edit_by_renaming])
def test_an_edited_report_is_kept_and_an_old_one_is_not(
    recipe: Path, edit: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned(recipe)
    built(plan)
    artifact = plan.artifacts["report/report"]
    edit(artifact.view)
    recipe.write_text(recipe.read_text().replace("epochs: 2", "epochs: 3"))
    again = planned(recipe)
    built(again)
    kept = artifact.view.with_name(f"{artifact.view.name}.edited")
    assert kept.read_text().endswith(" and mine")
    assert f"a result that was edited is kept: {kept}" in capsys.readouterr().out
    recipe.write_text(recipe.read_text().replace("epochs: 3", "epochs: 4"))
    last = planned(recipe)
    last.save()
    remove_unreferenced(last.output_dir, is_dry=False)  # what is shown now is stored no more, and yet ours
    built(last)
    assert "is kept" not in capsys.readouterr().out
    assert len(list(artifact.view.parent.glob("*.edited*"))) == 1


@pytest.mark.parametrize("suffix", ["incoming", "outgoing"])
def test_a_folder_of_the_users_named_as_ours_on_its_way_is_kept(recipe: Path, suffix: str) -> None:
    plan = planned(recipe)
    mine = plan.artifacts["merge/merged"].view.with_name(f".merged.{suffix}") / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(InputError, match=rf"\.merged\.{suffix} is yours"):
        next_run(plan)
    with pytest.raises(InputError, match=rf"\.merged\.{suffix} is yours"):
        built(plan)
    with pytest.raises(InputError, match=rf"\.merged\.{suffix} is yours"):
        publish_folder(stored(plan.output_dir, 1, "model"), plan.artifacts["merge/merged"].view)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("theirs", ["a folder", "a link", "a file"])
def test_what_is_named_as_a_file_of_ours_on_its_way_is_kept(recipe: Path, theirs: str) -> None:
    plan = planned(recipe)
    view = plan.artifacts["detect/detected"].view
    mine = view.with_name(f".{view.name}.incoming")
    mine.parent.mkdir(parents=True)
    {
        "a folder": mine.mkdir,
        "a link": lambda: mine.symlink_to("/etc"),
        "a file": lambda: mine.write_text("x"),
    }[theirs]()
    with pytest.raises(InputError, match=rf"\.{view.name}\.incoming is yours"):
        next_run(plan)
    assert mine.exists()


def test_what_a_kill_left_half_filled_or_half_removed_is_taken_away(tmp_path: Path) -> None:
    view, folder = tmp_path / "r" / "merged", stored(tmp_path, 1, "model")
    for suffix in ("incoming", "outgoing"):
        publish_folder(folder, view)
        left = view.with_name(f".merged.{suffix}")
        left.mkdir()
        (left / MARK).touch()
        (left / "part").write_text("half")
        check_way(view, None, True, tmp_path / ".store")
        publish_folder(stored(tmp_path, 2, "model"), view)
        assert [entry.name for entry in view.parent.iterdir()] == ["merged"]
        assert sorted(entry.name for entry in view.iterdir()) == [MANIFEST, "model"]
    single = tmp_path / "r" / "model"
    single.with_name(".model.incoming").write_text("mod")  # a copy that was torn
    check_way(single, "model", False, tmp_path / ".store")
    publish_file(folder / "model", single)
    assert single.read_text() == "model 1"


def test_two_recipes_of_one_name_show_their_results_in_one_place_only_where_they_are_the_same(
    recipe: Path,
) -> None:
    plan = planned(recipe)
    built(plan)
    other = recipe.parent / "other" / recipe.name
    other.parent.mkdir()
    same = (
        recipe.read_text()
        .replace("path: ", f"path: {recipe.parent}/")
        .replace("model: ", f"model: {recipe.parent}/")
    )
    other.write_text(same)
    next_run(planned(other))  # nothing would change
    other.write_text(same.replace("epochs: 2", "epochs: 3"))
    for refused in (lambda: next_run(planned(other)), lambda: build(planned(other), "report/report")):
        with pytest.raises(
            InputError, match=r"another recipe of this name builds, .*r\.yaml; rename one of the files"
        ):
            refused()
    recipe.rename(recipe.with_name("moved.yaml"))
    next_run(planned(other))  # the recipe was moved here: there is one of this name
