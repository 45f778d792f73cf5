"""STCN (Cheng et al., NeurIPS 2021) and MobileVOS (Miles et al., CVPR 2023): every object by itself.

A frame's key is made of its image alone, so that all objects share it, and one affinity between frames serves them all.
Values hold the masks, side by side in the channels of a token. Each object is decoded by itself and gets one logit;
the logits of all are merged afterwards (``limpet.models.base.joint_logits``), and what was merged is remembered softly.

STCN remembers every fifth frame. MobileVOS is the same network with small encoders and small widths; it remembers the
first and the previous frame. The paper prints its numbers of parameters and not its widths: those here are one choice
that gives the same numbers (section 4.2, table 4).

Legend: B batch; T frames; N objects; C channels of keys, V of each object's values; M tokens of one frame, M = h*w;
h w feature cells; H W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limpet.attention_map import AttentionMap, MapKind, check_request
from limpet.memory import LayerMemory, Memory
from limpet.models.affinity import affinity, read_by_distance, repeated
from limpet.models.attention import padding_bias
from limpet.models.base import Features, Model, ModelConfig
from limpet.models.blocks import as_plane, as_tokens
from limpet.models.encoders import build_encoder
from limpet.models.residual_decoder import ResidualDecoder, conv3x3
from limpet.models.value_encoder import MASKS, ValueEncoder

TOP_K = 20


@dataclass(frozen=True)
class STCNConfig(ModelConfig):
    """A member of the family; the other fields are those of ModelConfig.

    align_corners: whether image sizes are 16k + 1; STCN itself has 16k.
    key_channels: C. value_channels: V, also the width of the frame's own map beside what is read.
    decoder_widths: of the decoder's maps at strides 16, 8 and 4.
    pyramid: width and outputs of the ASPP in front of the decoder; None for none.
    value_encoder: "resnet-18", which reads the image beside the masks, or "mobilenet-v2", which reads masks alone.
    top_k: of how many tokens each cell reads when nothing is trained; None for all.
    reads_previous: the previous frame is read whether it is in the long-term memory or not.
    """

    encoder: str = "resnet-50"
    align_corners: bool = False
    key_channels: int = 64
    value_channels: int = 512
    decoder_widths: tuple[int, int, int] = (512, 256, 256)
    pyramid: tuple[int, int] | None = None
    value_encoder: str = "resnet-18"
    top_k: int | None = None
    reads_previous: bool = False
    independent_objects: ClassVar[bool] = True
    soft_memory: ClassVar[bool] = True
    training_gap: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layers != 1:
            raise ValueError(f"an STCN has one layer of memory, not {self.layers}")
        if self.value_encoder not in ("resnet-18", "mobilenet-v2"):
            raise ValueError(f"value_encoder is {self.value_encoder!r}, expected resnet-18 or mobilenet-v2")

    def build(self) -> STCN:
        """The network with random weights."""
        return STCN(self)


class KeyFrame(NamedTuple):
    """A frame before its masks are known: key (B, M, C), at_16 (B, C, h, w), image (B, 3, H, W) where it is read."""

    key: Tensor
    at_16: Tensor
    image: Tensor | None


class STCN(Model):
    """Key encoder, value encoder, affinity, and a decoder of single objects."""

    config: STCNConfig

    def __init__(self, config: STCNConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = build_encoder(config.encoder)
        widths = cast(tuple[int, ...], self.encoder.channels)
        self.key_projection = conv3x3(widths[2], config.key_channels)
        self.thin_projection = conv3x3(widths[2], config.value_channels)
        self.value_encoder = ValueEncoder(_value_encoder(config), widths[2], config.value_channels)
        self.decoder = ResidualDecoder(
            2 * config.value_channels, widths[:2], config.decoder_widths, config.pyramid, config.align_corners
        )
        _rescale_depthwise(self)
        nn.init.orthogonal_(self.key_projection.weight)
        nn.init.zeros_(self.key_projection.bias)  # type: ignore[arg-type]

    @property
    def reads_image(self) -> bool:
        """Whether the value encoder reads the image beside the masks."""
        return self.config.value_encoder == "resnet-18"

    def encoder_state(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of both encoders, where they are of one kind: masks begin with the mean of an image's three channels.

        Stages that neither encoder has are left out. See ``Model.encoder_state``.
        """
        own = {name: tensor for name, tensor in tensors.items() if name in self.encoder.state_dict()}
        if len(own) < len(self.encoder.state_dict()):
            return super().encoder_state(tensors)  # of another kind
        state = super().encoder_state(own)
        if type(self.value_encoder.encoder) is type(self.encoder):
            for name, expected in self.value_encoder.encoder.state_dict().items():
                tensor = own[name]
                if tensor.shape != expected.shape:  # the first convolution
                    tensor = tensor.mean(dim=1, keepdim=True).expand(expected.shape).clone()
                state[f"value_encoder.encoder.{name}"] = tensor
        return state

    def encode(self, image: Tensor) -> Features:
        """Normalised RGB (B, 3, H, W) -> Features; ``tokens`` hold the key and the frame's own map side by side."""
        at_4, at_8, at_16, _ = self.encoder(image)
        tokens = torch.cat([self.key_projection(at_16), self.thin_projection(at_16)], dim=1)
        return Features(at_4, at_8, at_16, tokens, image=image if self.reads_image else None)

    def identify(self, planes: Tensor) -> Tensor:
        """Planes (B, N + 1, H, W) -> (B, N, 2, H, W): each object, and all others together."""
        own = planes[:, 1:]
        others = (1 - planes[:, :1] - own).clamp_min(0.0)
        return torch.stack([own, others], dim=2)

    def refer(self, features: Features, identity: Tensor) -> tuple[Tensor, tuple[KeyFrame], Memory]:
        """A frame with known masks, which is its own memory; what is returned is what ``propagate`` returns."""
        pending = (self._key_frame(features),)
        memory = self.remember(pending, identity)
        tokens = self._read(pending[0].key, memory[0].key, memory[0].value, None, features.size)
        return tokens, pending, memory

    def propagate(
        self, features: Features, long_term: Memory, short_term: Memory, memory_mask: Tensor | None = None
    ) -> tuple[Tensor, tuple[KeyFrame]]:
        """A frame with unknown masks.

        Args:
            memory_mask: (B, T), 1 for each of the T frames of ``long_term`` that is to be read, else 0; None reads
                all of them.

        Returns:
            tokens (B, N*V, h, w) for the decoder, what each object read, and the frame for ``remember``.
        """
        frame = self._key_frame(features)
        key, value, bias = self._readable(frame, long_term, short_term, memory_mask)
        return self._read(frame.key, key, value, bias, features.size), (frame,)

    def remember(self, pending: tuple[KeyFrame], identity: Tensor) -> Memory:
        """The memory of a frame, now that its masks are known; ``identity`` is from ``identify``."""
        (frame,) = pending
        values = self.value_encoder(identity, frame.at_16, frame.image)  # B*N V h w
        side_by_side = values.unflatten(0, identity.shape[:2]).flatten(1, 2)  # B N*V h w
        return Memory((LayerMemory(frame.key, as_tokens(side_by_side)),))

    def decode(self, tokens: Tensor, features: Features) -> Tensor:
        """Tokens (B, N*V, h, w) -> logits (B, N + 1, H/4, W/4) in float32, the background being 0."""
        return self.last_layer(self.representation(tokens, features))

    def representation(self, tokens: Tensor, features: Features) -> Tensor:
        """What the last layer reads of every object, (B, N, C, H/4, W/4); see ``decode`` for the arguments."""
        channels = self.config.value_channels
        objects = tokens.shape[1] // channels
        own = features.tokens[:, self.config.key_channels :]
        if objects > 1:
            own = own.repeat_interleave(objects, dim=0)
        x = torch.cat([tokens.unflatten(1, (objects, channels)).flatten(0, 1), own], dim=1)  # B*N 2*V h w
        return self.decoder.representation(x, features.at_4, features.at_8).unflatten(0, (-1, objects))  # type: ignore[no-any-return]

    def last_layer(self, representation: Tensor) -> Tensor:
        """The logits of ``decode``."""
        objects = representation.shape[1]
        logits = self.decoder.conv_out(representation.flatten(0, 1)).squeeze(1).unflatten(0, (-1, objects))
        return F.pad(logits.float(), (0, 0, 0, 0, 1, 0))

    @property
    def representation_channels(self) -> int:
        """C of ``representation``."""
        return self.config.decoder_widths[-1]

    def attention_map(
        self,
        pending: Sequence[KeyFrame],
        long_term: Memory,
        size: tuple[int, int],
        layer: int = -1,
        kind: MapKind = "long-term",
    ) -> AttentionMap:
        """The affinity to the frames of the long-term memory; see ``Model.attention_map``."""
        check_request(layer, kind, 1, ("long-term",))
        return AttentionMap(affinity(pending[0].key, long_term[0].key, top_k=self._top_k), size, None)

    @property
    def _top_k(self) -> int | None:
        return None if self.training else self.config.top_k

    def _key_frame(self, features: Features) -> KeyFrame:
        key = as_tokens(features.tokens[:, : self.config.key_channels])
        return KeyFrame(key, features.at_16, features.image)

    def _readable(
        self, frame: KeyFrame, long_term: Memory, short_term: Memory, memory_mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Keys and values of all frames to read, and the bias (B, 1, T*M) of those that are not to be read.

        The previous frame may be in the long-term memory already. It is read once then; where that is the only frame
        of the memory, reading it twice changes nothing.
        """
        (long,), cells = long_term, frame.key.shape[1]
        if not self.config.reads_previous:
            return long.key, long.value, padding_bias(memory_mask, cells, frame.key)
        (short,) = short_term
        key = torch.cat([long.key, short.key], dim=1)
        value = torch.cat([long.value, short.value], dim=1)
        if long_term.frames == 1 and memory_mask is None:
            return key, value, None
        mask = long.key.new_ones(len(long.key), long_term.frames) if memory_mask is None else memory_mask
        fresh = 1 - repeated(long.key, short.key).to(mask.dtype)
        return key, value, padding_bias(torch.cat([mask, fresh], dim=1), cells, frame.key)

    def _read(
        self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, size: tuple[int, int]
    ) -> Tensor:
        """(B, N*V, h, w): what each object read."""
        return as_plane(read_by_distance(query, key, value, bias, self._top_k), size)


def _value_encoder(config: STCNConfig) -> nn.Module:
    if config.value_encoder == "resnet-18":
        from limpet.models.resnet import ResNet18

        return ResNet18(inputs=3 + MASKS)
    from limpet.models.mobilenet import MobileNetV2

    return MobileNetV2(inputs=MASKS, dilated=False)


@torch.no_grad()
def _rescale_depthwise(model: nn.Module) -> None:
    """Random depth-wise kernels so large that frozen norms, which correct nothing, do not let a map fade to zero."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.weight.mul_(module.groups**0.5)


def stcn() -> STCNConfig:
    """STCN: ResNet-50, memory every 5 frames, the 20 nearest tokens."""
    return STCNConfig(long_term_gap=5, top_k=TOP_K)


def _student(encoder: str, channels: int, widths: tuple[int, int, int], pyramid: int = 0) -> STCNConfig:
    return STCNConfig(
        encoder=encoder,
        align_corners=True,
        value_channels=channels,
        decoder_widths=widths,
        pyramid=(pyramid, channels) if pyramid else None,
        value_encoder="mobilenet-v2",
        reads_previous=True,
    )


def mobilevos_resnet_18() -> STCNConfig:
    """MobileVOS with ResNet-18 and ASPP."""
    return _student("resnet-18", 128, (192, 96, 64), pyramid=128)


def mobilevos_mobilenet_v2() -> STCNConfig:
    """MobileVOS with MobileNetV2 and ASPP."""
    return _student("mobilenet-v2-96", 64, (88, 32, 32), pyramid=120)


def mobilevos_mobilenet_v2_small() -> STCNConfig:
    """MobileVOS with MobileNetV2 and without ASPP, the fastest."""
    return _student("mobilenet-v2-96", 64, (88, 32, 32))
