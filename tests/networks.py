"""Small networks whose masks change from frame to frame, and frames and masks for them."""

from __future__ import annotations

import numpy as np
import torch
from tiny_encoder import TINY
from torch import nn

from limpet.models import DeAOTConfig, Model, ModelConfig, build_model
from limpet.models.adva import ADVA
from limpet.models.devos import DeVOS, DeVOSConfig
from limpet.models.gated_propagation import PropagationConfig
from limpet.models.grid_layer import GridLayer
from limpet.models.identity import one_hot
from limpet.models.stcn import STCN, STCNConfig
from limpet.models.transformer import TransformerConfig
from limpet.models.value_encoder import MASKS
from limpet.state import TrackerState
from limpet.tracking.tracker import Tracker

HEIGHT, WIDTH = 65, 97
NARROW = PropagationConfig(channels=32, attention_channels=16, value_channels=32, window_radius=3)

NARROW_STUDENT = STCNConfig(
    encoder="mobilenet-v2-96",
    align_corners=True,
    key_channels=16,
    value_channels=16,
    decoder_widths=(16, 16, 8),
    value_encoder="mobilenet-v2",
    reads_previous=True,
)
"""As the students of MobileVOS."""
NARROW_STCN = STCNConfig(
    encoder="resnet-18",
    key_channels=16,
    value_channels=16,
    decoder_widths=(16, 16, 8),
    long_term_gap=5,
    top_k=6,
)
"""As STCN itself."""
NARROW_DEVOS = DeVOSConfig(
    encoder=TINY,
    layers=2,
    flow="match",
    transformer=TransformerConfig(channels=32, heads=4, hidden_channels=64, window_radius=2, drop_path=0.0),
)


def small_config(layers: int = 1, gap: int | None = None, encoder: str = TINY) -> DeAOTConfig:
    """A narrow member of the family."""
    return DeAOTConfig(encoder=encoder, layers=layers, long_term_gap=gap, propagation=NARROW)


def lively_model(config: ModelConfig | None = None, seed: int = 0) -> Model:
    """A random network that sees several objects: plain random weights give the same answer everywhere."""
    torch.manual_seed(seed)
    model = build_model(config or small_config())
    with torch.no_grad():
        model.id_bank.patches.weight.mul_(30)
        model.decoder.conv_out.weight.mul_(30)
    return model


def lively_stcn(config: STCNConfig, seed: int = 0) -> STCN:
    """A random network of STCN's family whose logits are of both signs and follow the masks that it remembers."""
    torch.manual_seed(seed)
    model = STCN(config).eval()
    planes = one_hot(torch.from_numpy(mask_of(1, 2, height=64, width=96)).long()[None], 3)
    with torch.no_grad():
        stem = next(part for part in model.value_encoder.modules() if isinstance(part, nn.Conv2d))
        stem.weight[:, -MASKS:].mul_(6 if stem.in_channels > MASKS else 2)
        features = model.encode(torch.randn(1, 3, 64, 96))
        model.key_projection.weight.mul_(1 / features.tokens[:, : config.key_channels].std())
        logits = model.decode(model.refer(features, model.identify(planes))[0], features)[:, 1:]
        scale = 2 / logits.std()
        model.decoder.conv_out.weight.mul_(scale)
        model.decoder.conv_out.bias.fill_(-scale * logits.mean())
    return model


def lively_devos(config: DeVOSConfig = NARROW_DEVOS) -> DeVOS:
    """A random network that sees objects and flow, and whose learned offsets are not zero."""
    model = lively_model(config).eval()
    assert isinstance(model, DeVOS)
    with torch.no_grad():
        model.decoder.conv_out.weight.mul_(0.2)
        for module in model.modules():
            if isinstance(module, GridLayer):
                nn.init.normal_(module.flow_projection.weight, std=0.3)
            if isinstance(module, ADVA):
                nn.init.normal_(module.bias, std=0.1)
                if module.offset_network is not None:
                    nn.init.normal_(module.offset_network.offsets.weight, std=0.03)
    return model


def small_tracker(layers: int = 1, gap: int | None = None, max_size: int | None = 480) -> Tracker:
    """A tracker in float32 with a lively model."""
    return Tracker(lively_model(small_config(layers, gap)), precision="fp32", max_size=max_size)


def frames(count: int, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> list[np.ndarray]:
    """Frames of noise, uint8 (H, W, 3), each another."""
    chance = np.random.default_rng(seed)
    return [chance.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


def scenes(count: int, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> list[np.ndarray]:
    """Frames uint8 (H, W, 3) that come back to five scenes of noise, which are as bright as before or darker."""
    chance = np.random.default_rng(seed)
    views = [chance.integers(0, 256, (height, width, 3)) // (k + 1) for k in range(5)]
    return [(views[chance.integers(5)] * chance.uniform(0.7, 1)).astype(np.uint8) for _ in range(count)]


def mask_of(*ids: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """uint8 (H, W): the ids as columns side by side, from the left to the middle; the rest is background."""
    mask = np.zeros((height, width), np.uint8)
    step = max(1, width // (2 * len(ids)))
    for number, object_id in enumerate(ids):
        mask[:, number * step : (number + 1) * step] = object_id
    return mask


def tokens_of(height: int = HEIGHT, width: int = WIDTH) -> int:
    """Memory tokens of one frame: cells at stride 16 of a size 16k + 1."""
    return ((height - 1) // 16 + 1) * ((width - 1) // 16 + 1)


def tensors_of(state: TrackerState) -> list[torch.Tensor]:
    """All tensors of a state in a fixed order."""
    found = [state.mask]
    for group in state.groups:
        for layer in (*group.long_term, *group.short_term):
            found += layer
    return found


def same_state(one: TrackerState, other: TrackerState) -> bool:
    """Whether two states agree in every fact and every bit."""
    facts = [
        (s.object_ids, s.frame_index, s.network_size, s.confidence, [g.object_ids for g in s.groups])
        for s in (one, other)
    ]
    stored = [[(group.last_stored, group.frames) for group in s.groups] for s in (one, other)]
    pairs = zip(tensors_of(one), tensors_of(other), strict=True)
    return (
        facts[0] == facts[1]
        and stored[0] == stored[1]
        and all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)
    )
