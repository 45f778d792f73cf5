"""Stacks of masks, tensors and supervision's detections, there and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from limpet.core.errors import MaskError, MissingExtraError
from limpet.exchange.adapters import from_detections, from_stack, to_detections, to_stack, to_torch

from .sequences import SIZE, hard_labels


def test_stacks() -> None:
    labels = hard_labels()[1]
    stack = to_stack(labels)
    assert stack.dtype == np.bool_ and stack.shape == (4, *SIZE)
    assert np.array_equal(from_stack(stack, [1, 3, 7, 200]), labels)
    assert to_stack(labels, [7, 12]).any(axis=(1, 2)).tolist() == [True, False]
    assert to_stack(np.zeros(SIZE, np.uint8)).shape == (0, *SIZE)
    assert torch.equal(to_torch(labels), torch.from_numpy(stack))
    with pytest.raises(MaskError, match="for 1 ids"):
        from_stack(stack, [1])
    with pytest.raises(MaskError, match="id 256 is not between"):
        from_stack(stack, [1, 2, 3, 256])


def test_detections() -> None:
    supervision = pytest.importorskip("supervision")
    labels = hard_labels()[1]
    found = to_detections(labels, {1: 0.5, 200: 0.25}, {1: "cat", 3: "cat", 7: "dog"})
    assert isinstance(found, supervision.Detections)
    assert found.tracker_id.tolist() == [1, 3, 7, 200]
    assert found.confidence.tolist() == [0.5, 0.0, 0.0, 0.25]
    assert found.class_id.tolist() == [0, 0, 1, 2]
    assert found.data["class_name"].tolist() == ["cat", "cat", "dog", ""]
    assert found.xyxy[0].tolist() == [4, 2, 11, 14]
    assert np.array_equal(from_detections(found, SIZE), labels)
    found.tracker_id = None
    assert np.unique(from_detections(found, SIZE)).tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(MaskError, match="are 24x40, but the frame is 4x4"):
        from_detections(found, (4, 4))
    found.mask = None
    with pytest.raises(MaskError, match="no masks"):
        from_detections(found, SIZE)
    assert len(to_detections(np.zeros(SIZE, np.uint8))) == 0
    assert not from_detections(supervision.Detections.empty(), SIZE).any()


def test_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "supervision", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'limpet\[supervision\]'"):
        to_detections(hard_labels()[0])
