"""The click model with untrained weights: what it looks at, what it leaves alone, and that replay equals memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limpet.core.errors import MaskError, WeightsError
from limpet.segment.clicks.click_model import ClickModel, Window, _around, _clicked_pieces, _obeying
from limpet.segment.segmenter import Click
from tests.segment.conftest import photo

CLICKS = [Click(64, 48), Click(20, 30), Click(100, 80, positive=False)]


@pytest.fixture
def model(untrained: Path) -> ClickModel:
    return ClickModel(untrained, size=64)


def test_a_mask_has_the_size_of_the_image_and_only_zero_and_one(model: ClickModel) -> None:
    for height, width in ((96, 128), (33, 200), (200, 33), (5, 7)):
        image = photo(0, height, width)[0]
        mask = model.segment(image, [Click(width // 2, height // 2)])
        assert mask.shape == (height, width) and mask.dtype == np.uint8 and mask.max() <= 1


def test_clicks_one_after_another_equal_all_of_them_at_once(model: ClickModel, untrained: Path) -> None:
    image = photo(0)[0]
    for count in (1, 2, 3):
        found = model.segment(image, CLICKS[:count])
    assert np.array_equal(found, ClickModel(untrained, size=64).segment(image, CLICKS))
    assert np.array_equal(
        model.segment(image, CLICKS[:1]), ClickModel(untrained, size=64).segment(image, CLICKS[:1])
    )


def test_another_image_or_mask_is_not_taken_for_the_last_one(model: ClickModel, untrained: Path) -> None:
    (first, inside), (second, _) = photo(0), photo(1)
    for image, mask in ((first, None), (second, None), (first, inside.astype(np.uint8)), (first, None)):
        fresh = ClickModel(untrained, size=64).segment(image, CLICKS, mask)
        assert np.array_equal(model.segment(image, CLICKS, mask), fresh)


def test_a_click_on_a_given_mask_leaves_what_it_does_not_touch(model: ClickModel) -> None:
    image = photo(0)[0]
    given = np.zeros(image.shape[:2], np.uint8)
    given[2:8, 2:8] = given[40:60, 40:90] = 1
    found = model.segment(image, [Click(110, 80)], given)
    changed = found != given
    assert not changed[:20, :20].any() or _is_connected(changed, (80, 110))


def _is_connected(changed: np.ndarray, place: tuple[int, int]) -> bool:
    import cv2

    _, pieces = cv2.connectedComponents(changed.astype(np.uint8))
    return bool(pieces[place] == pieces[4, 4])


def test_the_mirrored_image_has_the_mirrored_mask(model: ClickModel) -> None:
    image = photo(0)[0]
    clicks = [Click(64.5, 48.5), Click(20.5, 30.5), Click(100.5, 80.5, positive=False)]
    mirrored = [Click(image.shape[1] - 1 - each.x, each.y, each.positive) for each in clicks]
    for count in (1, 2, 3):
        found = model.segment(image, clicks[:count])
        other = model.segment(image[:, ::-1], mirrored[:count])[:, ::-1]
        assert (found == other).mean() > 0.99


def test_a_click_is_obeyed_whatever_the_network_says(model: ClickModel) -> None:
    image, inside = photo(0)
    for given in (None, inside.astype(np.uint8)):
        for count in range(1, len(CLICKS) + 1):
            found = model.segment(image, CLICKS[:count], given)
            last = CLICKS[count - 1]
            assert bool(found[int(last.y), int(last.x)]) == last.positive


def test_a_disk_reaches_half_of_the_way_to_a_click_that_says_the_opposite() -> None:
    soft = np.full((200, 300), 0.9, np.float32)
    assert _obeying(soft, [Click(50, 50)]) is soft
    changed = _obeying(soft, [Click(50, 50), Click(90, 50, positive=False)]) != soft
    assert changed[50, 71] and changed[50, 109] and not changed[50, 69] and not changed[50, 111]
    far = _obeying(soft, [Click(150, 100, positive=False)]) != soft
    assert far[100, 150 + 37] and not far[100, 150 + 39], "an eighth of the image"


def test_only_pieces_that_were_clicked_stay() -> None:
    soft = np.zeros((40, 60), np.float32)
    soft[5:15, 5:15], soft[20:35, 20:55], soft[2:4, 50:52] = 0.9, 0.8, 0.7
    one = _clicked_pieces(soft, [Click(7, 9), Click(30, 25, positive=False)])
    assert np.array_equal(one, np.where(soft == np.float32(0.9), soft, 0))
    two = _clicked_pieces(soft, [Click(7, 9), Click(51, 3), Click(0, 0)])
    assert np.array_equal(two, np.where(soft == np.float32(0.8), 0, soft))
    assert np.array_equal(_clicked_pieces(soft, [Click(0, 0)]), soft), "the network sees it elsewhere"


def test_the_window_shows_mask_and_clicks_with_a_margin() -> None:
    mask = np.zeros((400, 600), bool)
    mask[100:200, 300:400] = True
    window = _around(mask, [Click(350, 150)])
    assert window == Window(80, 220, 280, 420)
    wider = _around(mask, [Click(599, 399)])
    assert wider.bottom == 400 and wider.right == 600 and wider.top < 100 and wider.left < 300
    tiny = _around(np.zeros((400, 600), bool), [Click(3, 3)])
    assert tiny.top == tiny.left == 0 and tiny.size > (20, 20)


def test_a_click_outside_and_no_click_are_refused(model: ClickModel) -> None:
    with pytest.raises(MaskError, match="outside of the image"):
        model.segment(photo(0)[0], [Click(500, 3)])
    with pytest.raises(MaskError, match="no click"):
        model.segment(photo(0)[0], [])


def test_weights_of_another_model_are_named(stock_weights: Path) -> None:
    with pytest.raises(WeightsError, match="holds weights of 'deaot-nano', not of the click model"):
        ClickModel(stock_weights)


@pytest.fixture
def stock_weights(tmp_path: Path) -> Path:
    import torch

    from limpet.weights.weights_file import Weights, write_weights

    write_weights(tmp_path / "other.safetensors", Weights("deaot-nano", {"a": torch.ones(1)}))
    return tmp_path / "other.safetensors"
