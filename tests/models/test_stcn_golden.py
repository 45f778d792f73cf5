"""STCN equals the official implementation: every stored tensor, and a clip along which it feeds its soft masks back.

The stored tensors are compared in float64: some values are as large as 45, where the rounding of float32, with another
order of adding, is already as large as ATOL.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from forced import NEAR_TIES, Inside, golden_model
from golden import ATOL, arrays, clip, golden_folder, normalise
from torch import Tensor

from limpet.memory import Memory
from limpet.models import Features
from limpet.models.base import joint_logits
from limpet.models.identity import one_hot
from limpet.models.stcn import STCN

GAP = 2  # of the reference run
SOURCE = "clip_a_129x225_3obj"
OBJECTS = 3


class Followed(NamedTuple):
    """A frame: what the decoder read, logits (1, N+1, H, W) as padded, and probabilities (N+1, H, W) as they merge."""

    index: int
    features: Features
    tokens: Tensor
    logits: Tensor
    merged: Tensor
    memory_tokens: int


@pytest.fixture(scope="module")
def model() -> STCN:
    made = golden_model("stcn", golden_folder() / "stcn")
    assert isinstance(made, STCN)
    return made


@pytest.fixture(scope="module")
def sides() -> list[int]:
    """Zeros left, right, above and below each frame."""
    return [int(side) for side in arrays(golden_folder() / "stcn", "out_a")["pad_left_right_top_bottom"]]


def first_planes(sides: list[int]) -> Tensor:
    """The given masks of the first frame, padded with background."""
    mask = torch.from_numpy(clip(SOURCE).masks[:1]).long()
    return one_hot(F.pad(mask, sides), OBJECTS + 1)


@torch.no_grad()
def follow(model: STCN, sides: list[int]) -> Iterator[Followed]:
    """Along the clip with its own soft masks in memory."""
    images = F.pad(normalise(clip(SOURCE).frames), sides).to(model.dtype)
    _, _, long_term = model.refer(
        model.encode(images[:1]), model.identify(first_planes(sides).to(model.dtype))
    )
    short_term: Memory = long_term
    for index in range(1, len(images)):
        features = model.encode(images[index : index + 1])
        tokens, pending = model.propagate(features, long_term, short_term)
        logits = F.interpolate(model.decode(tokens, features), size=images.shape[-2:], mode="bilinear")
        merged = joint_logits(logits, model.config).softmax(dim=1)
        read = long_term[0].key.shape[1]
        yield Followed(index, features, tokens, logits, merged[0], read)
        short_term = model.remember(pending, model.identify(merged.to(model.dtype)))
        if index % GAP == 0:
            long_term = long_term.append(short_term)


def test_a_clip_with_its_own_soft_masks_in_memory(model: STCN, sides: list[int]) -> None:
    expected = arrays(golden_folder() / "stcn", "out_a")
    left, right, top, bottom = sides
    different = 0
    for frame in follow(model, sides):
        height, width = frame.merged.shape[-2:]
        inner = frame.merged[:, top : height - bottom, left : width - right]
        np.testing.assert_allclose(
            inner[:, ::4, ::4], expected["prob_s4"][frame.index], atol=ATOL, rtol=0, err_msg=str(frame.index)
        )
        different += int((inner.argmax(dim=0).numpy() != expected["mask"][frame.index]).sum())
        assert frame.memory_tokens == expected["mem_tokens_at_frame"][frame.index - 1]
    assert different <= NEAR_TIES


@torch.no_grad()
def test_tensors_inside_the_network(model: STCN, sides: list[int]) -> None:
    model = copy.deepcopy(model).double()
    inside = Inside(golden_folder() / "stcn", "mid_a")

    def check_maps(prefix: str, features: Features) -> None:
        inside.check(f"{prefix}/k16", features.tokens[:, :64])
        inside.check(f"{prefix}/f16_thin", features.tokens[:, 64:])
        for name, plane in zip(("f4", "f8", "f16"), features.maps, strict=True):
            inside.check(f"{prefix}/{name}", plane)

    images = F.pad(normalise(clip(SOURCE).frames[:1]), sides).double()
    features, planes = model.encode(images), first_planes(sides).double()
    check_maps("ref", features)
    inside.check("ref/value_mask_in", planes[0, 1:].unsqueeze(1))
    _, _, memory = model.refer(features, model.identify(planes))
    value = memory[0].value.transpose(1, 2).unflatten(2, features.size).unflatten(1, (OBJECTS, -1))[0]
    inside.check("ref/value", value)

    frame = next(follow(model, sides))
    check_maps("f1", frame.features)
    own = frame.features.tokens[:, 64:].expand(OBJECTS, -1, -1, -1)
    read = frame.tokens.unflatten(1, (OBJECTS, -1))[0]
    inside.check("f1/readout_cat_f16thin", torch.cat([read, own], dim=1))
    inside.check("f1/decoder_logits_full", frame.logits[0, 1:, ::2, ::2].unsqueeze(1))
    assert inside.seen == set(inside.stored)
