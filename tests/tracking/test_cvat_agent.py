"""CVAT's protocol of tracking functions, offline: with cvat-sdk where it is installed, and with a stand-in of the two
modules that are used, which has their order of numbers (runs, then the box)."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from networks import frames, mask_of, small_tracker
from PIL import Image

from limpet.core.errors import MaskError, MissingExtraError
from limpet.tracking.cvat_agent import CvatTracker, create


@dataclass(frozen=True)
class Spec:
    supported_shape_types: list[str]


@dataclass(frozen=True)
class Shape:
    type: str
    points: list[float]


def encode_mask(bitmap: np.ndarray) -> list[float]:
    rows, columns = np.nonzero(bitmap)
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    flat = bitmap[top : bottom + 1, left : right + 1].ravel().astype(int)
    runs, value, length = [], 0, 0
    for pixel in flat:
        if pixel != value:
            runs.append(length)
            value, length = pixel, 0
        length += 1
    return [float(number) for number in (*runs, length, left, top, right, bottom)]


def decode_mask(points: list[float], *, image_width: int, image_height: int) -> np.ndarray:
    left, top, right, bottom = (int(number) for number in points[-4:])
    runs = [int(number) for number in points[:-4]]
    flat = np.concatenate([np.full(length, k % 2 == 1) for k, length in enumerate(runs)])
    mask = np.zeros((image_height, image_width), bool)
    mask[top : bottom + 1, left : right + 1] = flat.reshape(bottom - top + 1, right - left + 1)
    return mask


@pytest.fixture(params=["stand-in", "cvat-sdk"])
def sdk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules of the SDK: ``auto_annotation`` and ``masks``."""
    if request.param == "cvat-sdk":
        annotation = pytest.importorskip("cvat_sdk.auto_annotation")
        return SimpleNamespace(auto_annotation=annotation, masks=pytest.importorskip("cvat_sdk.masks"))
    parts = {
        "auto_annotation": {"TrackingFunctionSpec": Spec, "TrackableShape": Shape},
        "masks": {"encode_mask": encode_mask, "decode_mask": decode_mask},
    }
    package = ModuleType("cvat_sdk")
    for name, content in parts.items():
        module = ModuleType(f"cvat_sdk.{name}")
        vars(module).update(content)
        setattr(package, name, module)
        monkeypatch.setitem(sys.modules, f"cvat_sdk.{name}", module)
    monkeypatch.setitem(sys.modules, "cvat_sdk", package)
    return package


def test_masks_are_those_of_the_tracker(sdk: Any) -> None:
    tracker = small_tracker()
    function = create(tracker=tracker)
    assert list(function.spec.supported_shape_types) == ["mask"]
    pictures = frames(4)
    given = (mask_of(7) == 7).astype(np.uint8)
    images = [function.preprocess_image(None, Image.fromarray(picture)) for picture in pictures]
    shape = sdk.auto_annotation.TrackableShape(type="mask", points=sdk.masks.encode_mask(given > 0))
    one = function.init_tracking_state(None, images[0], shape)
    two = function.init_tracking_state(None, images[0], shape)  # another shape, with a state of its own
    state = tracker.start(pictures[0], given)
    for picture, image in zip(pictures[1:], images[1:], strict=True):
        expected, state = tracker.step(picture, state)
        for tracked in (one, two):
            found = function.track(None, image, tracked)
            if not expected.any():
                assert found is None
                continue
            height, width = expected.shape
            mask = sdk.masks.decode_mask(found.points, image_width=width, image_height=height)
            assert found.type == "mask" and np.array_equal(mask, expected == 1)


def test_an_object_that_is_not_seen(sdk: Any) -> None:
    class Blind:
        def start(self, frame: np.ndarray, mask: np.ndarray) -> int:
            if not mask.any():
                raise MaskError("the mask holds no object")
            return 0

        def step(self, frame: np.ndarray, state: int) -> tuple[np.ndarray, int]:
            return np.full(frame.shape[:2], state % 2, np.uint8), state + 1

    function = CvatTracker(tracker=Blind())  # type: ignore[arg-type]
    image = function.preprocess_image(None, Image.new("L", (6, 4)))
    assert image.shape == (4, 6, 3)
    shape = sdk.auto_annotation.TrackableShape(type="mask", points=sdk.masks.encode_mask(np.eye(4, 6) > 0))
    tracked = function.init_tracking_state(None, image, shape)
    assert function.track(None, image, tracked) is None
    assert function.track(None, image, tracked) is not None, "it comes back"


def test_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvat_sdk.auto_annotation", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'limpet\[cvat\]'"):
        create()
