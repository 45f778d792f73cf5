"""Requests for attention maps that a model does not have are refused."""

from __future__ import annotations

import pytest

from limpet.attention_map import check_request
from limpet.core.errors import ModelError


def test_layers_are_counted_from_both_ends() -> None:
    for layer in (-3, -1, 0, 2):
        check_request(layer, "long-term", 3)
    for layer in (-4, 3):
        with pytest.raises(ModelError, match=f"there is no layer {layer} .*the model has 3"):
            check_request(layer, "long-term", 3)


def test_kinds_are_those_of_the_model() -> None:
    check_request(0, "self", 1)
    with pytest.raises(ModelError, match="the model has no 'self' attention map; it has long-term"):
        check_request(0, "self", 1, ("long-term",))
