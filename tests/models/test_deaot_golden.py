"""Every member of DeAOT equals the official implementation's outputs, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from forced import ForcedRun, Inside, compare, golden_model
from golden import arrays, clip, golden_folder, normalise
from torch import Tensor

from limpet.memory import LayerMemory
from limpet.models import Model
from limpet.tracking.processing import prepare_image

MEMBERS = {
    "deaot-t": "deaott",
    "deaot-s": "deaots",
    "deaot-b": "deaotb",
    "deaot-l": "deaotl",
    "r50-deaot-l": "r50_deaotl",
    "swin-b-deaot-l": "swinb_deaotl",
}
LONG_TERM_GAP = 2  # of the reference run of the L models
DECODER_BLOCKS = ("conv_in", "conv_16x", "conv_8x", "conv_4x")


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
    images = network_images(clip("clip_resize_134x230_3obj").frames, "resize")
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


@pytest.mark.parametrize(
    ("name", "case", "source"),
    [
        *((name, "a", "clip_a_129x225_3obj") for name in MEMBERS if not name.startswith("swin")),
        ("swin-b-deaot-l", "a_swin", "clip_swin_128x224_3obj"),
        ("deaot-t", "b", "clip_b_241x433_3obj"),
        ("deaot-t", "resize", "clip_resize_134x230_3obj"),
    ],
)
@torch.no_grad()
def test_tensors_inside_the_network(name: str, case: str, source: str) -> None:
    folder = golden_folder() / MEMBERS[name]
    inside, masks = Inside(folder, f"mid_{case}"), arrays(folder, f"out_{case}")["mask"]
    images, model = network_images(clip(source).frames[:2], case), golden_model(name, folder)
    run = ForcedRun(model, images, masks)

    reference, features = run._encode(0), run._encode(1)
    pairs = zip((*reference.maps, reference.tokens), (*features.maps, features.tokens), strict=True)
    for index, (first, second) in enumerate(pairs):
        inside.check(f"ref/enc{index}", first)
        inside.check(f"f1/enc{index}", second)
    embedding = run._identify(0, run.groups[0])
    inside.check("ref/id_emb", embedding)

    with watched(model, inside, "ref"):
        _, _, long_term = model.refer(reference, embedding)
    for index, memory in enumerate(long_term):
        check_memory(inside, f"ref/layer{index}/long", memory)

    with watched(model, inside, "f1"):
        tokens, pending = model.propagate(features, long_term, long_term)
        inside.check("f1/logits11", model.decode(tokens, features))
    for index, memory in enumerate(model.remember(pending, run._identify(1, run.groups[0]))):
        plane = LayerMemory(*(part.transpose(1, 2).unflatten(2, features.size) for part in memory))
        check_memory(inside, f"f1_after_update/layer{index}/short", plane)
    assert inside.seen == set(inside.stored) - unused(len(model.layers))


def unused(layers: int) -> set[str]:
    """What the reference computes and no layer reads: a position embedding, and what earlier layers hand out."""
    return {"ref/pos_emb", *(f"{frame}/lstt_emb{i}" for frame in ("ref", "f1") for i in range(layers - 1))}


def check_memory(inside: Inside, prefix: str, memory: LayerMemory) -> None:
    visual, identity = memory.value.chunk(2, dim=1 if memory.value.dim() == 4 else -1)
    inside.check(f"{prefix}_K", memory.key)
    inside.check(f"{prefix}_V", visual)
    inside.check(f"{prefix}_ID_V", identity)


@contextmanager
def watched(model: Model, inside: Inside, prefix: str) -> Iterator[None]:
    """Compare what every block returns."""
    last = f"lstt_emb{len(model.layers) - 1}"
    blocks = {f"decoder/{name}": model.decoder.get_submodule(name) for name in DECODER_BLOCKS}
    blocks[last] = model.output_norm
    for index, layer in enumerate(model.layers):
        blocks |= {
            f"layer{index}/self_attn": layer.self_propagation,
            f"layer{index}/long_term_attn": layer.long_term,
            f"layer{index}/short_term_attn": layer.short_term,
            f"layer{index}/out": layer,
        }

    def compare_output(key: str, output: Tensor | tuple[Tensor, ...]) -> None:
        if isinstance(output, tuple):  # the two branches of a layer
            inside.check(f"{prefix}/{key}", output[0])
            inside.check(f"{prefix}/{key}_id", output[1])
        else:  # the reference keeps what the decoder reads as tokens
            inside.check(f"{prefix}/{key}", output.flatten(2).transpose(1, 2) if key == last else output)

    handles = [
        block.register_forward_hook(lambda _module, _inputs, output, key=key: compare_output(key, output))
        for key, block in blocks.items()
    ]
    yield
    for handle in handles:
        handle.remove()


def network_images(frames: np.ndarray, case: str) -> Tensor:
    """What the reference's network saw (T, 3, h, w): of all cases but one, the frames at their own size."""
    if case != "resize":
        return normalise(frames)
    return torch.cat([prepare_image(frame, (129, 225), torch.device("cpu")) for frame in frames])
