"""Semi-supervised video object segmentation in one file: DeAOT-T with deformable attention, inference only.

    python examples/minimal_vos.py FRAMES MASK.png OUT [WEIGHTS.safetensors]

FRAMES is a folder of pictures, taken in the order of their names. MASK.png is an indexed PNG of the first one: the
value of a pixel is the id of its object (1 to 255, at most ten objects), 0 is background. OUT gets such a PNG for every
later frame. It needs torch, safetensors and Pillow. A test compares its masks with limpet's.

The network, with the names of the paper (Yang and Yang, "Decoupling Features in Hierarchical Propagation for Video
Object Segmentation", NeurIPS 2022): an image encoder; an identity bank, which turns the masks of all objects into one
embedding; one gated propagation layer, which carries the identities of remembered frames over to the current one by
attention; and a decoder. What is remembered: the first frame (long-term memory) and the previous frame (short-term),
as with limpet track --memory first; by default limpet keeps two more frames.

Shapes: the batch is always 1 and left out of tokens. C = 256 channels, A = 128 of queries and keys, E = 512 of values.
H W are pixels of the frame, P Q pixels of the network's image (16k + 1 each), h w its cells at stride 16, M = h * w
tokens in rows, K the keys that deformable attention reads (a quarter of M), N objects, S = N + 1 slots with background.
"""

import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

WEIGHTS = Path(__file__).parents[1] / "limpet/weights/bundled/deaot-t-deformable.safetensors"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, RGB in 0..1
ATTENTION, VALUES = 128, 512  # A and E
RADIUS = 7  # of the short-term window, in cells: 15 x 15
GROUPS, GRID_FACTOR, MAX_OFFSET = 4, 2, 4.0  # of deformable attention: a point per 2x2 cells
SHORT_SIDE, LONG_SIDE, ENLARGE = 480, 1040, 1.67  # limits of the network's image
MASKED_LOGIT = -1e8  # softmax turns it into zero

# MobileNetV2 (Sandler et al., 2018, table 2): (expansion, channels, stride, dilations). The last stage that would halve
# the map is dilated instead, so that the deepest map keeps stride 16.
STAGES = (
    (1, 16, 1, (1,)), (6, 24, 2, (1, 1)), (6, 32, 2, (1, 1, 1)), (6, 64, 2, (1, 1, 1, 1)), (6, 96, 1, (1, 1, 1)),
    (6, 160, 1, (1, 2, 2)), (6, 320, 1, (2,)),
)  # fmt: skip


class Network:
    """The weights by name, and the network as functions of them."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self.weights = {name: tensor.float() for name, tensor in load_file(weights).items()}

    # layers, by the name of their weights

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def conv(self, x: Tensor, name: str, **options) -> Tensor:
        return F.conv2d(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"), **options)

    def layer_norm(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(x, weight.shape, weight, bias)

    def group_norm(self, x: Tensor, name: str, groups: int) -> Tensor:
        return F.group_norm(x, groups, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def batch_norm(self, x: Tensor, name: str) -> Tensor:
        parts = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(self.weights[f"{name}.{part}"] for part in parts))

    # image encoder

    def encode(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Image (1, 3, P, Q) -> maps at strides 4, 8, 16 (24, 32, 96 channels), and the projected one (1, C, h, w)."""
        x = self.conv(image, "encoder.features.0.0", stride=2, padding=1)  # 1 32 P/2 Q/2
        x = F.relu6(self.batch_norm(x, "encoder.features.0.1"))
        block, maps = 1, {}
        for expansion, channels, stage_stride, dilations in STAGES:
            for index, dilation in enumerate(dilations):
                stride = stage_stride if index == 0 else 1
                x = self.inverted_residual(x, block, expansion, stride, dilation)
                block += 1
            maps[channels] = x
        x = self.conv(x, "encoder.features.18.0")  # 1 1280 h w
        x = F.relu6(self.batch_norm(x, "encoder.features.18.1"))
        return maps[24], maps[32], maps[96], self.conv(x, "encoder_projector")

    def inverted_residual(self, x: Tensor, block: int, expansion: int, stride: int, dilation: int) -> Tensor:
        """Expand by 1x1, filter by 3x3 for each channel, project by 1x1; a shortcut where the shape stays."""
        name, y = f"encoder.features.{block}.conv", x
        if expansion > 1:
            y = F.relu6(self.batch_norm(self.conv(y, f"{name}.0.0"), f"{name}.0.1"))  # 1 6c . .
        middle = f"{name}.{int(expansion > 1)}"
        y = self.conv(y, f"{middle}.0", stride=stride, padding=dilation, dilation=dilation, groups=y.shape[1])
        y = F.relu6(self.batch_norm(y, f"{middle}.1"))
        last = 1 + int(expansion > 1)
        y = self.batch_norm(self.conv(y, f"{name}.{last}"), f"{name}.{last + 1}")
        return x + y if y.shape == x.shape else y

    # identity bank

    def identify(self, slots: Tensor, count: int) -> Tensor:
        """Slots (P, Q), 0 background to N -> identity embedding (M, C).

        A learned vector for every slot and every place in a patch of 17x17 pixels, added up over the patch.
        """
        planes = F.one_hot(slots, count).permute(2, 0, 1).unsqueeze(0).float()  # 1 S P Q
        weight, bias = self.weights["id_bank.patches.weight"], self.weights["id_bank.patches.bias"]
        cells = F.conv2d(planes, weight[:, :count], bias, stride=16, padding=8)  # 1 C h w
        return self.layer_norm(cells[0].flatten(1).T, "id_bank.norm")

    # gated propagation

    def project(self, visual: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens (M, C) -> key (M, A), which is the query as well; visual value (M, E); gate (M, 2E)."""
        tokens = self.layer_norm(visual, "layers.0.norm")
        key, value = self.linear(tokens, "layers.0.query_value").split([ATTENTION, VALUES], dim=1)
        gate = F.silu(self.linear(tokens, "layers.0.gate"))  # M E, of the visual branch
        return key, F.silu(value), torch.cat([gate, torch.ones_like(gate)], dim=1)  # identity: open

    def remember(self, key: Tensor, value: Tensor, identity: Tensor) -> tuple[Tensor, Tensor]:
        """A frame's memory, once its masks are known: key (M, A) and both branches' values (M, 2E)."""
        return key, torch.cat([value, F.silu(self.linear(identity, "layers.0.id_value"))], dim=1)

    def propagate(self, visual, key, gate, long_term, short_term, size) -> Tensor:
        """The layer: tokens (M, C) of the current frame -> both branches (M, 2C), visual first."""
        # long-term: keys and values of the first frame are read between its cells, where the current frame points to
        points = self.sampling_locations(key, "layers.0.long_term", size)  # GROUPS K 2
        keys = sample(long_term[0], points, size)  # K A
        values = sample(long_term[1], points.repeat(2, 1, 1), size)  # K 2E, each branch cut into GROUPS
        weights = (key * ATTENTION**-0.5 @ keys.T).softmax(dim=1)  # M K
        read = self.gated_output(weights @ values, gate, "layers.0.long_term", size)  # M 2C
        # short-term: all of the previous frame within a window, with a learned logit for every offset
        logits = key * ATTENTION**-0.5 @ short_term[0].T  # M M
        logits = logits + window(self.linear(key, "layers.0.short_term.relative"), size)
        attended = logits.softmax(dim=1) @ short_term[1]  # M 2E
        read = read + self.gated_output(attended, gate, "layers.0.short_term", size)
        # the identity branch begins here, in the first layer
        branches = torch.cat([visual, torch.zeros_like(visual)], dim=1) + read  # M 2C
        return branches + self.self_propagation(branches, size)

    def self_propagation(self, branches: Tensor, size: tuple[int, int]) -> Tensor:
        """The frame reads itself: one attention map from both branches (M, 2C), values and gates of each apart."""
        name = "layers.0.self_propagation"
        visual, identity = branches.chunk(2, dim=1)
        visual = self.layer_norm(visual, "layers.0.self_norm")
        identity = self.layer_norm(identity, "layers.0.self_id_norm")
        own = torch.cat([visual, identity], dim=1)  # M 2C
        gates = [self.linear(visual, f"{name}.visual_gate"), self.linear(identity, f"{name}.id_gate")]  # M E
        query = self.linear(own, f"{name}.query_key")  # M A
        points = self.sampling_locations(query, name, size)
        source = sample(
            own, points.repeat(2, 1, 1), size
        )  # K 2C: features are sampled, and projected afterwards
        keys = self.linear(source, f"{name}.query_key")  # K A
        weights = (query * ATTENTION**-0.5 @ keys.T).softmax(dim=1)  # M K
        visual, identity = source.chunk(2, dim=1)
        values = [
            self.linear(visual, f"{name}.visual_value"),
            self.linear(identity, f"{name}.id_value"),
        ]  # K E
        attended = weights @ F.silu(torch.cat(values, dim=1))  # M 2E
        return self.gated_output(attended, F.silu(torch.cat(gates, dim=1)), name, size)

    def gated_output(self, attended: Tensor, gate: Tensor, name: str, size: tuple[int, int]) -> Tensor:
        """Attended values and gate (M, 2E) -> (M, 2C): multiply, filter each channel by 5x5, project."""
        plane = as_map(attended * gate, size)  # 1 2E h w
        mixed = self.conv(plane, f"{name}.depthwise", padding=2, groups=plane.shape[1])
        return self.linear(mixed[0].flatten(1).T, f"{name}.projection")

    def sampling_locations(self, query: Tensor, name: str, size: tuple[int, int]) -> Tensor:
        """Query (M, A) -> (GROUPS, K, 2): the (row, column) in cells where each group of channels is read.

        A reference point in the middle of every block of 2x2 cells, and an offset from the query around it.
        """
        name = f"{name}.sampling.offset_network"
        x = self.conv(as_map(query, size), f"{name}.context", stride=GRID_FACTOR, padding=2, groups=GROUPS)
        offsets = (
            self.conv(F.gelu(x), f"{name}.offsets", groups=GROUPS)[0].tanh() * MAX_OFFSET
        )  # 2*GROUPS h/2 w/2
        offsets = offsets.flatten(1).unflatten(0, (GROUPS, 2)).transpose(1, 2)  # GROUPS K 2
        rows, columns = (torch.arange(0, side, GRID_FACTOR) + (GRID_FACTOR - 1) / 2 for side in size)
        return torch.cartesian_prod(rows, columns) + offsets

    # decoder

    def decode(self, branches: Tensor, at_4: Tensor, at_8: Tensor, at_16: Tensor, count: int) -> Tensor:
        """Both branches (M, 2C) and the encoder's maps -> logits (S, P/4, Q/4) of the slots, background first."""
        x = self.group_norm(
            as_map(branches, at_16.shape[-2:]), "output_norm", 2
        )  # 1 2C h w, one group per branch
        x = self.conv_norm_relu(x, "decoder.conv_in", padding=0)  # 1 256 h w
        x = self.conv_norm_relu(x + self.conv(at_16, "decoder.adapter_16x"), "decoder.conv_16x")
        x = resize(x, at_8.shape[-2:]) + self.conv(at_8, "decoder.adapter_8x")  # 1 256 P/8 Q/8
        x = self.conv_norm_relu(x, "decoder.conv_8x")
        x = resize(x, at_4.shape[-2:]) + self.conv(at_4, "decoder.adapter_4x")  # 1 128 P/4 Q/4
        x = self.conv_norm_relu(x, "decoder.conv_4x")
        return self.conv(x, "decoder.conv_out")[0, :count]

    def conv_norm_relu(self, x: Tensor, name: str, padding: int = 1) -> Tensor:
        return F.relu(self.group_norm(self.conv(x, f"{name}.conv", padding=padding), f"{name}.norm", 8))


def as_map(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """Tokens (h*w, C) -> (1, C, h, w)."""
    return tokens.T.unflatten(1, size).unsqueeze(0)


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def sample(tokens: Tensor, points: Tensor, size: tuple[int, int]) -> Tensor:
    """Read tokens (h*w, C) between the cells: points (G, K, 2), each group of C/G channels at its own -> (K, C)."""
    groups = as_map(tokens, size)[0].unflatten(0, (len(points), -1))  # G C/G h w
    last = torch.tensor([size[1] - 1, size[0] - 1])
    grid = points.flip(-1).unsqueeze(2) / last * 2 - 1  # G K 1 2: (x, y) in -1..1
    read = F.grid_sample(groups, grid, padding_mode="border", align_corners=True)  # G C/G K 1
    return read.squeeze(3).flatten(0, 1).T


def window(relative: Tensor, size: tuple[int, int]) -> Tensor:
    """Logits (M, 15*15) of the offsets around each query -> (M, M), MASKED_LOGIT for keys outside the window."""
    cells = torch.cartesian_prod(*(torch.arange(side) for side in size))  # M 2
    offset = cells.unsqueeze(0) - cells.unsqueeze(1) + RADIUS  # M M 2, of each key from each query
    inside = ((offset >= 0) & (offset <= 2 * RADIUS)).all(dim=2)
    index = (offset[..., 0] * (2 * RADIUS + 1) + offset[..., 1]).where(inside, 0)  # M M
    return relative.gather(1, index).masked_fill(~inside, MASKED_LOGIT)


def network_size(height: int, width: int) -> tuple[int, int]:
    """(P, Q), 16k + 1 each: the shorter side 480, without enlarging more than 1.67 times or a longer one than 1040."""
    scale = min(SHORT_SIDE / min(height, width), LONG_SIDE / max(height, width), ENLARGE)
    rows, columns = (max(1, round((int(side * scale) - 1) / 16)) * 16 + 1 for side in (height, width))
    return rows, columns


def prepare(frame: Image.Image, size: tuple[int, int]) -> Tensor:
    """A picture -> normalised (1, 3, P, Q)."""
    pixels = torch.frombuffer(bytearray(frame.convert("RGB").tobytes()), dtype=torch.uint8)
    image = pixels.view(frame.height, frame.width, 3).permute(2, 0, 1).unsqueeze(0).float() / 255  # 1 3 H W
    image = F.interpolate(image, size=size, mode="bicubic")
    return (image - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


@torch.inference_mode()
def track(network: Network, frames, slots: Tensor, size: tuple[int, int] | None = None):
    """Yield slots (H, W) for every frame after the first, whose slots are given: 0 background, 1 to N objects."""
    count, shape = int(slots.max()) + 1, slots.shape
    size = size or network_size(*shape)
    long_term = short_term = None
    for frame in frames:
        at_4, at_8, at_16, features = network.encode(prepare(frame, size))
        cells = features.shape[-2:]  # (h, w)
        visual = features[0].flatten(1).T  # M C
        key, value, gate = network.project(visual)
        if long_term is not None:
            branches = network.propagate(visual, key, gate, long_term, short_term, cells)  # M 2C
            logits = network.decode(branches, at_4, at_8, at_16, count)  # S P/4 Q/4
            slots = resize(logits.unsqueeze(0), shape)[0].argmax(dim=0)  # H W
            yield slots
        near = F.interpolate(slots[None, None].float(), size=size, mode="nearest")[0, 0].long()  # P Q
        short_term = network.remember(key, value, network.identify(near, count))
        long_term = long_term or short_term  # the first frame, for ever


def main(frames: str, mask: str, out: str, weights: Path | str = WEIGHTS) -> None:
    paths = sorted(
        path for path in Path(frames).iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png")
    )
    first = Image.open(mask)
    given = torch.frombuffer(bytearray(b"\0" + first.tobytes()), dtype=torch.uint8)  # a 0 and H*W ids
    ids, slots = given.unique(return_inverse=True)  # the ids of slots 0, 1 and so on; the slot of every pixel
    pictures, slots = (Image.open(path) for path in paths), slots[1:].view(first.height, first.width)
    Path(out).mkdir(parents=True, exist_ok=True)
    for path, found in zip(paths[1:], track(Network(Path(weights)), pictures, slots), strict=True):
        result = Image.frombytes("P", first.size, ids[found].numpy().tobytes())
        result.putpalette(first.getpalette() or [])
        result.save(Path(out) / f"{path.stem}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
