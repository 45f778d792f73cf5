"""AOT equals the official implementation's outputs, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from forced import ForcedRun, Inside, compare, golden_model
from golden import arrays, clip, golden_folder, normalise
from torch import Tensor, nn

from limpet.models.transformer import sine_position

MEMBERS = {"aot-t": "aott", "aot-l": "aotl"}
LONG_TERM_GAP = 2  # of the reference run of the L models
SOURCE = "clip_a_129x225_3obj"
DECODER_BLOCKS = ("conv_in", "conv_16x", "conv_8x", "conv_4x")


@pytest.mark.parametrize("name", MEMBERS)
def test_clip_with_three_objects(name: str) -> None:
    folder = golden_folder() / MEMBERS[name]
    expected = arrays(folder, "out_a")
    model = golden_model(name, folder)
    gap = None if model.config.long_term_gap is None else LONG_TERM_GAP
    compare(ForcedRun(model, normalise(clip(SOURCE).frames), expected["mask"], gap), expected)


@pytest.mark.parametrize("name", MEMBERS)
@torch.no_grad()
def test_tensors_inside_the_network(name: str) -> None:
    folder = golden_folder() / MEMBERS[name]
    inside, masks = Inside(folder, "mid_a"), arrays(folder, "out_a")["mask"]
    model = golden_model(name, folder)
    run = ForcedRun(model, normalise(clip(SOURCE).frames[:2]), masks)

    with watched(model, inside, "ref"):
        run._refer(0)
    for index, memory in enumerate(run.long[0]):
        inside.check(f"ref/layer{index}/long_K", memory.key)
        inside.check(f"ref/layer{index}/long_V", memory.value)
    embedding = run._identify(0, run.groups[0])
    inside.check("ref/id_emb", embedding)
    features = run._encode(1)
    inside.check("ref/pos_emb", sine_position(features.size, embedding.shape[-1]).unsqueeze(0))
    reference = run._encode(0)
    pairs = zip((*reference.maps, reference.tokens), (*features.maps, features.tokens), strict=True)
    for index, (first, second) in enumerate(pairs):
        inside.check(f"ref/enc{index}", first)
        inside.check(f"f1/enc{index}", second)

    with watched(model, inside, "f1"):
        tokens, pending = model.propagate(features, run.long[0], run.short[0])
        inside.check("f1/logits11", model.decode(tokens, features))
    for index, memory in enumerate(model.remember(pending, run._identify(1, run.groups[0]))):
        for part, stored in (("short_K", memory.key), ("short_V", memory.value)):
            plane = stored.transpose(1, 2).unflatten(2, features.size)
            inside.check(f"f1_after_update/layer{index}/{part}", plane)
    assert inside.seen == set(inside.stored)


@contextmanager
def watched(model: nn.Module, inside: Inside, prefix: str) -> Iterator[None]:
    """Compare what every block returns."""
    blocks = {f"decoder/{name}": model.decoder.get_submodule(name) for name in DECODER_BLOCKS}
    for index, (layer, norm) in enumerate(zip(model.layers, model.output_norms, strict=True)):
        blocks |= {
            f"layer{index}/self_attn": layer.self_attention,
            f"layer{index}/long_term_attn": layer.long_term,
            f"layer{index}/short_term_attn": layer.short_term,
            f"layer{index}/out": layer,
            f"lstt_emb{index}": norm,
        }
    handles = []
    for key, block in blocks.items():

        def compare_output(_module: nn.Module, _inputs: object, output: Tensor, key: str = key) -> None:
            inside.check(f"{prefix}/{key}", output)

        handles.append(block.register_forward_hook(compare_output))
    yield
    for handle in handles:
        handle.remove()


@torch.no_grad()
def test_resnet_member_takes_the_reference_weights_and_runs() -> None:
    """The reference stored this member's names, shapes and checksums, but no outputs."""
    model = golden_model("r50-aot-l", golden_folder() / "r50_aotl")
    source = clip(SOURCE)
    run = ForcedRun(model, normalise(source.frames[:4]), source.masks[:4], LONG_TERM_GAP)
    winners = set()
    for frame in run:
        assert frame.scores[0].shape == (1, 4, 33, 57)
        assert frame.scores[0].isfinite().all()
        winners |= set(frame.scores[0].argmax(1).unique().tolist())
    assert len(winners) > 1, "the made-up weights are chosen so that no slot wins everywhere"
    assert run.memory_tokens == 2 * 9 * 15
