"""Follows objects through a video with a bundle of `limpet export --to litert`; what an app on a phone would do.

    python litert_runner.py BUNDLE VIDEO MASK.png OUT
It needs numpy, Pillow, opencv-python and ai-edge-litert, but neither limpet nor torch. MASK is a picture of object
numbers (an indexed PNG) for the first frame; OUT gets such a picture for every frame.
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
    begin, step = interpreter.get_signature_runner("begin"), interpreter.get_signature_runner("step")
    picture = Image.open(mask_file)
    mask, palette = np.array(picture, np.uint8), picture.getpalette() or [i // 3 for i in range(768)]
    ids = np.array(
        [0, *np.unique(mask[mask > 0])], np.uint8
    )  # slot -> object number; slot 0 is the background
    if list(mask.shape) != facts["frame_size"] or not 1 < len(ids) <= facts["objects"] + 1:
        sys.exit(
            f"expected a mask of {facts['frame_size']} with 1 to {facts['objects']} objects in {mask_file}"
        )
    Path(out).mkdir(parents=True, exist_ok=True)
    state = None
    for number, frame in enumerate(read(video)):
        if list(frame.shape[:2]) != facts["frame_size"]:
            sys.exit(
                f"the bundle was exported for frames of {facts['frame_size']}, these are {frame.shape[:2]}"
            )
        image = prepare(frame, facts)
        if state is None:
            slots = np.searchsorted(ids, mask).astype(np.uint8)
            state = begin(image=image, mask=slots[None])
        else:
            found = step(image=image, **state)
            slots = found["mask"][0]
            state |= {name: value for name, value in found.items() if name in state}
        picture = Image.fromarray(ids[slots])
        picture.putpalette(palette)
        picture.save(Path(out) / f"{number:05d}.png")


def read(video):
    source = cv2.VideoCapture(video)
    while (read := source.read())[0]:
        yield cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB)  # (H, W, 3)


def prepare(frame, facts):
    """Frame (H, W, 3) 0..255 -> (1, 3, h, w) float32, normalised."""
    height, width = facts["network_size"]
    image = cv2.resize(frame.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    image = (image / 255 - np.float32(facts["mean"])) / np.float32(facts["deviation"])
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
