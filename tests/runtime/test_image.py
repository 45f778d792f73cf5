"""The image that runtimes get is, number for number, the one that the tracker's network gets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from limpet.runtime.image import normalised_image
from limpet.tracking.prepare import prepare_image
from limpet.tracking.sizes import DEVIATION, MEAN

from .bundles import noise


@pytest.mark.parametrize("size", [(60, 84), (65, 97), (33, 129)])
def test_it_equals_what_torch_prepares(size: tuple[int, int]) -> None:
    (frame,) = noise(1)
    for given in (frame, frame[:, ::-1]):
        found = normalised_image(given, size, MEAN, DEVIATION)
        assert found.dtype == np.float32 and found.flags.c_contiguous
        assert np.array_equal(found, prepare_image(given, size, torch.device("cpu")).numpy())
