"""Models for clicks by name: the one in the package, weights of one's own, or SAM's ONNX files."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from limpet.core.errors import WeightsError
from limpet.core.tracker_protocol import Image, Mask
from limpet.segment.clicks.click_config import MODEL, NAME, NOTE
from limpet.segment.segmenter import Click, Segmenter
from limpet.weights.zoo import model_in

NONE = "none"
BUNDLED = Path(__file__).with_name("click.safetensors")
"""The weights in the package."""
EXPECTED = (
    "expected weights of the click model (FILE.safetensors), SAM's encoder and decoder (ENCODER.onnx,DECODER.onnx), or "
    f"{NONE}"
)


def load_segmenter(name: str | None = None, device: str = "auto") -> Segmenter | None:
    """A model for clicks.

    >>> from limpet.segment import load_segmenter
    >>> segmenter = load_segmenter("sam_encoder.onnx,sam_decoder.onnx")  # doctest: +SKIP

    Args:
        name: a file of weights, two ONNX files with a comma between them, or "none"; None: the model in the package.
        device: "auto", "cpu" or "cuda"; ONNX files run on the CPU.

    Returns:
        None for "none", and where no name is given and the package has no weights.

    Raises:
        WeightsError: a file is missing, damaged or of another kind.
        MissingExtraError: onnxruntime is not installed and ONNX files were named.
    """
    if name == NONE or (name is None and not BUNDLED.is_file()):
        return None
    files = [] if name is None else [Path(each.strip()) for each in name.split(",")]
    if any(file.suffix.lower() == ".onnx" for file in files):
        if len(files) != 2:
            raise WeightsError(f"the segmenter is {name!r}: SAM has an encoder and a decoder; {EXPECTED}")
        from limpet.segment.sam_onnx import SamOnnx

        return SamOnnx(*files)
    if len(files) > 1 or (files and files[0].suffix.lower() != ".safetensors"):
        raise WeightsError(f"the segmenter is {name!r}; {EXPECTED}")
    path = files[0] if files else BUNDLED
    held = model_in(path)
    if held != MODEL:
        raise WeightsError(f"{path} holds weights of {held!r}, not of the click model; {EXPECTED}")
    return _LoadedInBackground(path, device)


class _LoadedInBackground:
    """The click model, whose libraries take seconds to load: whoever asks for a mask meanwhile waits."""

    name = NAME
    note = NOTE

    def __init__(self, path: Path, device: str) -> None:
        self._loading: Future[Segmenter] = Future()
        threading.Thread(target=self._load, args=(path, device), name="click model", daemon=True).start()

    def _load(self, path: Path, device: str) -> None:
        try:
            from limpet.segment.clicks.click_model import ClickModel
            from limpet.tracking.load import choose_device

            self._loading.set_result(ClickModel(path, str(choose_device(device))))
        except BaseException as error:  # told to whoever waits
            self._loading.set_exception(error)

    def segment(self, image: Image, clicks: Sequence[Click], mask: Mask | None = None) -> Mask:
        """See ``Segmenter``."""
        return self._loading.result().segment(image, clicks, mask)
