"""Object masks as files: indexed PNGs in the DAVIS palette, whose values are the object ids."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from limpet.core.errors import MaskError, Option
from limpet.core.files import atomic_path
from limpet.core.picture_files import open_image

MAX_ID = 255
VOID = 255
"""In masks of data sets, beside other ids: pixels that belong to no object and are not evaluated."""
_LOSSY = {"JPEG", "MPO", "JPEG2000", "AVIF"}
_UNREADABLE = (OSError, Image.DecompressionBombError, SyntaxError, ValueError)
_AS_8_BIT = (
    "save it as an indexed (mode P) or greyscale (mode L) 8-bit PNG whose pixel values are the object ids"
)


def read_mask(
    path: str | Path,
    size: tuple[int, int] | None = None,
    *,
    resize_mask: bool = False,
    void: int | None = None,
) -> NDArray[np.uint8]:
    """Read a mask of objects.

    Args:
        path: an indexed, 8-bit greyscale or 1-bit image (PNG; any lossless format works). The pixel value is
            the object id, 0 is background.
        size: the frame's (H, W) in pixels, which the mask must have.
        resize_mask: resize a mask of another size to ``size`` (nearest neighbour) instead of refusing it.
        void: an id that means "ignore" and is read as background. DAVIS and YouTube-VOS use 255 in some
            sets; by default 255 is an object like any other, because many programs draw one object as 255.

    Returns:
        uint8 (H, W), ids as in the file.

    Raises:
        MaskError: it cannot be read, has colours, more than 8 bits, another size, or no object.
    """
    path = Path(path)
    if path.is_dir():
        raise MaskError(
            f"mask {path} is a folder; name the mask itself, an indexed PNG of the objects in one frame"
        )
    mask = _values(path, equal_channels=False)
    if void is not None:
        mask[mask == void] = 0
    if not mask.any():
        raise MaskError(
            f"{path} holds no object: every pixel is background (0); draw each object with an id 1..255"
        )
    return mask if size is None else fit_mask(mask, size, resize_mask, path)


def read_ids(path: str | Path) -> NDArray[np.uint8]:
    """Read the ids of a mask as they are stored, of a data set's annotation or of a saved prediction.

    Args:
        path: as for ``read_mask``; an RGB image of three equal channels is read as greyscale.

    Returns:
        uint8 (H, W); a mask without an object is allowed, since objects leave the frame.

    Raises:
        MaskError: it cannot be read, has colours or more than 8 bits.
    """
    return _values(Path(path), equal_channels=True)


def read_annotation(path: str | Path) -> NDArray[np.uint8]:
    """Read the objects of a data set's mask: like ``read_ids``, but without void pixels.

    Returns:
        uint8 (H, W). 255 is kept where it is the only id, since DAVIS-2016 stores its single object so; beside
        other ids it is void and becomes background.
    """
    return without_void(read_ids(path))


def without_void(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``mask`` uint8 (H, W) without void pixels: 255 beside other ids becomes background, alone it is an object."""
    void = mask == VOID
    if void.any() and mask[~void].any():
        return np.where(void, np.uint8(0), mask)
    return mask


def write_mask(path: str | Path, mask: NDArray[np.uint8], palette: list[int] | None = None) -> None:
    """Write ``mask`` uint8 (H, W) as an indexed PNG; ids stay as they are. Atomic.

    Args:
        palette: colours, 3 values for each id from 0 on; None takes those of DAVIS.

    Raises:
        OutputError: it cannot be written.
    """
    data = encode_mask(mask, palette)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def encode_mask(mask: NDArray[np.uint8], palette: list[int] | None = None) -> bytes:
    """``mask`` uint8 (H, W) of ids as an indexed PNG, see ``write_mask``; equal masks give equal bytes."""
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"a mask is uint8 (H, W); got {mask.dtype} {mask.shape}")
    image = Image.fromarray(mask)
    image.putpalette(davis_palette().tobytes() if palette is None else palette)
    buffer = io.BytesIO()
    # Level 3 is twice as fast as the default and a few per cent larger on masks.
    image.save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def decode_mask(data: bytes, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """The ids uint8 (H, W) of what ``encode_mask`` wrote; the mask may be empty.

    Args:
        size: the (H, W) that it must have; None takes any.

    Raises:
        MaskError: it is not an 8-bit picture of that size. Nothing larger is decoded.
    """
    try:
        with open_image(io.BytesIO(data)) as image:
            found = image.height, image.width
            if image.mode not in ("P", "L", "1") or found != (size or found):
                expected = f"{size[0]}x{size[1]}" if size else "a usual size"
                raise MaskError(
                    f"it is {found[0]}x{found[1]} in mode {image.mode}; expected {expected} in mode P"
                )
            return np.array(image, dtype=np.uint8)
    except _UNREADABLE as error:
        raise MaskError(f"it cannot be read as an image ({error})") from error


@cache
def davis_palette() -> NDArray[np.uint8]:
    """The colours of DAVIS and Pascal VOC: uint8 (256, 3) RGB, read-only.

    Bit 3k + c of the id becomes bit 7 - k of channel c, so neighbouring ids differ most.
    """
    ids = np.arange(256)[:, None]
    palette = np.zeros((256, 3), np.uint8)
    for k in range(3):
        palette |= (((ids >> (3 * k + np.arange(3))) & 1) << (7 - k)).astype(np.uint8)
    palette.flags.writeable = False
    return palette


def _values(path: Path, *, equal_channels: bool) -> NDArray[np.uint8]:
    try:
        with open_image(path) as image:
            if image.format in _LOSSY:
                raise MaskError(
                    f"mask {path} is a {image.format} file, whose compression changes ids along edges; "
                    f"{_AS_8_BIT}"
                )
            pixels, mode = np.array(image), image.mode
    except FileNotFoundError as error:
        raise MaskError(
            f"mask {path} does not exist; expected an indexed PNG of the objects in one frame"
        ) from error
    except _UNREADABLE as error:
        raise MaskError(
            f"mask {path} cannot be read as an image ({error}); expected an indexed PNG"
        ) from error
    if equal_channels and mode in ("RGB", "RGBA") and (pixels[..., :1] == pixels[..., 1:3]).all():
        pixels, mode = pixels[..., 0], "L"
    if mode in ("P", "L", "1"):
        return pixels.astype(np.uint8, copy=False)
    raise MaskError(_wrong_mode(path, mode, pixels))


def _wrong_mode(path: Path, mode: str, pixels: NDArray[np.generic]) -> str:
    if mode in ("LA", "PA", "La"):
        return f"mask {path} has transparency (mode {mode}); {_AS_8_BIT}"
    if pixels.ndim == 3:
        hint = _colour_hint(pixels)
        return f"mask {path} has colours (mode {mode}) where ids were expected; {hint}{_AS_8_BIT}"
    if pixels.dtype.kind == "f":
        return f"mask {path} contains floating-point values; {_AS_8_BIT}"
    count = len(np.setdiff1d(pixels, [0]))
    if count > MAX_ID:
        return f"mask {path} has {count} ids, but {MAX_ID} is the limit; keep fewer objects, then {_AS_8_BIT}"
    if pixels.max() > MAX_ID:
        return (
            f"mask {path} is 16-bit with ids up to {pixels.max()}, but ids go from 1 to {MAX_ID}; "
            f"renumber them, then {_AS_8_BIT}"
        )
    return f"mask {path} is 16-bit (mode {mode}); its {count} ids fit into 8 bits: {_AS_8_BIT}"


def _colour_hint(pixels: NDArray[np.generic]) -> str:
    """What kind of colours they are: ids in the DAVIS palette, or grey."""
    colours = np.unique(pixels[..., :3].reshape(-1, 3), axis=0)
    ids = {tuple(colour): number for number, colour in enumerate(davis_palette().tolist())}
    found = [ids.get(tuple(colour)) for colour in colours.tolist()]
    if None not in found:
        names = ", ".join(str(number) for number in sorted(number for number in found if number))
        return (
            f"its colours are the DAVIS palette's (ids {names}), so a program converted an indexed mask to colours "
            "(OpenCV does, Pillow does not): "
        )
    if (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all():
        return "its three channels are equal, so greyscale loses nothing: "
    return f"it has {len(colours)} colours: "


def fit_mask(
    mask: NDArray[np.uint8], size: tuple[int, int], resize_mask: bool, path: str | Path
) -> NDArray[np.uint8]:
    """``mask`` uint8 (H, W) of the file ``path``, resized to ``size`` if it has another one and that is allowed.

    Raises:
        MaskError: it has another size; or an object would get lost.
    """
    if mask.shape == tuple(size):
        return mask
    height, width = mask.shape
    if not resize_mask:
        raise MaskError(
            f"mask is {height}x{width} but the frame is {size[0]}x{size[1]}; resize it or pass ",
            Option("resize_mask"),
        )
    if (height > width) != (size[0] > size[1]) and height != width and size[0] != size[1]:
        raise MaskError(
            f"mask {path} is {height}x{width} and the frame is {size[0]}x{size[1]}: one is upright, the other lies; "
            "turn the mask by 90 degrees, since resizing would squeeze its objects"
        )
    resized = np.array(Image.fromarray(mask).resize((size[1], size[0]), Image.Resampling.NEAREST))
    gone = np.setdiff1d(mask, resized)
    gone = gone[gone > 0]
    if len(gone):
        raise MaskError(
            f"object {gone[0]} of {path} is too small to survive the resize from {height}x{width} to "
            f"{size[0]}x{size[1]}; draw it larger"
        )
    return resized
