"""SAM and its relatives (MobileSAM, EdgeSAM and others) from ONNX files of the user's own, as models for clicks.

The decoder is told by the names of its inputs, which are those of the official export: image_embeddings, point_coords,
point_labels and, where the model has them, mask_input, has_mask_input, orig_im_size. The encoder is told by the shape
of its input.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import MissingExtraError, WeightsError
from limpet.core.tracker_protocol import Image, Mask
from limpet.segment.segmenter import Click, check_clicks, touched_only

SIDE = 1024
"""Of what SAM's encoders see, in pixels, where the file does not say another."""
_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_STD = np.array([58.395, 57.12, 57.375], np.float32)
_KEPT = 8
_GIVEN_LOGIT = 8.0
"""A mask that is given is shown to the decoder as logits of this size."""
_EXPECTED = "expected the two files of one export of SAM"
Floats = NDArray[np.float32]


class SamOnnx:
    """Implements ``limpet.segment.Segmenter``.

    Args:
        encoder, decoder: ONNX files. The embeddings of the last few images are kept.

    Raises:
        WeightsError: a file is missing, damaged or of another signature; says what was expected and what came.
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, encoder: Path, decoder: Path) -> None:
        self._files = (encoder, decoder)
        self._encoder, self._decoder = _open(encoder), _open(decoder)
        self.name = f"{encoder.name}, {decoder.name}"
        self.note = (
            f"Your own model ({self.name}) makes the mask of the clicks. The brush and the livewire finish what clicks "
            f"begin."
        )
        (first, *others) = self._encoder.get_inputs()
        if others or len(first.shape) not in (3, 4):
            raise WeightsError(
                f"{encoder} has the inputs {_names(self._encoder.get_inputs())}; expected an image encoder with one "
                f"input, (1, 3, {SIDE}, {SIDE}) or (H, W, 3); the encoder is named before the decoder"
            )
        self._picture = first
        self._asked = {each.name: each for each in self._decoder.get_inputs()}
        missing = {"image_embeddings", "point_coords", "point_labels"} - self._asked.keys()
        if missing:
            raise WeightsError(
                f"{decoder} has the inputs {_names(self._decoder.get_inputs())}, and {', '.join(sorted(missing))} are "
                f"missing; expected SAM's decoder as its official export writes it"
            )
        self._embeddings: OrderedDict[bytes, Floats] = OrderedDict()
        self._lock = threading.Lock()

    def segment(self, image: Image, clicks: Sequence[Click], mask: Mask | None = None) -> Mask:
        """See ``Segmenter``. Raises MaskError: no click, or one outside of the image."""
        check_clicks(image, clicks)
        with self._lock:
            given = None if mask is None or not mask.any() else (mask > 0).astype(np.float32)
            low: Floats | None = None if given is None else self._as_logits(given)
            soft, embedding = given, self._embedding(image)
            # With a mask that is given, each click changes what it touches; otherwise all are asked for at once.
            for count in range(1 if given is not None else len(clicks), len(clicks) + 1):
                after, low = self._decode(image, embedding, clicks[:count], low)
                soft = after if soft is None else touched_only(soft, after, clicks[count - 1])
        assert soft is not None
        return (soft > 0.5).astype(np.uint8)

    def _scale(self, image: Image) -> float:
        return float(self._side / max(image.shape[:2]))

    @property
    def _side(self) -> int:
        sides = [each for each in self._picture.shape[-2:] if isinstance(each, int) and each > 3]
        return max(sides, default=SIDE) if len(self._picture.shape) == 4 else SIDE

    def _embedding(self, image: Image) -> Floats:
        key = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
        if key not in self._embeddings:
            self._embeddings[key] = self._encode(image)
            while len(self._embeddings) > _KEPT:
                self._embeddings.popitem(last=False)
        self._embeddings.move_to_end(key)
        return self._embeddings[key]

    def _encode(self, image: Image) -> Floats:
        scale = self._scale(image)
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        pixels = np.asarray(cv2.resize(image, (width, height), interpolation=way), np.float32)
        if len(self._picture.shape) == 4:
            pixels = (pixels - _MEAN) / _STD
            padded = np.zeros((3, self._side, self._side), np.float32)
            padded[:, :height, :width] = pixels.transpose(2, 0, 1)
            pixels = padded[None]
        dtype = np.uint8 if "uint8" in self._picture.type else np.float32
        given = {self._picture.name: pixels.astype(dtype)}
        made = _run(
            self._encoder, given, f"{self._files[0]} cannot be run on an image of {width}x{height} pixels"
        )
        return np.asarray(made[0], np.float32)

    def _decode(
        self, image: Image, embedding: Floats, clicks: Sequence[Click], low: Floats | None
    ) -> tuple[Floats, Floats | None]:
        """The best mask as probabilities (H, W), and its logits at low resolution, for the next click."""
        scale = self._scale(image)
        points = np.array([[(c.x + 0.5) * scale, (c.y + 0.5) * scale] for c in clicks] + [[0, 0]], np.float32)
        labels = np.array([float(c.positive) for c in clicks] + [-1.0], np.float32)  # -1: there is no box
        values: dict[str, Any] = {
            "image_embeddings": embedding,
            "point_coords": points[None],
            "point_labels": labels[None],
            "mask_input": np.zeros((1, 1, 256, 256), np.float32) if low is None else low,
            "has_mask_input": np.array([float(low is not None)], np.float32),
            "orig_im_size": np.array(image.shape[:2], np.float32),
        }
        encoder, decoder = self._files
        given = {name: values[name] for name in self._asked if name in values}
        outputs = _run(self._decoder, given, f"{decoder} cannot be run on what {encoder} makes of the image")
        named = dict(zip((each.name for each in self._decoder.get_outputs()), outputs, strict=True))
        masks = np.asarray(named["masks"] if "masks" in named else outputs[0], np.float32)
        scores = next(
            (v for k, v in named.items() if "iou" in k or "score" in k), np.zeros((1, masks.shape[1]))
        )
        best = int(np.asarray(scores)[0].argmax())
        logits = masks[0, best]
        small = named.get("low_res_masks")
        if (
            logits.shape != image.shape[:2]
        ):  # some exports leave the logits small, with the padding around them
            small, logits = masks, _enlarged(logits, image.shape[:2])
        kept = None if small is None else np.asarray(small, np.float32)[:, best : best + 1]
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32), kept

    def _as_logits(self, mask: Floats) -> Floats:
        """A mask as the decoder takes it: (1, 1, 256, 256), with the padding that the image has."""
        height, width = mask.shape
        longest = max(height, width)
        inner = (max(1, round(256 * width / longest)), max(1, round(256 * height / longest)))
        small = np.asarray(cv2.resize(mask, inner, interpolation=cv2.INTER_AREA), np.float32)
        logits = np.full((1, 1, 256, 256), -_GIVEN_LOGIT, np.float32)
        logits[0, 0, : inner[1], : inner[0]] = (2 * small - 1) * _GIVEN_LOGIT
        return logits


def _enlarged(logits: Floats, size: tuple[int, ...]) -> Floats:
    """Logits of a padded square at the image's size."""
    longest, side = max(size), logits.shape[0]
    height, width = (max(1, round(side * each / longest)) for each in size)
    return np.asarray(
        cv2.resize(logits[:height, :width], (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.float32
    )


def _open(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("a segmenter in ONNX", "onnx", "onnxruntime") from error
    if not path.is_file():
        raise WeightsError(f"there is no file at {path}; expected an ONNX file")
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises errors of many kinds, all of them about the file
        raise WeightsError(
            f"{path} cannot be opened as an ONNX file ({str(error).splitlines()[0]})"
        ) from error


def _run(session: Any, values: dict[str, Any], problem: str) -> list[Any]:
    try:
        return list(session.run(None, values))
    except Exception as error:  # see _open
        raise WeightsError(f"{problem} ({str(error).splitlines()[0]}); {_EXPECTED}") from error


def _names(inputs: Sequence[Any]) -> str:
    return ", ".join(f"{each.name} {tuple(each.shape)}" for each in inputs)
