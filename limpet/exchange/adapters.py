"""Masks as other libraries hold them: stacks of numpy or torch, and ``supervision.Detections``.

Legend: H W pixels; N objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from limpet.core.errors import MaskError, MissingExtraError
from limpet.exchange.coco_rle import Labels, bounding_box, label_counts

if TYPE_CHECKING:
    import torch


def to_stack(labels: Labels, ids: Sequence[int] | None = None) -> NDArray[np.bool_]:
    """One mask per object.

    Args:
        labels: uint8 or uint16 (H, W) of object ids.
        ids: of the objects, in order; None: those in ``labels``, ascending.

    Returns:
        bool (N, H, W).

    >>> labels = np.array([[0, 7], [3, 7]], np.uint8)
    >>> to_stack(labels).tolist()
    [[[False, False], [True, False]], [[False, True], [False, True]]]
    >>> to_stack(labels, [7, 9]).shape
    (2, 2, 2)
    """
    wanted = np.unique(labels[labels > 0]) if ids is None else np.asarray(ids, np.int64)
    stack: NDArray[np.bool_] = labels[None] == wanted[:, None, None]
    return stack


def from_stack(masks: NDArray[Any], ids: Sequence[int]) -> NDArray[np.uint8]:
    """A label map from one mask per object; where masks overlap, the later one is in front.

    Args:
        masks: (N, H, W); everything but 0 is the object.
        ids: 1..255, one per mask.

    Raises:
        MaskError: the numbers of masks and ids differ, or an id is not one.

    >>> from_stack(np.array([[[1, 1]], [[0, 1]]]), [7, 9]).tolist()
    [[7, 9]]
    """
    if masks.ndim != 3 or len(masks) != len(ids):
        raise MaskError(f"masks are {masks.shape} for {len(ids)} ids; expected (objects, height, width)")
    labels = np.zeros(masks.shape[1:], np.uint8)
    for number, mask in zip(ids, masks, strict=True):
        if not 0 < int(number) < 256:
            raise MaskError(f"id {number} is not between 1 and 255; number the objects again")
        labels[mask != 0] = number
    return labels


def to_torch(labels: Labels, ids: Sequence[int] | None = None, device: str = "cpu") -> torch.Tensor:
    """``to_stack`` as a tensor, bool (N, H, W), on ``device``.

    >>> to_torch(np.array([[0, 7]], np.uint8)).tolist()
    [[[False, True]]]
    """
    import torch

    return torch.from_numpy(to_stack(labels, ids)).to(device)


def to_detections(
    labels: Labels, confidence: Mapping[int, float] | None = None, names: Mapping[int, str] | None = None
) -> Any:
    """The objects of a frame as ``supervision.Detections``: masks, boxes, ``tracker_id`` (the ids) and confidences.

    Args:
        labels: uint8 or uint16 (H, W) of object ids.
        confidence: id -> 0..1, as ``state.confidence``.
        names: id -> name; they become ``data["class_name"]``, and equal names get one ``class_id``.

    Raises:
        MissingExtraError: supervision is not installed.
    """
    try:
        import supervision
    except ImportError as error:
        raise MissingExtraError("supervision.Detections", "supervision", "supervision") from error
    found = label_counts(labels)
    if not found:
        return supervision.Detections.empty()
    boxes = np.array([bounding_box(counts, labels.shape[0]) for counts in found.values()], np.float32)
    boxes[:, 2:] += boxes[:, :2]  # x, y, width, height -> two corners
    texts = [(names or {}).get(i, "") for i in found]
    classes = {text: k for k, text in enumerate(dict.fromkeys(texts))}
    return supervision.Detections(
        xyxy=boxes,
        mask=to_stack(labels, list(found)),
        confidence=None
        if confidence is None
        else np.array([confidence.get(i, 0.0) for i in found], np.float32),
        class_id=np.array([classes[text] for text in texts]),
        tracker_id=np.array(list(found)),
        data={"class_name": np.array(texts)},
    )


def from_detections(detections: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A first mask, uint8 (H, W), from ``supervision.Detections`` of another program's detector.

    Args:
        detections: with masks; ids are those of ``tracker_id``, or 1, 2, … without.
        size: (H, W) of the frame.

    Raises:
        MaskError: there are no masks, or they have another size.
    """
    count = len(detections)
    if count == 0:
        return np.zeros(size, np.uint8)
    if detections.mask is None:
        raise MaskError("the detections have boxes but no masks; use a detector that segments")
    masks = np.asarray(detections.mask)
    if masks.shape[1:] != tuple(size):
        raise MaskError(
            f"the masks are {masks.shape[1]}x{masks.shape[2]}, but the frame is {size[0]}x{size[1]}"
        )
    numbers = range(1, count + 1) if detections.tracker_id is None else detections.tracker_id
    return from_stack(masks, [int(number) for number in numbers])
