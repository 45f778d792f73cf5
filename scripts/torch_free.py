"""Proves that an exported tracker runs where torch is not installed, on the demo clip.

    .venv/bin/python scripts/torch_free.py [FOLDER]        (make torchfree)

It exports the default model for the clip's size, makes an environment without torch, gives both environments the same
``limpet track`` command, and compares the masks. It needs a package index. Exit code 1 where masks differ.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
from PIL import Image

from limpet.core.masks import write_mask
from limpet.demo.demo_clip import demo_video, first_mask

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ["numpy", "pillow", "av", "opencv-python-headless", "safetensors", "rich", "typer", "onnxruntime"]
SIZE = "288x512"
LEAST = 0.999


def main(folder: Path) -> int:
    """Returns the exit code."""
    folder.mkdir(parents=True, exist_ok=True)
    here, there = Path(sys.executable).parent, environment(folder / "venv")
    write_mask(folder / "first.png", first_mask())
    bundle = folder / "bundle"
    both = ("track", demo_video(), "--mask", folder / "first.png", "--overwrite", "--out")
    run(here / "limpet", "export", "--to", "onnx", "--size", SIZE, "--out", bundle, "--overwrite")
    run(here / "limpet", *both, folder / "with-torch", "--precision", "fp32")
    run(there / "limpet", *both, folder / "without-torch", "--runtime", "onnx", "--bundle", bundle)
    ious = [
        iou(ids_in(path), ids_in(folder / "without-torch/masks" / path.name))
        for path in sorted((folder / "with-torch/masks").iterdir())
    ]
    print(
        f"{len(ious)} frames: mean IoU {np.mean(ious):.6f}, worst {min(ious):.6f} in frame {np.argmin(ious)}"
    )
    return 0 if np.mean(ious) >= LEAST else 1


def environment(folder: Path) -> Path:
    """The folder of programs of an environment with PACKAGES and limpet, and without torch."""
    if not folder.exists():
        venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", *PACKAGES)
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", ROOT)
    found = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    if found.returncode == 0:
        raise SystemExit(f"torch is installed in {folder}; remove that folder and begin again")
    return folder / "bin"


def ids_in(path: Path) -> np.ndarray:
    """A mask (H, W) of ids, which may be empty."""
    with Image.open(path) as image:
        return np.array(image)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Mean over the objects of (H, W) masks; 1 where neither mask shows the object."""
    ids = np.union1d(one, other)
    areas = [((one == i) & (other == i)).sum() / ((one == i) | (other == i)).sum() for i in ids[ids > 0]]
    return float(np.mean(areas)) if areas else 1.0


def run(*command: object) -> None:
    """Run a command, which is shown; stop where it fails."""
    words = [str(word) for word in command]
    print("$", " ".join(words), flush=True)
    subprocess.run(words, check=True)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/torch-free")))
