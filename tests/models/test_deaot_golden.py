"""Every member of DeAOT equals the official implementation's outputs, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from forced import ForcedRun, Inside, compare, golden_model
from golden import Clip, arrays, clip, golden_folder, normalise

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
    run = ForcedRun(
        golden_model("deaot-t", folder), normalise(clip(source).frames), expected["mask"], enters=enters
    )
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
        for block, stored in (
            ("long_term", "long_term"),
            ("short_term", "short_term"),
            ("self_propagation", "self"),
        ):
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
    assert len(inside.seen) >= 6 + 6 * len(model.layers) + 3
