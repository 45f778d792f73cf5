"""``limpet export`` and ``limpet parity``: a bundle from end to end, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from limpet.cli.options import MODEL
from limpet.runtime.manifest import Manifest

from .clips import SIZE
from .command import Limpet
from .conftest import FRAMES


def test_export_and_parity(limpet: Limpet, clip: Path, mask: Path, weights: Path, tmp_path: Path) -> None:
    size = "x".join(map(str, SIZE))
    done = limpet(
        "export", "--weights", weights, "--to", "torch", "--size", size, "--max-size", 33, "--out", "bundle"
    )
    done.succeeded()
    assert f"{MODEL} as torch fp32, " in done.out
    manifest = Manifest.read(tmp_path / "bundle")
    assert (manifest.frame_size, manifest.network_size) == (SIZE, (33, 49))
    assert set(manifest.files) == {"start.pt2", "step.pt2"}
    limpet("export", "--to", "onnx", "--size", "60x84", "--out", "bundle").refused("pass --overwrite")
    limpet("parity", "bundle", "--weights", weights).refused("288x512", size)  # the demo clip
    same = limpet("parity", "bundle", clip, "--mask", mask, "--weights", weights)
    same.succeeded()
    assert f"with torch fp32 over {FRAMES - 1} frames" in same.out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--size", "480"), "such as 480x854, or any"),
        (("--size", "60x84", "--calibrate", "clip.mp4"), "both, or neither"),
        (("--size", "60x84", "--calibrate", "clip.mp4", "--calibrate-mask", "m.png"), "is for --int8"),
        (("--size", "60x84", "--precision", "fp4"), "cannot be written in fp4"),
        (("--size", "60x84", "--memory", "official"), "no memory policy 'official'; the choices are: ring"),
    ],
)
def test_what_is_refused(limpet: Limpet, options: tuple[str, ...], sentence: str) -> None:
    limpet("export", "--to", "onnx", "--out", "bundle", *options).refused(sentence)


def test_parity_needs_both_or_neither(limpet: Limpet, tmp_path: Path) -> None:
    limpet("parity", "nothing").refused("is not an exported tracker")
