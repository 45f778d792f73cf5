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
    assert coarse.sampling_locations is not None
    assert coarse.sampling_locations[0, 0].amax(dim=0).tolist() == [4, 6]
    torch.testing.assert_close(
        coarse.weights[0, 0], coarse.weights[0, 8], msg="both lie in coarse cell (0, 0)"
    )
