"""What every model must do, whatever its family: the test class of each model inherits these and gives a configuration.

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
from limpet.memory import Memory
from limpet.models import Model, ModelConfig, build_model, keep_slots
from limpet.models.fixed_size import FixedConfig, FixedState, StartGraph, StepGraph
from limpet.models.identity import one_hot
from limpet.models.inference import for_inference
from limpet.registry import find
from limpet.state import TrackerState
from limpet.tracking.memory_policies import POLICIES
from limpet.tracking.processing import prepare_image
from limpet.tracking.tracker import Tracker
from limpet.training.rollout import RolloutConfig, rollout
from limpet.weights.weights_file import Weights, load_into, read_weights, write_weights

OBJECTS = 2
NEAR_TIES = (
    3  # pixels of a frame in which two slots differ by less than the rounding of other orders of adding
)


class ModelTester:
    """config: a narrow member of the family. presets: the names under which the family is registered.

    A model without ``id_bank.patches`` and ``decoder.conv_out`` overrides the fixture ``model``.
    """

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
        """Logits of ``later`` after the reference ``images`` with ``masks``, and the memory of ``later``."""
        dtype = model.dtype
        planes = one_hot(masks, OBJECTS + 1, dtype)
        _, _, memory = model.refer(model.encode(images.to(dtype)), model.identify(planes))
        features = model.encode(later.to(dtype))
        tokens, pending = model.propagate(features, memory, memory)
        return model.decode(tokens, features), model.remember(pending, model.identify(planes))

    def graphs(
        self, model: Model, config: FixedConfig, precision: str = "fp32"
    ) -> tuple[StartGraph, StepGraph]:
        """The tracker as two graphs, as it is exported."""
        ready = for_inference(model, torch.device("cpu"), precision)  # type: ignore[arg-type]
        return StartGraph(ready, config).eval(), StepGraph(ready, config).eval()

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
        identity = model.identify(one_hot(self.masks(), OBJECTS + 1))
        assert identity.shape[0] == 1, "the first dimension of an identity is the batch"
        tokens, pending, memory = model.refer(features, identity)
        assert len(pending) == len(memory) == self.config.layers
        assert memory.frames == 1
        assert all(layer.key.shape[:2] == layer.value.shape[:2] for layer in memory)
        logits = model.decode(tokens, features)
        slots = OBJECTS + 1 if self.config.independent_objects else self.config.max_objects + 1
        assert logits.shape == (1, slots, *quarter)
        assert keep_slots(logits, [OBJECTS]).shape[1] == OBJECTS + 1
        again = model.remember(pending, identity)
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
            # a key's bias adds the same to all logits of a query, which softmax does not see
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
        logits, _ = self.one_step(model, images, later, self.masks())
        others, _ = self.one_step(model, images, later, self.masks(seed=3))
        assert (logits - others).abs().max() > 1e-2 * logits.std()

    @torch.no_grad()
    def test_attention_maps_are_shares_of_the_keys(self, model: Model) -> None:
        if type(model).attention_map is Model.attention_map:
            pytest.skip(f"{type(model).__name__} has no attention maps")
        planes = one_hot(self.masks(2), OBJECTS + 1)
        features = model.encode(self.images(2))
        _, _, memory = model.refer(features, model.identify(planes))
        two = memory.append(memory)
        _, pending = model.propagate(features, two, memory)
        for layer in range(self.config.layers):
            seen = model.attention_map(pending, two, features.size, layer)
            tokens, keys = features.size[0] * features.size[1], seen.grid[0] * seen.grid[1]
            assert seen.weights.shape == (2, tokens, 2 * keys)
            torch.testing.assert_close(seen.weights.sum(-1), torch.ones(2, tokens))
            assert seen.sampling_locations is None or seen.sampling_locations.shape[2:] == (keys, 2)
            same = seen.weights.unflatten(-1, (2, keys))  # both frames of the memory are the same one
            torch.testing.assert_close(same[:, :, 0], same[:, :, 1])
        with pytest.raises(ModelError, match="no layer 9"):
            model.attention_map(pending, two, features.size, layer=9)

    @torch.no_grad()
    def test_the_last_layer_reads_the_representation(self, model: Model) -> None:
        if type(model).representation is Model.representation:
            for ask in (lambda: model.representation_channels, lambda: model.last_layer(torch.zeros(1))):
                with pytest.raises(ModelError, match="does not name the map that its last layer reads"):
                    ask()
            pytest.skip(f"{type(model).__name__} does not name the map that its last layer reads")
        features = model.encode(self.images(2))
        tokens, _, _ = model.refer(features, model.identify(one_hot(self.masks(2), OBJECTS + 1)))
        found = model.representation(tokens, features)
        logits = model.decode(tokens, features)
        maps = OBJECTS if self.config.independent_objects else 1
        assert found.shape == (2, maps, model.representation_channels, *logits.shape[-2:])
        torch.testing.assert_close(model.last_layer(found), logits)

    @torch.no_grad()
    def test_bf16_comes_close(self, model: Model) -> None:
        images, later, masks = self.images(), self.images(seed=1), self.masks()
        exact, _ = self.one_step(model, images, later, masks)
        rough, memory = self.one_step(model.to(torch.bfloat16), images, later, masks)
        assert rough.dtype == torch.float32, "logits are enlarged and compared in full precision"
        assert {tensor.dtype for layer in memory for tensor in layer} == {torch.bfloat16}
        assert (rough - exact).abs().mean() < 0.05 * exact.std()

    def test_bf16_tracks_nearly_the_same(self, model: Model) -> None:
        exact, _ = self.tracked(model, count=1)
        rough, state = self.tracked(model, count=1, precision="bf16")
        assert {t.dtype for group in state.groups for layer in group.long_term for t in layer} == {
            torch.bfloat16
        }
        # in one step, for later ones go on from masks that differ
        assert (exact[0] != rough[0]).mean() < 0.1

    @pytest.mark.parametrize(("memory", "ring"), [("ring", 0), ("ring", 2), ("bounded", 2)])
    @torch.inference_mode()
    def test_graphs_of_fixed_size_do_what_the_tracker_does(
        self, model: Model, memory: str, ring: int
    ) -> None:
        """From the start on; places for two tracked frames are empty at first, then half full, full, and reused."""
        gap, size = 2, self.size
        policy = POLICIES[memory](gap=gap, max_frames=ring) if ring else "first"
        tracker = Tracker(model, precision="fp32", memory=policy)
        config = FixedConfig(size, size, objects=OBJECTS + 1, references=2, ring=ring, gap=gap, memory=memory)
        start, step = self.graphs(model, config)
        first, *others = frames(8, *size)
        mask = mask_of(1, 2, height=size[0], width=size[1])
        expected = tracker.start(first, mask)
        state = start(prepare_image(first, size, tracker.device), torch.from_numpy(mask)[None])
        shapes = {name: tensor.shape for name, tensor in state.items()}
        written = []
        for frame in others:
            wanted, expected = tracker.step(frame, expected)
            found, logits, soft_iou, changed = step(prepare_image(frame, size, tracker.device), state)
            state = {**state, **changed}
            assert (found[0].numpy() != wanted).sum() <= NEAR_TIES
            assert soft_iou[0, 1:3].tolist() == pytest.approx(list(expected.confidence.values()), abs=1e-3)
            assert logits.shape[1] == OBJECTS + 2 and (logits[:, 3:] < -1e9).all(), "slot 3 holds no object"
            written.append(int(state["memory_mask"].sum()))
            assert written[-1] == len(expected.groups[0].frames)
        assert written == ([1, 2, 2, 3, 3, 3, 3] if ring else [1] * 7)
        assert {name: tensor.shape for name, tensor in state.items()} == shapes

    @torch.inference_mode()
    def test_videos_side_by_side_in_a_graph_do_not_touch(self, model: Model) -> None:
        start, step = self.graphs(model, FixedConfig(self.size, self.size, objects=OBJECTS))
        images, later, masks = self.images(2), self.images(2, seed=1), self.masks(2).to(torch.uint8)
        masks[1][masks[1] == 2] = 0  # one object
        state = start(images, masks)
        _, logits, _, both = step(later, state)
        for b in range(2):
            one = slice(b, b + 1)
            alone: FixedState = start(images[one], masks[one])
            for name, tensor in alone.items():
                torch.testing.assert_close(state[name][one], tensor, atol=2e-4, rtol=1e-4)
            _, expected, _, after = step(later[one], alone)
            torch.testing.assert_close(logits[one], expected, atol=2e-4, rtol=1e-4)
            assert {name: tensor[one].shape for name, tensor in both.items()} == {
                name: tensor.shape for name, tensor in after.items()
            }

    @torch.inference_mode()
    def test_graphs_of_fixed_size_in_bf16(self, model: Model) -> None:
        exact, rough = (
            self.graphs(model, FixedConfig(self.size, self.size, objects=OBJECTS, ring=1, gap=1), precision)
            for precision in ("fp32", "bf16")
        )
        images, later, masks = self.images(), self.images(seed=1), self.masks().to(torch.uint8)
        (mask, logits, _, _), (rough_mask, rough_logits, _, changed) = (
            step(later, start(images, masks)) for start, step in (exact, rough)
        )
        assert rough_logits.dtype == torch.float32
        assert {t.dtype for name, t in changed.items() if ".key" in name or ".value" in name} == {
            torch.bfloat16
        }
        used = slice(0, OBJECTS + 1)
        assert (rough_logits[:, used] - logits[:, used]).abs().mean() < 0.05 * logits[:, used].std()
        assert (mask != rough_mask).float().mean() < 0.1

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
