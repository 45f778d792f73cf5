"""Follows objects through a video with a bundle of `limpet export --to litert`: what an app on a phone would do.

python litert_runner.py BUNDLE VIDEO MASK.png OUT
MASK holds the objects' numbers in the first frame (an indexed PNG); OUT gets such a picture for every frame.
It needs numpy, Pillow, opencv-python and ai-edge-litert, but neither limpet nor torch.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image


def main(bundle, video, mask_file, out, threads=2):
    facts = json.loads((Path(bundle) / "manifest.json").read_text())
    interpreter = Interpreter(str(Path(bundle) / facts["step"]["file"]), num_threads=threads)
    start, step = interpreter.get_signature_runner("start"), interpreter.get_signature_runner("step")
    picture = Image.open(mask_file)
    mask, palette = np.array(picture, np.uint8), picture.getpalette()
    ids = np.array([0, *np.unique(mask[mask > 0])], np.uint8)  # slot -> number; slot 0 is background
    size, most = facts["frame_size"], facts["objects"]
    if list(mask.shape) != size or not 1 < len(ids) <= most + 1:
        sys.exit(f"expected a mask of {size} with 1 to {most} objects in {mask_file}")
    Path(out).mkdir(parents=True, exist_ok=True)
    state = None
    for number, frame in enumerate(read(video)):
        if list(frame.shape[:2]) != size:
            sys.exit(f"the bundle takes frames of {size}, these are {frame.shape[:2]}")
        image = prepare(frame, facts)
        if state is None:
            slots = np.searchsorted(ids, mask).astype(np.uint8)
            state = start(image=image, mask=slots[None])
        else:
            found = step(image=image, **state)
            slots, state = found["mask"][0], state | {n: v for n, v in found.items() if n in state}
        picture = Image.fromarray(ids[slots])
        picture.putpalette(palette or [level // 3 for level in range(768)])
        picture.save(Path(out) / f"{number:05d}.png")


def read(video):
    source = cv2.VideoCapture(video)
    while (read := source.read())[0]:
        yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)  # (H, W, 3)


def prepare(frame, facts):
    """Frame (H, W, 3) 0..255 -> (1, 3, h, w) float32, normalised."""
    size = facts["network_size"][::-1]
    image = cv2.resize(frame.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
    image = (image / 255 - np.float32(facts["mean"])) / np.float32(facts["std"])
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
