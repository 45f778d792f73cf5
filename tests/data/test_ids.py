"""Ids of a clip's objects: 1..N whatever they were, in random order."""

from __future__ import annotations

import numpy as np
import pytest

from limpet.data.clip import Layer
from limpet.data.ids import table_of, with_labels


def layer(mask: np.ndarray, label: int | None) -> Layer:
    """A layer that stands still; only its masks and label count here."""
    return Layer(
        images=(np.zeros((*mask.shape, 3), np.uint8),),
        masks=(mask,),
        homography=np.eye(3)[None],
        bend=None,
        label=label,
        window=(0, 0, *mask.shape),
        colour=None,
        smear=np.zeros((1, 2), np.float32),
    )


def test_a_table_keeps_its_ids_and_no_others() -> None:
    mask = np.array([[0, 3, 7], [255, 3, 9]], np.uint8)
    assert table_of([3, 255])[mask].tolist() == [[0, 3, 0], [255, 3, 0]]
    assert not table_of([])[mask].any()


@pytest.mark.parametrize("most", [1, 2, 4])
def test_objects_get_the_ids_1_to_n_in_random_order(most: int) -> None:
    scene = np.array([[0, 5, 5, 9]], np.uint8)
    pasted = np.array([[0, 1, 1, 1]], np.uint8)
    orders = set()
    for seed in range(30):
        rng = np.random.default_rng(seed)
        first, second, third = with_labels(
            rng, [layer(scene, None), layer(pasted, 300), layer(pasted, 0)], most
        )
        background, five, same, nine = first.masks[0][0].tolist()
        assert background == 0 and five == same and third.label == 0
        numbers = [number for number in (five, nine, second.label) if number]
        assert sorted(numbers) == list(range(1, min(most, 3) + 1))
        orders.add(tuple(numbers))
    assert len(orders) > 1 or most == 1
