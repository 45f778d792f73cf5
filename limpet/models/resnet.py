"""ResNet-18 and ResNet-50 (He et al., 2016) as encoders of output stride 16: the last stage is dropped."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from limpet.models.frozen_norm import FrozenBatchNorm2d, freeze

EXPANSION = 4  # the output channels of a bottleneck block divided by its inner ones


class _ResNet(nn.Module):
    """Four feature maps of an image; state-dict names are torchvision's (``layer1.*`` to ``layer3.*``).

    Args:
        freeze_at: number of stages without gradient, see ``freeze``.
        inputs: channels of the image: 3, or more where masks lie beside it.
    """

    channels: tuple[int, int, int, int]

    def __init__(self, stages: Sequence[nn.Module], freeze_at: int, inputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = FrozenBatchNorm2d(64)
        self.layer1, self.layer2, self.layer3 = stages
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        freeze(self, freeze_at)

    def stages(self) -> Sequence[nn.Module]:
        """The stem and the stages that end at strides 4, 8, 16."""
        return [self.conv1, self.layer1, self.layer2, self.layer3]

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Maps with ``channels`` channels at strides 4, 8, 16, 16; the last two are the same tensor.

        Args:
            image: (B, inputs, H, W) float, ImageNet-normalised RGB first; any size, halves are rounded up.
        """
        x = F.relu(self.bn1(self.conv1(image)))  # (B, 64, H/2, W/2)
        quarter = self.layer1(F.max_pool2d(x, 3, stride=2, padding=1))
        eighth = self.layer2(quarter)
        sixteenth = self.layer3(eighth)
        return quarter, eighth, sixteenth, sixteenth


class ResNet50(_ResNet):
    """Bottleneck blocks: 3, 4 and 6 of them in the three stages."""

    channels = (256, 512, 1024, 1024)

    def __init__(self, freeze_at: int = 0, inputs: int = 3) -> None:
        shapes = ((64, 64, 3, 1), (256, 128, 4, 2), (512, 256, 6, 2))
        super().__init__([_bottlenecks(*shape) for shape in shapes], freeze_at, inputs)


class ResNet18(_ResNet):
    """Two basic blocks in each of the three stages."""

    channels = (64, 128, 256, 256)

    def __init__(self, freeze_at: int = 0, inputs: int = 3) -> None:
        shapes = ((64, 64, 1), (64, 128, 2), (128, 256, 2))
        super().__init__([_basic_blocks(*shape) for shape in shapes], freeze_at, inputs)


class BasicBlock(nn.Module):
    """Two 3x3 with a shortcut; the first has the stride. Norms are registered as in ``Bottleneck``."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = FrozenBatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = FrozenBatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if stride > 1:
            self.downsample = _projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)) + shortcut, inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with a shortcut; the 3x3 convolution has the stride (as torchvision's weights expect).

    Each norm is registered directly after its convolution, by which ``fold_frozen_norms`` pairs them.
    """

    def __init__(self, inputs: int, width: int, stride: int, project: bool) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = FrozenBatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = FrozenBatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = FrozenBatchNorm2d(outputs)
        self.downsample: nn.Module | None = None
        if project:
            self.downsample = _projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        return F.relu(self.bn3(self.conv3(x)) + shortcut, inplace=True)


def _projection(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    """What a shortcut needs where the block changes the size of its map."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), FrozenBatchNorm2d(outputs))


def _bottlenecks(inputs: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    first = Bottleneck(inputs, width, stride, project=True)
    rest = [Bottleneck(width * EXPANSION, width, stride=1, project=False) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)


def _basic_blocks(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs, stride=1))
