"""What cannot be resumed is told, and what is on the disk stays as it was."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from networks import HEIGHT, WIDTH, frames, mask_of, small_tracker

from limpet.core.errors import OutputError, VideoError
from limpet.results.run_folder import RUN_FOLDER
from limpet.tracking.run_settings import check_can_read_again
from limpet.tracking.track_video import track
from limpet.tracking.tracker import Tracker
from limpet.video.encode import H264Writer
from limpet.video.open import open_video

from .killed import COUNT, LATER, PIECE, Run, content, flip, killed


def test_a_complete_result_is_left_alone(
    run: Run, undisturbed: dict[str, bytes], tmp_path: Path, tracker: Tracker
) -> None:
    first = run(tmp_path / "out")
    (tmp_path / "out" / RUN_FOLDER).mkdir()  # killed while it was removed
    result = run(tmp_path / "out", resume=True)
    assert result.was_complete and (result.frames, result.failures) == (COUNT, first.failures)
    assert content(tmp_path / "out") == undisturbed and not (tmp_path / "out" / RUN_FOLDER).exists()
    with pytest.raises(
        OutputError, match=r"other settings: no mask for frame 5, a mask for frame 6; repeat the"
    ):
        run(tmp_path / "out", resume=True, add={6: LATER})
    assert content(tmp_path / "out") == undisturbed


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"add": {}}, "no mask for frame 5"),
        ({"overlay": False}, "overlay None instead of libx264"),
        ({"tracker": small_tracker(gap=2, max_size=48)}, "network_size"),
        ({"tracker": small_tracker()}, "memory first instead of official, memory_gap None instead of 2"),
    ],
    ids=["masks", "overlay", "size", "memory"],
)
def test_other_settings_are_refused(
    run: Run, stock: Path, tmp_path: Path, settings: dict[str, Any], word: str
) -> None:
    out = killed(stock, tmp_path / "out", 4)
    before = content(out)
    with pytest.raises(OutputError, match=f"out holds a run with other settings: .*{word}"):
        run(out, resume=True, **settings)
    assert content(out) == before


def test_another_video_is_refused_and_a_moved_one_is_not(
    run: Run, stock: Path, shots: Path, tmp_path: Path, tracker: Tracker
) -> None:
    out = killed(stock, tmp_path / "out", 4)
    moved = shutil.copytree(shots, tmp_path / "moved" / "shots")
    with (moved / "009.png").open("ab") as file:
        file.write(b"!")
    settings = {"tracker": tracker, "add": {5: LATER}, "resume": True}
    with pytest.raises(OutputError, match="another video, or one that was changed"):
        track(moved, mask_of(7, 200), out, **settings)
    shutil.copy(shots / "009.png", moved / "009.png")
    assert track(moved, mask_of(7, 200), out, **settings).begun_at == 4


def test_the_same_video_under_another_name_is_taken(
    run: Run, undisturbed: dict[str, bytes], stock: Path, shots: Path, tmp_path: Path, tracker: Tracker
) -> None:
    """It is known by its bytes."""
    out = killed(stock, tmp_path / "out", 4)
    renamed = shutil.copytree(shots, tmp_path / "renamed")
    result = track(renamed, mask_of(7, 200), out, tracker=tracker, add={5: LATER}, resume=True)
    assert (result.begun_at, result.frames) == (4, COUNT)
    masks = {name: data for name, data in content(out).items() if name.startswith("masks/")}
    assert masks == {name: data for name, data in undisturbed.items() if name.startswith("masks/")}


def test_an_unfinished_run_is_not_overwritten_unasked(
    run: Run, stock: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    out = killed(stock, tmp_path / "out", 4)
    before = content(out)
    with pytest.raises(
        OutputError, match="an unfinished run; pass resume=True to resume it, or overwrite=True"
    ):
        run(out)
    with pytest.raises(OutputError, match="not both"):
        run(out, resume=True, overwrite=True)
    assert content(out) == before
    assert run(out, overwrite=True).begun_at == 0
    assert content(out) == undisturbed


def test_somebody_elses_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty and holds no run to resume"):
        run(tmp_path, resume=True)
    assert content(tmp_path) == {"thesis.txt": b"mine"}


def states(out: Path) -> Iterator[Path]:
    yield from (out / RUN_FOLDER).glob("state-*")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda out: [flip(path) for path in states(out)], "state-00007.safetensors has another check sum"),
        (lambda out: [path.unlink() for path in states(out)], "state-00007.safetensors is not there"),
        (
            lambda out: flip(out / RUN_FOLDER / "memory-0-00000.safetensors"),
            "memory-0-00000.safetensors has another",
        ),
        (lambda out: flip(out / RUN_FOLDER / "journal.txt", 40), "line 1 of .*journal.txt is damaged"),
        (lambda out: flip(out / RUN_FOLDER / "journal.txt", 3000), "of .*journal.txt is damaged"),
        (lambda out: flip(out / "masks/00002.png"), "00002.png is not as the run wrote it"),
        (lambda out: (out / "masks/00002.png").unlink(), "00002.png cannot be read"),
    ],
    ids=["state", "no state", "memory", "journal's head", "journal", "mask", "no mask"],
)
def test_damage_is_told_and_nothing_is_lost(
    run: Run, stock: Path, tmp_path: Path, damage: Callable[[Path], object], words: str
) -> None:
    out = killed(stock, tmp_path / "out", 8)
    damage(out)
    before = content(out)
    with pytest.raises(OutputError, match=f"{words}.*overwrite=True"):
        run(out, resume=True)
    assert content(out) == before


def lists_for_dictionaries(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, dict) else value for name, value in facts.items()}


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda facts: {other: value for other, value in facts.items() if other != name}


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        *(("run", without(name)) for name in ("settings", "environment")),
        *(("row", without(name)) for name in ("index", "areas", "overlay", "failures", "still")),
        *(("state", without(name)) for name in ("index", "files")),
        *((kind, lists_for_dictionaries) for kind in ("run", "row", "state")),
        *((kind, dict.fromkeys) for kind in ("run", "row", "state")),
        *((kind, lambda facts: [facts]) for kind in ("run", "row", "state")),
        ("row", lambda facts: {**facts, "confidence": {"7": 2.5}}),
        ("row", lambda facts: {**facts, "areas": {"700": 1}}),
        ("row", lambda facts: {**facts, "index": 1 << 60}),
        ("state", lambda facts: {**facts, "index": 1 << 60}),
    ],
)
def test_a_journal_of_other_content_with_right_check_sums(
    run: Run, stock: Path, tmp_path: Path, kind: str, spoil: Callable[[Any], Any]
) -> None:
    """One sentence, or the run goes on from what is whole; what is on the disk stays."""
    out = killed(stock, tmp_path / "out", 4)
    journal = out / RUN_FOLDER / "journal.txt"
    lines = []
    for line in journal.read_bytes().splitlines():
        content_of = json.loads(line[9:])
        if kind in content_of:
            content_of[kind] = spoil(content_of[kind])
        text = json.dumps(content_of).encode()
        lines.append(b"%08x %s\n" % (zlib.crc32(text), text))
    journal.write_bytes(b"".join(lines))
    before = content(out)
    try:
        result = run(out, resume=True)
    except OutputError as error:
        assert "overwrite" in str(error)
        assert content(out) == before
    else:
        assert result.frames == COUNT


def test_a_damaged_overlay(run: Run, stock: Path, tmp_path: Path) -> None:
    out = killed(stock, tmp_path / "out", PIECE + 1)
    flip(out / RUN_FOLDER / "overlay.mp4")
    with pytest.raises(OutputError, match="is not as the run wrote it"):
        run(out, resume=True)


def test_a_run_that_is_still_going_is_left_alone(
    run: Run, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    said: list[str] = []

    def disturb(done: int, total: int | None) -> None:
        for how in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(OutputError, match="another run is writing to") as refused:
                run(tmp_path / "out", **how)
            said.append(str(refused.value))

    run(tmp_path / "out", on_frame=disturb)
    assert len(said) == 2 * COUNT and content(tmp_path / "out") == undisturbed


def test_what_comes_only_once_cannot_be_resumed(shots: Path, clip_of_one_frame: Path) -> None:
    for path in (shots, clip_of_one_frame):
        with open_video(path) as reader:
            check_can_read_again(reader)
    reader.path = Path("camera:0")
    with pytest.raises(VideoError, match="is a stream, whose frames cannot be read again"):
        check_can_read_again(reader)


@pytest.fixture
def clip_of_one_frame(tmp_path: Path) -> Path:
    writer = H264Writer(tmp_path / "clip.mp4", (HEIGHT, WIDTH))
    writer.write(frames(1)[0], 0.0)
    writer.close()
    return tmp_path / "clip.mp4"
