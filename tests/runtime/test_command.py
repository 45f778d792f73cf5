"""``limpet track --bundle``: the results of ``limpet track``, and no torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli.clips import masks_of, write_images
from cli.command import Limpet

from limpet.core.masks import write_mask
from limpet.evaluation.vot.regions import decode_region, encode_region
from limpet.evaluation.vot.trax_connection import parse_message
from limpet.tracking.track_video import track
from limpet.tracking.tracker import Tracker

from .bundles import boxes, noise

COUNT = 4
WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NoTorch())
from limpet.cli.main import main
main()
"""


@pytest.fixture
def limpet(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Limpet:
    monkeypatch.chdir(tmp_path)
    return Limpet(capsys)


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """A folder ``shots`` of frames, with the mask ``first.png`` of objects 7 and 200 beside it."""
    write_mask(tmp_path / "first.png", boxes(200, 7))
    return write_images(tmp_path / "shots", noise(COUNT))


def run_without_torch(folder: Path, *arguments: object, lines: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
    settings = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command,
        cwd=folder,
        env=settings,
        input=lines,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_without_torch_the_results_are_the_trackers(
    bundles: Path, original: Tracker, shots: Path, tmp_path: Path, backend: str
) -> None:
    later = np.where(boxes(1, 9) == 9, 9, 0).astype(np.uint8)
    write_mask(tmp_path / "later.png", later)
    done = run_without_torch(
        tmp_path, "track", "shots", "--mask", "first.png", "--add", "2:later.png", "--out", "out",
        "--runtime", backend, "--bundle", bundles / backend,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.startswith("4 frames, objects 7, 9, 200, ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "masks", "overlay.mp4", "report.html", "report.json", "report.png"
    ]  # fmt: skip
    track(shots, boxes(200, 7), tmp_path / "torch", tracker=original, add={2: later}, overlay=False)
    for found, expected in zip(masks_of(tmp_path / "out"), masks_of(tmp_path / "torch"), strict=True):
        assert (found == expected).mean() > 0.999
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["complete"] is True and report["model"] == "deaot-t" and report["calibrated"] is True
    assert report["info"]["device"].startswith({"onnx": "onnxruntime"}.get(backend, backend))


def test_vot_is_served_without_torch(bundles: Path, original: Tracker, shots: Path, tmp_path: Path) -> None:
    frames = sorted(shots.iterdir())
    region = encode_region(boxes(1) > 0)
    asked = [f'@@TRAX:initialize "mask:{region}"', *(f'@@TRAX:frame "file://{path}"' for path in frames)]
    done = run_without_torch(
        tmp_path, "vot", "serve", "--bundle", bundles / "onnx", lines="\n".join([*asked, "@@TRAX:quit"])
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    said = [parse_message(line) for line in done.stdout.splitlines()]
    assert [word for word, _ in said] == ["hello", *["state"] * COUNT]
    track(shots, boxes(1), tmp_path / "torch", tracker=original, overlay=False)
    for (_, arguments), expected in zip(said[1:], masks_of(tmp_path / "torch"), strict=True):
        found = decode_region(arguments[0]).on_image(expected.shape)
        assert (found == (expected > 0)).mean() > 0.999


def test_the_toolkit_is_told_of_a_bundle(limpet: Limpet, bundles: Path) -> None:
    words = ("vot", "init", "ws", "--bundle", bundles / "onnx")
    limpet(*words, "--min-confidence", 0.5).succeeded()
    command = Path("ws/trackers.ini").read_text()
    assert f"vot serve --min-confidence 0.5 --bundle {(bundles / 'onnx').resolve()}\n" in command
    limpet(*words, "--preset", "vot2020").refused("--preset does not go with --bundle: its memory was fixed")
    limpet(*words, "--short-term-skip", 2).refused("its short-term memory is the previous frame")


def test_what_needs_torch_says_so_without_it(shots: Path, tmp_path: Path) -> None:
    done = run_without_torch(tmp_path, "track", "shots", "--mask", "first.png")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "error: this needs torch, which is not installed" in done.stderr and "--bundle" in done.stderr


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (
            ("--memory", "first"),
            "--memory does not go with --bundle: its memory was fixed when it was exported",
        ),
        (("--memory-budget", "9"), "--memory-budget does not go with --bundle"),
        (("--flip",), "--flip does not go with --bundle: it processes each frame once"),
        (("--scales", "1.0,1.3"), "--scales does not go with"),
        (("--model", "deaot-t"), "--model does not go with --bundle: the bundle holds its model"),
        (("--weights", "w.safetensors"), "--weights does not go with"),
        (("--max-size", "64"), "--max-size does not go with"),
        (("--device", "cuda"), "--device does not go with"),
        (("--resume",), "--resume does not go with --bundle: such a run saves no state to go on from"),
        (("--precision", "bf16"), "exported in fp32, and onnx computes as it was exported"),
        (("--runtime", "openvino"), "is a bundle for onnx, not for openvino"),
    ],
)
def test_options_that_say_nothing_of_a_bundle(
    limpet: Limpet, bundles: Path, shots: Path, tmp_path: Path, option: tuple[str, ...], words: str
) -> None:
    limpet("track", shots, "--mask", "first.png", "--bundle", bundles / "onnx", *option).refused(words)
    assert not (tmp_path / "shots-masks").exists()


def test_a_runtime_needs_a_bundle(limpet: Limpet, shots: Path, bundles: Path) -> None:
    limpet("track", shots, "--mask", "first.png", "--runtime", "onnx").refused(
        "name its folder with --bundle", "--to onnx --size HEIGHTxWIDTH"
    )
    limpet("track", shots, "--mask", "first.png", "--runtime", "tensorrt").refused(
        "no runtime 'tensorrt'; the choices are: onnx, openvino, litert, torch"
    )
    limpet("track", shots, "--mask", "first.png", "--bundle", "nowhere").refused("is not an exported tracker")


def test_what_does_not_fit_is_told_before_anything_is_written(
    limpet: Limpet, bundles: Path, shots: Path, tmp_path: Path
) -> None:
    write_mask(tmp_path / "crowd.png", boxes(1, 2, 3, 4))
    command = ("track", shots, "--bundle", bundles / "onnx", "--mask")
    limpet(*command, "crowd.png").refused("there are 4 objects but", "3 at most")
    limpet(*command, "first.png", "--add", "2:crowd.png").refused("there are 6 objects but")
    large = (90, 120)
    write_images(tmp_path / "large", noise(2, large))
    write_mask(tmp_path / "large.png", boxes(1, size=large))
    limpet("track", "large", "--bundle", bundles / "onnx", "--mask", "large.png").refused(
        "exported for 60x84", "limpet export deaot-t --to onnx --size 90x120"
    )
    assert not (tmp_path / "shots-masks").exists() and not (tmp_path / "large-masks").exists()


def test_more_masks_than_references_is_a_note(limpet: Limpet, bundles: Path, shots: Path) -> None:
    same = ("--add", "1:first.png", "--add", "2:first.png")
    outcome = limpet("track", shots, "--mask", "first.png", "--bundle", bundles / "onnx", *same)
    outcome.succeeded()
    assert "room for 2 of the 3 frames with given masks" in outcome.err and "--references 3" in outcome.err


def test_the_demo_clip_has_its_size(limpet: Limpet, bundles: Path) -> None:
    limpet("demo", "--bundle", bundles / "onnx").refused("the frames are 288x512 but", "--size 288x512")
