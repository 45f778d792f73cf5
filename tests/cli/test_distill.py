"""`limpet distill` on two tiny clips: labels by the teacher, a student that tracks, and what goes wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from studies.conftest import make_video
from training.tiny import make_stills

from limpet.core.errors import DataError
from limpet.distillation.config import MapChoice, map_pair
from limpet.training.checkpoint import CHECKPOINT, load_checkpoint

from .clips import masks_of, picture, write_first_mask, write_video
from .command import Limpet
from .conftest import FRAMES

SMALL = ("--batch", 1, "--frames", 2, "--size", 65, "--precision", "32-true", "--device", "cpu")
TEACHER = ("--teacher", "deaot-nano", "--label-size", 128)


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """footage/ with one clip, firsts/ with the mask of its first frame."""
    (tmp_path / "footage").mkdir()
    (tmp_path / "firsts").mkdir()
    size = (130, 194)
    write_video(
        tmp_path / "footage" / "seen.mp4", [picture(0, size)] * FRAMES
    )  # at rest: no teacher loses that
    write_first_mask(tmp_path / "firsts" / "seen.png", size)
    return tmp_path / "footage"


def test_from_footage_to_a_student_that_tracks(
    limpet: Limpet, footage: Path, clip: Path, mask: Path, tmp_path: Path
) -> None:
    (footage / "broken.mp4").write_bytes(b"no video")
    command = ("distill", "--out", "run", *TEACHER, "--videos", footage, "--first-masks", "firsts", *SMALL)
    outcome = limpet(*command, "--steps", 2)
    outcome.succeeded()
    assert "note: skipped broken: " in outcome.err, "one unreadable clip is told, and the rest goes on"
    assert "1 clips of footage" in outcome.out
    assert "run/weights.safetensors (sha256 " in outcome.out
    labels = json.loads((tmp_path / "run/labels/footage/labels.json").read_text())
    assert "seen" in json.dumps(labels)
    student = ("--model", "deaot-nano", "--weights", "run/weights.safetensors")
    limpet("track", clip, "--mask", mask, *student, "--out", "out").succeeded()
    assert len(masks_of(tmp_path / "out")) == FRAMES
    limpet(*command, "--steps", 3, "--resume").succeeded()
    limpet(*command, "--steps", 4, "--resume", "--attention-weight", 2).refused(
        "attention_weight was 1.5, is now 2.0"
    )


def test_from_photos_with_cached_labels(limpet: Limpet, tmp_path: Path) -> None:
    stills = make_stills(tmp_path / "stills").root
    command = ("distill", "--out", "run", *TEACHER, "--stills", stills, *SMALL, "--steps", 2)
    limpet(*command, "--labels", "cached", "--attention", "cka").refused(
        "use --attention none, or --labels online"
    )
    limpet(*command, "--labels", "cached").succeeded()


def test_mobilevos_takes_labels_and_footage(limpet: Limpet, footage: Path, tmp_path: Path) -> None:
    make_video(tmp_path / "davis/JPEGImages/480p/one", tmp_path / "davis/Annotations/480p/one")
    (tmp_path / "davis/ImageSets/2017").mkdir(parents=True)
    (tmp_path / "davis/ImageSets/2017/train.txt").write_text("one\n")
    labelled = ("--labelled", tmp_path / "davis:2017/train")
    plain = ("distill", "--out", "run", *TEACHER, *labelled, *SMALL, "--steps", 2)
    limpet(*plain).refused(
        "the method 'attention' looks at no mask but a clip's first", "or use --method mobilevos"
    )
    command = (*plain, "--method", "mobilevos")
    limpet(*command, "--attention-weight", 2).refused(
        "attention_weight does nothing with the method 'mobilevos'"
    )
    both = ("--videos", footage, "--first-masks", "firsts", "--omega", 1)
    limpet(*command, *both).succeeded()
    settings = json.loads((tmp_path / "run/distillation.json").read_text())["settings"]
    assert settings["method"] == "mobilevos" and settings["mobilevos"]["omega"] == 1.0
    assert load_checkpoint(tmp_path / "run" / CHECKPOINT).config.mask_loss == "poly_ce"
    limpet(*plain, *both[:-2], "--steps", 3, "--resume").succeeded()


def test_bad_input_is_told(limpet: Limpet, footage: Path, tmp_path: Path) -> None:
    limpet("distill", "--out", "run").refused("give --videos DIR, --stills DIR, or both")
    (tmp_path / "empty").mkdir()
    begin = ("distill", "--out", "run", *TEACHER, *SMALL, "--steps", 1)
    limpet(*begin, "--videos", "empty").refused(
        "there is no footage in empty", "expected a folder of clips (mp4"
    )
    Image.new("P", (10, 12), 1).save(tmp_path / "firsts" / "seen.png")
    limpet(*begin, "--videos", footage, "--first-masks", "firsts").refused("12x10")
    limpet(*begin, "--videos", footage, "--maps", "last").refused("--maps last is not understood")
    twice = ("--videos", footage, "--label-stride", 1, "--label-stride", 2)
    limpet(*begin, *twice).refused("there are 2 strides for 1 sources of footage")
    limpet(*begin, "--videos", footage, "--logits", "all").refused("logits is 'all', expected one of dist")


def test_maps_are_named_by_their_layers() -> None:
    assert map_pair("-1:-1") == (MapChoice(-1), MapChoice(-1))
    assert map_pair("0:2:self") == (MapChoice(0, "self"), MapChoice(2, "self"))
    with pytest.raises(DataError, match="for instance -1:-1"):
        map_pair("1")
