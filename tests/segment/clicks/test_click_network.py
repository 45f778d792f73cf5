"""The network: sizes, the encoder's names, and that each thing a person shows matters."""

from __future__ import annotations

import torch

from limpet.models.mobilenet import MobileNetV2
from limpet.segment.clicks.click_network import ClickNetwork


def test_logits_have_the_size_of_the_image() -> None:
    network = ClickNetwork().eval()
    assert network(torch.rand(2, 3, 64, 96), torch.zeros(2, 3, 64, 96)).shape == (2, 1, 64, 96)


def test_the_encoder_takes_weights_of_imagenet_by_name() -> None:
    known = {k: v.shape for k, v in MobileNetV2().state_dict().items() if not k.startswith("features.18.")}
    own = {k: v.shape for k, v in ClickNetwork().state_dict().items() if k.startswith("features.")}
    assert own == known


def test_it_is_small() -> None:
    assert sum(each.numel() for each in ClickNetwork().parameters()) < 2e6


def test_disks_and_the_mask_so_far_each_change_the_result() -> None:
    torch.manual_seed(0)
    network, image, guides = ClickNetwork().eval(), torch.rand(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    with torch.inference_mode():
        plain = network(image, guides)
        for channel in range(3):
            shown = guides.clone()
            shown[:, channel, 20:30, 20:30] = 1
            assert (network(image, shown) - plain).abs().max() > 1e-4
