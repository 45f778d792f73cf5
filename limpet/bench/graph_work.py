"""The work of an exported tracker's step: its graph with random weights, run once by torch."""

from __future__ import annotations

import torch

from limpet.bench.counting import counting
from limpet.bench.work import Work
from limpet.models import build_model
from limpet.models.fixed import BeginGraph, FixedConfig, StepGraph
from limpet.models.inference import for_inference
from limpet.registry import find
from limpet.runtime.manifest import Manifest


@torch.inference_mode()
def count_graph(manifest: Manifest, frame_size: tuple[int, int], network_size: tuple[int, int]) -> Work:
    """Operations of one step; how many bytes an engine moves that fuses them, nobody says."""
    config = FixedConfig(
        frame_size, network_size, manifest.objects, manifest.references, manifest.ring, manifest.gap
    )
    model = for_inference(build_model(find(manifest.model).config()), torch.device("cpu"), "fp32")
    image = torch.zeros(1, 3, *network_size)
    mask = torch.zeros(1, *frame_size, dtype=torch.uint8)
    state = BeginGraph(model, config)(image, mask)
    with counting() as count:
        StepGraph(model, config)(image, state)
    return Work({"step": (count.flops(), 0.0)}, moved_is_known=False)
