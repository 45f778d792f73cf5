"""What every model must do, whatever its family: each model's own test inherits these and gives a configuration.

    class TestMine(ModelTester):
        config = MyConfig(...)      # narrow, so that the tests are fast

The class is not collected by itself, since its name does not begin with "Test".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import frames, lively_model, mask_of, same_state
from torch import Tensor

from limpet.core.errors import ModelError, WeightsError
from limpet.models import Model, ModelConfig, build_model, keep_slots
from limpet.models.identity import one_hot
from limpet.registry import find
from limpet.state import LayerMemory, Memory, TrackerState
from limpet.tracking.tracker import Tracker
from limpet.training.rollout import RolloutConfig, rollout
from limpet.weights.weights_file import Weights, load_into, read_weights, write_weights

OBJECTS = 2


class ModelTester:
    """config: a narrow member of the family. presets: the names under which the family is registered."""

    config: ModelConfig
    presets: tuple[str, ...]

    @pytest.fixture
    def model(self) -> Model:
        """A random network that sees several objects."""
        return lively_model(self.config).eval()

    @property
    def size(self) -> tuple[int, int]:
        """A small size (H, W) of the network's image."""
        return (65, 97) if self.config.align_corners else (64, 96)

    def images(self, batch: int = 1, seed: int = 0) -> Tensor:
        """Noise (B, 3, H, W)."""
        return torch.randn(batch, 3, *self.size, generator=torch.Generator().manual_seed(seed))

    def masks(self, batch: int = 1, seed: int = 0) -> Tensor:
        """Columns of two objects beside background, (B, H, W) int64, each element's shifted by its own way."""
        plain = torch.from_numpy(mask_of(1, 2, height=self.size[0], width=self.size[1])).long()
        return torch.stack([plain.roll(5 * (seed + b), dims=1) for b in range(batch)])

    def one_step(self, model: Model, images: Tensor, later: Tensor, masks: Tensor) -> tuple[Tensor, Memory]:
        """Scores of ``later`` after the reference ``images`` with ``masks``, and the memory of ``later``."""
        dtype = model.dtype
        planes = one_hot(masks, OBJECTS + 1, dtype)
        _, _, memory = model.refer(model.encode(images.to(dtype)), model.identify(planes))
        features = model.encode(later.to(dtype))
        tokens, pending = model.propagate(features, memory, memory)
        return model.decode(tokens, features), model.remember(pending, model.identify(planes))

    def tracked(
        self, model: Model, count: int = 3, precision: str = "fp32"
    ) -> tuple[list[np.ndarray], TrackerState]:
        """Masks of ``count`` frames of noise, and the state after them."""
        tracker = Tracker(model, precision=precision)  # type: ignore[arg-type]
        first, *others = frames(count + 1)
        state, found = tracker.start(first, mask_of(4, 9)), []
        for frame in others:
            mask, state = tracker.step(frame, state)
            found.append(mask)
        return found, state

    @torch.no_grad()
    def test_shapes(self, model: Model) -> None:
        features = model.encode(self.images())
        h, w = -(-self.size[0] // 16), -(-self.size[1] // 16)
        quarter = (-(-self.size[0] // 4), -(-self.size[1] // 4))
        assert features.size == (h, w)
        assert features.at_4.shape[-2:] == quarter
        embedding = model.identify(one_hot(self.masks(), OBJECTS + 1))
        assert embedding.shape[:2] == (1, h * w)
        tokens, pending, memory = model.refer(features, embedding)
        assert len(pending) == len(memory) == self.config.layers
        assert all(layer.key.shape[:2] == layer.value.shape[:2] == (1, h * w) for layer in memory)
        scores = model.decode(tokens, features)
        assert scores.shape == (1, self.config.max_objects + 1, *quarter)
        assert keep_slots(scores, [OBJECTS]).shape[1] == OBJECTS + 1
        again = model.remember(pending, embedding)
        for made, stored in zip(again, memory, strict=True):
            torch.testing.assert_close(made, stored)

    def test_every_parameter_learns(self, model: Model) -> None:
        clip = torch.stack([self.images(2, seed) for seed in range(3)])
        masks = torch.stack([self.masks(2, seed) for seed in range(3)])
        settings = RolloutConfig(reference_weight=1.0, long_term_gap=1)
        rollout(model.train(), clip, masks, [OBJECTS, OBJECTS], settings).loss.backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, f"{name} has no gradient"
            assert parameter.grad.isfinite().all(), name
            # a key's bias adds the same to all scores of a query, which softmax does not see
            assert name.endswith(".key.bias") or parameter.grad.any(), f"the gradient of {name} is zero"

    @torch.no_grad()
    def test_elements_of_a_batch_do_not_touch(self, model: Model) -> None:
        images, later, masks = self.images(2), self.images(2, seed=1), self.masks(2)
        both, memories = self.one_step(model, images, later, masks)
        assert not torch.allclose(both[0], both[1], atol=1e-2)
        for b in range(2):
            one = slice(b, b + 1)
            alone, memory = self.one_step(model, images[one], later[one], masks[one])
            torch.testing.assert_close(both[one], alone, atol=2e-4, rtol=1e-4)
            torch.testing.assert_close(memories[0].value[one], memory[0].value, atol=2e-4, rtol=1e-4)

    @torch.no_grad()
    def test_the_memory_is_read(self, model: Model) -> None:
        images, later = self.images(), self.images(seed=1)
        scores, _ = self.one_step(model, images, later, self.masks())
        others, _ = self.one_step(model, images, later, self.masks(seed=3))
        assert (scores - others).abs().max() > 1e-2 * scores.std()

    @torch.no_grad()
    def test_attention_maps_are_shares_of_the_keys(self, model: Model) -> None:
        if type(model).attention_map is Model.attention_map:
            pytest.skip(f"{type(model).__name__} has no attention maps")
        planes = one_hot(self.masks(2), OBJECTS + 1)
        features = model.encode(self.images(2))
        _, _, memory = model.refer(features, model.identify(planes))
        two = tuple(LayerMemory(torch.cat([m.key] * 2, 1), torch.cat([m.value] * 2, 1)) for m in memory)
        _, pending = model.propagate(features, two, memory)
        for layer in range(self.config.layers):
            seen = model.attention_map(pending, two, features.size, layer)
            tokens, keys = features.size[0] * features.size[1], seen.grid[0] * seen.grid[1]
            assert seen.weights.shape == (2, tokens, 2 * keys)
            torch.testing.assert_close(seen.weights.sum(-1), torch.ones(2, tokens))
            assert seen.places is None or seen.places.shape[2:] == (keys, 2)
            same = seen.weights.unflatten(-1, (2, keys))  # both frames of the memory are the same one
            torch.testing.assert_close(same[:, :, 0], same[:, :, 1])
        with pytest.raises(ModelError, match="no layer 9"):
            model.attention_map(pending, two, features.size, layer=9)

    @torch.no_grad()
    def test_bf16_comes_close(self, model: Model) -> None:
        images, later, masks = self.images(), self.images(seed=1), self.masks()
        exact, _ = self.one_step(model, images, later, masks)
        rough, memory = self.one_step(model.to(torch.bfloat16), images, later, masks)
        assert rough.dtype == torch.float32, "scores are enlarged and compared in full precision"
        assert {tensor.dtype for layer in memory for tensor in layer} == {torch.bfloat16}
        assert (rough - exact).abs().mean() < 0.05 * exact.std()

    @pytest.mark.parametrize(("height", "width"), [(61, 83), (16, 200), (97, 33)])
    def test_frames_of_any_size(self, model: Model, height: int, width: int) -> None:
        tracker = Tracker(model, precision="fp32")
        first, second = frames(2, height, width)
        mask, state = tracker.step(second, tracker.start(first, mask_of(3, 7, height=height, width=width)))
        assert (mask.shape, mask.dtype) == ((height, width), np.uint8)
        assert set(np.unique(mask)) <= {0, 3, 7}
        assert state.frame_size == (height, width)

    def test_the_same_video_gives_the_same_bytes(self, model: Model) -> None:
        one, state = self.tracked(model)
        other, again = self.tracked(model)
        assert same_state(state, again)
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
        assert len({mask.tobytes() for mask in one}) > 1, (
            "the network must see something, else this proves nothing"
        )

    def test_a_state_goes_through_a_file(self, model: Model, tmp_path: Path) -> None:
        _, state = self.tracked(model)
        state.save(tmp_path / "state")
        loaded = TrackerState.load(tmp_path / "state")
        assert same_state(state, loaded)
        tracker, frame = Tracker(model, precision="fp32"), frames(1, seed=9)[0]
        ahead, after = tracker.step(frame, state)
        resumed, after_resumed = tracker.step(frame, loaded)
        assert np.array_equal(ahead, resumed)
        assert same_state(after, after_resumed)

    @torch.no_grad()
    def test_weights_go_through_a_file(self, model: Model, tmp_path: Path) -> None:
        write_weights(tmp_path / "w.safetensors", Weights("mine", model.state_dict()), torch.float32)
        copy = build_model(self.config).eval()
        load_into(copy, read_weights(tmp_path / "w.safetensors").tensors, "w.safetensors")
        images, later, masks = self.images(), self.images(seed=1), self.masks()
        expected, _ = self.one_step(model, images, later, masks)
        assert torch.equal(self.one_step(copy, images, later, masks)[0], expected)

    def test_weights_that_lack_a_name_are_refused(self, model: Model) -> None:
        tensors = model.state_dict()
        name, _ = tensors.popitem(last=False)
        message = f"half.safetensors does not fit the model: 1 missing ({name})"
        with pytest.raises(WeightsError, match=re.escape(message)):
            load_into(model, tensors, "half.safetensors")

    def test_presets_build_their_family(self, model: Model) -> None:
        for name in self.presets:
            with torch.device("meta"):
                built = build_model(find(name).config())
            assert type(built) is type(model), name
