"""Every member of DeAOT equals the official implementation's outputs, frame by frame."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from forced import ForcedRun, golden_model
from golden import ATOL, Clip, arrays, clip, golden_folder, normalise
from torch import Tensor

from limpet.tracking.labels import label_map
from limpet.tracking.prepare import prepare_image

MEMBERS = {
    "deaot-t": "deaott",
    "deaot-s": "deaots",
    "deaot-b": "deaotb",
    "deaot-l": "deaotl",
    "r50-deaot-l": "r50_deaotl",
    "swin-b-deaot-l": "swinb_deaotl",
}
LONG_TERM_GAP = 2  # of the reference run of the L models
NEAR_TIES = 3  # pixels a case in which two scores differ by less than the kernels' noise


def compare(run: ForcedRun, expected: dict[str, np.ndarray]) -> None:
    """Scores within ATOL and masks equal, but for near-ties, in every frame."""
    different, last_tokens = 0, run.images.shape[0]
    for frame in run:
        last_tokens = run.memory_tokens
        for group, scores in enumerate(frame.scores):
            stored = expected["logits" if len(frame.scores) == 1 else f"logits_{group}"][frame.index - 1]
            np.testing.assert_allclose(scores[0], stored[: scores.shape[1]], atol=ATOL, rtol=0)
        size = expected["mask"].shape[1:]
        labels = label_map(frame.scores, frame.ids, size, run.model.config.align_corners)
        if frame.index not in run.enters:  # there the stored mask is the merged one
            different += int((labels.numpy() != expected["mask"][frame.index]).sum())
    assert different <= NEAR_TIES
    assert last_tokens == expected["mem_tokens"][-2]  # what the last frame could read


@pytest.mark.parametrize("name", MEMBERS)
def test_clip_with_three_objects(name: str) -> None:
    folder = golden_folder() / MEMBERS[name]
    swin = name.startswith("swin")
    case, source = ("a_swin", "clip_swin_128x224_3obj") if swin else ("a", "clip_a_129x225_3obj")
    expected = arrays(folder, f"out_{case}")
    model = golden_model(name, folder)
    gap = None if model.config.long_term_gap is None else LONG_TERM_GAP
    compare(ForcedRun(model, normalise(clip(source).frames), expected["mask"], gap), expected)


@pytest.mark.parametrize(
    ("case", "source"),
    [("b", "clip_b_241x433_3obj"), ("obj14", "clip_14obj_129x225"), ("newobj", "clip_new_129x225_4obj")],
)
def test_tiny_on_larger_frames_many_objects_and_a_late_one(case: str, source: str) -> None:
    folder = golden_folder() / "deaott"
    expected = arrays(folder, f"out_{case}")
    enters = [3] if case == "newobj" else []
    run = ForcedRun(golden_model("deaot-t", folder), normalise(clip(source).frames), expected["mask"], enters=enters)
    compare(run, expected)


def test_tiny_on_frames_that_are_resized_for_the_network() -> None:
    folder = golden_folder() / "deaott"
    expected = arrays(folder, "out_resize")
    frames = clip("clip_resize_134x230_3obj").frames
    images = torch.cat([prepare_image(frame, (129, 225), torch.device("cpu")) for frame in frames])
    np.testing.assert_allclose(images[:2], expected["net_input_first2"], atol=2e-5)
    compare(ForcedRun(golden_model("deaot-t", folder), images, expected["mask"]), expected)


def test_tiny_on_mirrored_frames() -> None:
    folder = golden_folder() / "deaott"
    stored = arrays(folder, "out_flip")
    source = clip("clip_a_129x225_3obj")
    plain = np.concatenate([source.masks[:1], stored["mask_fed"][:, 0]])
    mirrored = np.concatenate([source.masks[:1], stored["mask_fed"][:, 1]])[:, :, ::-1].copy()
    images = normalise(source.frames)
    model = golden_model("deaot-t", folder)
    for side, (run_images, masks) in enumerate(((images, plain), (images.flip(-1), mirrored))):
        expected = {"logits": stored[f"logits_{side}"], "mask": masks, "mem_tokens": stored["mem_tokens"]}
        compare(ForcedRun(model, run_images, masks), expected)


@pytest.mark.parametrize("name", MEMBERS)
def test_tensors_inside_the_network(name: str) -> None:
    folder = golden_folder() / MEMBERS[name]
    swin = name.startswith("swin")
    source: Clip = clip("clip_swin_128x224_3obj" if swin else "clip_a_129x225_3obj")
    inside = Inside(folder, "mid_a_swin" if swin else "mid_a")
    masks = arrays(folder, "out_a_swin" if swin else "out_a")["mask"]
    model = golden_model(name, folder)
    prefix = "ref"
    for index, layer in enumerate(model.layers):
        for block, stored in (("long_term", "long_term"), ("short_term", "short_term"), ("self_propagation", "self")):
            layer.get_submodule(block).register_forward_hook(
                lambda _module, _inputs, output, key=f"layer{index}/{stored}_attn": inside.check(
                    f"{prefix}/{key}", output
                )
            )
    with torch.no_grad():
        run = ForcedRun(model, normalise(source.frames[:2]), masks)
        run._refer(0)
        for layer, memory in enumerate(run.long[0]):
            visual, identity = memory.value.chunk(2, dim=-1)
            inside.check(f"ref/layer{layer}/long_K", memory.key)
            inside.check(f"ref/layer{layer}/long_V", visual)
            inside.check(f"ref/layer{layer}/long_ID_V", identity)
        inside.check("ref/id_emb", run._identify(0, run.groups[0]))
        prefix = "f1"
        features = run._encode(1)
        tokens, _ = model.propagate(features, run.long[0], run.short[0])
        for index, plane in enumerate(features):
            inside.check(f"f1/enc{index}", plane)
        inside.check(f"f1/lstt_emb{len(model.layers) - 1}", tokens.flatten(2).transpose(1, 2), optional=True)
        inside.check("f1/logits11", model.decode(tokens, features))
    assert inside.checked >= 6 + 6 * len(model.layers) + 3


class Inside:
    """The stored tensors of one case, thinned to every n-th channel."""

    def __init__(self, folder: object, name: str) -> None:
        self.stored = arrays(folder, name)  # type: ignore[arg-type]
        self.facts = json.loads((folder / f"{name}.json").read_text())  # type: ignore[operator]
        self.checked = 0

    def check(self, key: str, tensor: Tensor, optional: bool = False) -> None:
        if optional and key not in self.stored:
            return
        stride = self.facts[key]["channel_stride"]
        thin = tensor[:, ::stride] if tensor.dim() == 4 else tensor[0, :, ::stride]
        np.testing.assert_allclose(
            thin.reshape(self.stored[key].shape), self.stored[key], atol=ATOL, rtol=0, err_msg=key
        )
        self.checked += 1
