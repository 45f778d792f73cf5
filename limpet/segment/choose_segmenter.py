"""Models for clicks by name: the one in the package, weights of one's own, or SAM's ONNX files."""

from __future__ import annotations

from pathlib import Path

from limpet.core.errors import WeightsError
from limpet.segment.clicks.click_config import MODEL
from limpet.segment.segmenter import Segmenter
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
    files = segmenter_files(name)
    if not files:
        return None
    if len(files) == 2:
        from limpet.segment.sam_onnx import SamOnnx

        return SamOnnx(*files)
    from limpet.segment.clicks.click_model import ClickModel
    from limpet.tracking.load import choose_device

    return ClickModel(files[0], str(choose_device(device)))


def segmenter_files(name: str | None = None) -> tuple[Path, ...]:
    """The files of a model for clicks: its weights, or SAM's encoder and decoder; none where there is no model.

    Raises:
        WeightsError: the name is of another form, or weights are missing, damaged or of another model.
    """
    if name == NONE or (name is None and not BUNDLED.is_file()):
        return ()
    files = (BUNDLED,) if name is None else tuple(Path(each.strip()) for each in name.split(","))
    if any(file.suffix.lower() == ".onnx" for file in files):
        if len(files) != 2:
            raise WeightsError(f"the segmenter is {name!r}: SAM has an encoder and a decoder; {EXPECTED}")
        return files
    if len(files) > 1 or files[0].suffix.lower() != ".safetensors":
        raise WeightsError(f"the segmenter is {name!r}; {EXPECTED}")
    held = model_in(files[0])
    if held != MODEL:
        raise WeightsError(f"{files[0]} holds weights of {held!r}, not of the click model; {EXPECTED}")
    return files
