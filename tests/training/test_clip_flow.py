"""Flow of training clips is that of the tracker, and training takes it."""

from __future__ import annotations

import numpy as np
import torch
from networks import lively_devos, mask_of
from tracking.test_frame_flow import CONFIG, SIZE, devos_tracker, panning

from limpet.core.flow import DISFlow, flow_between
from limpet.models.base import Features
from limpet.tracking.processing import prepare_image
from limpet.training.clip_flow import pixels, with_flow
from limpet.training.rollout import RolloutConfig, rollout


def clips(count: int = 3) -> torch.Tensor:
    """(T, 2, 3, H, W): two cameras that move, the second of them twice as fast."""
    cpu = torch.device("cpu")
    pairs = zip(panning(count), panning(2 * count, seed=1)[::2], strict=True)
    return torch.stack([torch.cat([prepare_image(frame, SIZE, cpu) for frame in pair]) for pair in pairs])


def no_features(count: int = 3) -> list[Features]:
    return [Features(*[torch.zeros(2, 1, 1, 1)] * 4) for _ in range(count)]


def test_pixels_are_those_of_the_frames() -> None:
    assert np.array_equal(pixels(clips())[1, 0], panning(2)[1])


def test_flow_is_that_of_the_tracker() -> None:
    found = with_flow(no_features(), clips(), "dis")
    assert found[0].flow is None, "the reference frame has none before it"
    source, frames = DISFlow(), panning(3)
    views = [source.view(frame, SIZE) for frame in frames]
    for index in (1, 2):
        flow = found[index].flow
        assert flow is not None and flow.shape == (2, 4, 25, 33)
        expected = flow_between(source, views[index - 1], views[index], SIZE).planes
        torch.testing.assert_close(flow[0], torch.from_numpy(expected))
        right = flow[:, 1].flatten(1).median(dim=1).values
        assert right[1] > right[0] + 3, "the second camera is faster"


def test_other_sources_need_none() -> None:
    for flow in ("match", "none", None):
        assert all(each.flow is None for each in with_flow(no_features(), clips(), flow))  # type: ignore[arg-type]


@torch.no_grad()
def test_a_rollout_does_what_the_tracker_does() -> None:
    images = clips()[:, :1]
    mask = mask_of(1, 2, height=SIZE[0], width=SIZE[1])
    masks = torch.from_numpy(mask).long().expand(3, 1, *SIZE)
    result = rollout(lively_devos(CONFIG), images, masks, [2], RolloutConfig(own_predictions=True))  # type: ignore[arg-type]
    tracker, frames = devos_tracker(memory="first"), panning(3)
    state = tracker.start(frames[0], mask)
    for index in (1, 2):
        found, state = tracker.step(frames[index], state)
        assert (found != result.masks[index, 0].numpy()).mean() < 0.002
