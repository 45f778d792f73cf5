"""Any backbone of timm (PyTorch Image Models) as an image encoder; only used where timm is installed."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from torch import Tensor, nn

from limpet.core.errors import MissingExtraError, ModelError
from limpet.models.encoders import EncoderEntry

STRIDES = (4, 8, 16)  # of the maps that a model reads
# Options by which timm's window and patch encoders take images of any size; other encoders have none of them.
ANY_SIZE: tuple[dict[str, bool], ...] = ({"strict_img_size": False}, {"dynamic_img_size": True}, {})


def timm_entry(name: str) -> EncoderEntry:
    """The entry of the backbone that timm calls ``name``; sizes are 16k, which every backbone divides evenly.

    Raises:
        MissingExtraError: timm is not installed. ModelError: it cannot be loaded, or has no such backbone.
    """
    timm = _timm()
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "see timm.list_models()"
        raise ModelError(f"timm {timm.__version__} has no backbone called {name!r}; {hint}")
    return EncoderEntry(partial(TimmEncoder, name), align_corners=False)


class TimmEncoder(nn.Module):
    """Four feature maps of an image; the last two, at stride 16, are the same. Weights are random, norms frozen.

    Args:
        name: what timm calls the backbone.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        strides = list(_create(name).feature_info.reduction())
        if not set(STRIDES) <= set(strides):
            raise ModelError(
                f"timm's {name} gives maps at strides {', '.join(map(str, strides))}, but a model reads those at "
                f"{', '.join(map(str, STRIDES))}; choose a backbone with a pyramid of maps, for instance convnext_tiny"
            )
        # Of several maps with the same stride the last is the deepest.
        deepest = {stride: index for index, stride in enumerate(strides) if stride <= STRIDES[-1]}
        self.strides = tuple(deepest)
        body = _create(name, out_indices=tuple(deepest.values()))
        widths = dict(zip(self.strides, body.feature_info.channels(), strict=True))
        self.channels: tuple[int, int, int, int] = (widths[4], widths[8], widths[16], widths[16])
        self.channels_last = getattr(body, "output_fmt", "NCHW") == "NHWC"
        self.body = _timm().layers.freeze_batch_norm_2d(body)

    def stages(self) -> Sequence[nn.Module]:
        """The stem and the parts that lead to strides 4, 8 and 16; one stage for backbones whose parts timm hides.

        Where the first map has stride 4, the stem is part of its stage, and the stem's own stage is empty.
        """
        names = self.body.feature_info.module_name()
        found: list[nn.Module] = [] if min(self.strides) < STRIDES[0] else [nn.Sequential()]
        parts: list[nn.Module] = []
        for name, part in _parts(self.body, names):
            parts.append(part)
            if name in names or name in {end.replace(".", "_") for end in names}:
                found.append(nn.Sequential(*parts))
                parts = []
        return found if len(found) > len(STRIDES) else [self.body]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps with ``channels`` channels at strides 4, 8, 16, 16.

        Args:
            image: (B, 3, H, W) float, ImageNet-normalised RGB, H and W multiples of 16.
        """
        maps = dict(zip(self.strides, self.body(image), strict=True))
        quarter, eighth, sixteenth = (
            maps[stride].permute(0, 3, 1, 2) if self.channels_last else maps[stride] for stride in STRIDES
        )
        return quarter, eighth, sixteenth, sixteenth


def _parts(body: nn.Module, names: Sequence[str]) -> Iterator[tuple[str, nn.Module]]:
    """The parts of ``body`` in a row; a part that holds one of ``names`` is taken apart."""
    for name, part in body.named_children():
        if any(end.startswith(f"{name}.") for end in names):
            yield from ((f"{name}.{inner}", module) for inner, module in part.named_children())
        else:
            yield name, part


def _create(name: str, **options: object) -> Any:
    """timm's feature extractor for ``name``, which takes images of any size where timm can do that."""
    for extra in ANY_SIZE[:-1]:
        try:
            return _timm().create_model(name, features_only=True, **options, **extra)
        except TypeError:  # the backbone does not know the word
            continue
    return _timm().create_model(name, features_only=True, **options, **ANY_SIZE[-1])


def _timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise MissingExtraError("an encoder of timm", "timm", "timm") from error
    except (RuntimeError, OSError) as error:  # so says a torchvision whose compiled part is for another torch
        raise ModelError(
            f"timm is installed but cannot be loaded ({error}): torch {version('torch')} and torchvision "
            f"{_torchvision()} are not of one build; install both from the same place in one command"
        ) from error


def _torchvision() -> str:
    try:
        return version("torchvision")
    except PackageNotFoundError:
        return "(none)"
