"""DeVOS does what every model must do, and what is its own: flow moves where it reads, and its memory is bounded."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from model_tester import ModelTester
from networks import NARROW_DEVOS as SMALL
from networks import lively_devos

from limpet.models import Model, build_model
from limpet.models.adva import ADVA, ADVAConfig
from limpet.models.devos import DeVOS, DeVOSConfig
from limpet.models.identity import one_hot


class TestDeVOS(ModelTester):
    config = SMALL
    presets = ("devos-t", "devos-b", "devos-l")

    @pytest.fixture
    def model(self) -> Model:
        return lively_devos()


@torch.no_grad()
def one_step(model: DeVOS, flow: torch.Tensor | None) -> torch.Tensor:
    tester = TestDeVOS()
    images, later = tester.images(), tester.images(seed=1)
    identity = model.identify(one_hot(tester.masks(), 3))
    _, _, memory = model.refer(model.encode(images), identity)
    features = model.encode(later)._replace(flow=flow)
    tokens, _ = model.propagate(features, memory, memory)
    return model.decode(tokens, features)


def test_flow_from_outside_is_read() -> None:
    model = lively_devos(replace(SMALL, flow="dis"))
    still, none = torch.zeros(1, 4, 17, 25), None
    moving = torch.full((1, 4, 17, 25), 20.0)
    assert torch.equal(one_step(model, still), one_step(model, none)), "None is no flow"
    assert (one_step(model, still) - one_step(model, moving)).abs().max() > 1e-2


def test_flow_from_features_ignores_that_from_outside() -> None:
    model = lively_devos()
    assert torch.equal(one_step(model, torch.full((1, 4, 17, 25), 20.0)), one_step(model, None))


def test_without_flow_training_begins_as_if_there_were_none() -> None:
    """The embedding of flow begins as zero: what a fresh network reads with a window does not depend on flow."""
    torch.manual_seed(0)
    model = build_model(replace(SMALL, flow="dis", adva=None)).eval()
    assert isinstance(model, DeVOS)
    assert torch.equal(one_step(model, torch.full((1, 4, 17, 25), 20.0)), one_step(model, None))


def test_one_grid_for_each_query_and_two_blocks() -> None:
    model = lively_devos(replace(SMALL, layers=4, flow="none", adva=ADVAConfig(points=4, both_scales=False)))
    assert one_step(model, None).isfinite().all()


def test_the_window_of_aot_in_place_of_adva() -> None:
    model = lively_devos(replace(SMALL, adva=None))
    assert not any(isinstance(module, ADVA) for module in model.modules())
    assert one_step(model, None).isfinite().all()


def test_layers_come_in_pairs() -> None:
    with pytest.raises(ValueError, match="layers is 3, expected an even number"):
        DeVOSConfig(layers=3)


def test_maps_of_the_coarse_grid_lie_on_the_fine_one() -> None:
    model = lively_devos()
    tester = TestDeVOS()
    features = model.encode(tester.images())
    _, pending, memory = model.refer(features, model.identify(one_hot(tester.masks(), 3)))
    fine, coarse = (model.attention_map(pending, memory, features.size, layer) for layer in (0, 1))
    assert (fine.grid, coarse.grid) == ((5, 7), (3, 4))
    assert fine.weights.shape == (1, 35, 35) and coarse.weights.shape == (1, 35, 12)
    torch.testing.assert_close(
        coarse.weights[0, 0], coarse.weights[0, 8], msg="both lie in coarse cell (0, 0)"
    )


@torch.no_grad()
def test_places_and_weights_that_are_drawn_are_those_that_are_read() -> None:
    """Zero offsets: 3x3 places around where flow leads, on both grids; the weights of a cell add up to 1."""
    model, tester = lively_devos(replace(SMALL, layers=4, flow="dis")), TestDeVOS()
    for module in model.modules():
        if isinstance(module, ADVA):
            module.zero()
    identity = model.identify(one_hot(tester.masks(), 3))
    _, _, memory = model.refer(model.encode(tester.images()), identity)
    features = model.encode(tester.images(seed=1))
    features = features._replace(flow=torch.full((1, 4, 17, 25), 16.0))
    _, pending = model.propagate(features, memory, memory)
    seen = model.sampling_map(features, pending, memory, layer=-1)
    assert seen.locations is not None and seen.weights is not None
    assert seen.locations.shape == (1, 4, 35, 2, 9, 2) and seen.weights.shape == (1, 4, 35, 2, 9)
    torch.testing.assert_close(seen.weights.sum(dim=(3, 4)), torch.ones(1, 4, 35))
    cell = 1 * 7 + 2  # row 1, column 2; flow is one cell down and right
    fine, coarse = seen.locations[0, 0, cell]
    assert fine.tolist() == [[row, column] for row in (1, 2, 3) for column in (2, 3, 4)]
    assert coarse.tolist() == [[row, column] for row in (0, 2, 4) for column in (1, 3, 5)]
    first = model.sampling_map(features, pending, memory, layer=0)
    assert first.weights is not None and not torch.equal(first.weights, seen.weights), "the other block"
    window = lively_devos(replace(SMALL, adva=None))
    _, _, memory = window.refer(features, identity)
    _, pending = window.propagate(features, memory, memory)
    assert window.sampling_map(features, pending, memory, layer=0).locations is None
