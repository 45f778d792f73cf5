"""Each mistake that costs a try on a server, made on purpose in an archive that is in order."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limpet.evaluation.check_submission import CheckedSubmission, check_submission
from limpet.evaluation.evaluate_videos import run_video
from limpet.evaluation.protocols.mose import MoseProtocol
from limpet.evaluation.protocols.sa_v_masklets import SaVProtocol
from limpet.evaluation.protocols.youtube_vos import YouTubeVosProtocol

from .tiny import CopiesMasks, box, make_mose, make_sa_v, make_youtube_vos, save_ids


@pytest.fixture
def protocol(tmp_path: Path) -> YouTubeVosProtocol:
    make_youtube_vos(tmp_path / "data")
    protocol = YouTubeVosProtocol(tmp_path / "data")
    for name in protocol.names():
        run_video(CopiesMasks(), protocol.task(name), save_masks=tmp_path / "out/Annotations")
    return protocol


def kinds(found: CheckedSubmission) -> list[str]:
    return [problem.kind for problem in found.problems]


def test_what_limpet_writes_is_in_order(protocol: YouTubeVosProtocol, tmp_path: Path) -> None:
    found = check_submission(tmp_path / "out", protocol)
    assert found == CheckedSubmission((), (), 2, 10)
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        for path in (tmp_path / "out").rglob("*.png"):
            archive.write(path, path.relative_to(tmp_path / "out"))
    assert check_submission(tmp_path / "out.zip", protocol) == found


def grey_png(folder: Path) -> None:
    Image.fromarray(box(2, 2, number=2)).save(folder / "late/00004.png")


def colours(folder: Path) -> None:
    Image.new("RGB", (40, 24), (200, 0, 0)).save(folder / "late/00004.png")


def jpeg(folder: Path) -> None:
    Image.new("L", (40, 24)).save(folder / "late/00004.png", format="JPEG")


MISTAKES: list[tuple[str, str, Callable[[Path], object]]] = [
    ("missing frame", "late/00004.png", lambda f: (f / "late/00004.png").unlink()),
    ("surplus file", "5 of 9 frames of 'late' are asked for", lambda f: save_ids(f / "late/00003.png", box(2, 2))),
    ("surplus file", "belongs to no video of the split", lambda f: save_ids(f / "other/00000.png", box(2, 2))),
    ("surplus file", "late/.DS_Store", lambda f: (f / "late/.DS_Store").touch()),
    ("mask of another size", "expected 24x40 (height x width), got 12x20",
     lambda f: save_ids(f / "late/00004.png", box(2, 2, size=(12, 20), number=2))),
    ("mask without a palette", "mode L", grey_png),
    ("mask without a palette", "mode RGB", colours),
    ("mask that is not a PNG", "JPEG", jpeg),
    ("unreadable mask", "late/00004.png", lambda f: (f / "late/00004.png").write_bytes(b"\x89PNG")),
    ("unknown id", "late/00004.png (9)", lambda f: save_ids(f / "late/00004.png", box(2, 2, number=9))),
    ("unknown id", "late/00002.png (5)", lambda f: save_ids(f / "late/00002.png", box(2, 2, number=5))),
    ("file outside of the folder", "notes.txt", lambda f: (f.parent / "notes.txt").touch()),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "words", "make"), MISTAKES)
def test_mistakes_are_found(
    protocol: YouTubeVosProtocol, tmp_path: Path, kind: str, words: str, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "out/Annotations")
    found = check_submission(tmp_path / "out", protocol)
    assert kind in kinds(found)
    assert any(words in str(problem) for problem in found.problems), [str(each) for each in found.problems]


def test_a_missing_video_and_a_missing_folder(protocol: YouTubeVosProtocol, tmp_path: Path) -> None:
    for path in (tmp_path / "out/Annotations/plain").iterdir():
        path.unlink()
    assert kinds(check_submission(tmp_path / "out", protocol)) == ["missing video"]
    inner = check_submission(tmp_path / "out/Annotations", protocol)
    assert kinds(inner)[0] == "file outside of the folder" and "missing video" in kinds(inner)


def test_mose_wants_the_videos_at_the_top(tmp_path: Path) -> None:
    make_mose(tmp_path / "data")
    protocol = MoseProtocol(tmp_path / "data")
    run_video(CopiesMasks(), protocol.task("gone"), save_masks=tmp_path / "out/Annotations")
    assert check_submission(tmp_path / "out/Annotations", protocol).problems == ()
    assert kinds(check_submission(tmp_path / "out", protocol))[0] == "folder around the videos"


def test_other_colours_are_a_remark(protocol: YouTubeVosProtocol, tmp_path: Path) -> None:
    path = tmp_path / "out/Annotations/late/00004.png"
    image = Image.open(path)
    image.load()
    image.putpalette(list(range(255, -1, -1)) * 3)
    image.save(path)
    found = check_submission(tmp_path / "out", protocol)
    assert not found.problems and [each.kind for each in found.remarks] == ["other colours"]


def test_a_file_that_is_there_twice(protocol: YouTubeVosProtocol, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        for path in (tmp_path / "out").rglob("*.png"):
            archive.write(path, path.relative_to(tmp_path / "out"))
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("Annotations/late/00000.png", b"")
    assert kinds(check_submission(tmp_path / "out.zip", protocol))[0] == "file that is there twice"


def test_one_object_per_file(tmp_path: Path) -> None:
    make_sa_v(tmp_path / "data")
    protocol = SaVProtocol(tmp_path / "data")
    run_video(CopiesMasks(), protocol.task("person"), save_masks=tmp_path / "out")
    assert check_submission(tmp_path / "out", protocol) == CheckedSubmission((), (), 1, 10)
    save_ids(tmp_path / "out/person/001/00008.png", np.maximum(box(2, 2), box(14, 20, number=2)))
    assert kinds(check_submission(tmp_path / "out", protocol)) == ["mask of several objects"]
