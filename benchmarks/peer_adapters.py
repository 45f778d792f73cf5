"""How the race steps a tracker frame by frame: limpet, and peers by the public interfaces of their own checkouts.

This file imports nothing of limpet or of a peer before it is asked to: it runs in the Python environment of the peer.
It calls what the peer's own demo or evaluation script calls, and holds none of its code. An adapter has ``start``,
which takes the first frame and its mask, and ``step``, which takes a frame and returns its mask. Each keeps its own
state, as these programs do.

Shapes: frames uint8 (H, W, 3) RGB, masks uint8 (H, W) of ids 1..N.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from peer_tools import PeerSettings, as_ids, use_checkout
from stcn_peers import CutieAdapter, StcnAdapter, XmemAdapter

LONG_EDGE = 1040
"""Limit on the longer side of the network's input in the official evaluation of AOT, and in limpet."""


class LimpetAdapter:
    """limpet itself: a model, or a bundle for any of its engines. Small frames are not enlarged, as peers do not."""

    def __init__(self, settings: PeerSettings) -> None:
        import limpet

        if settings.checkout:
            self._tracker: Any = limpet.load_exported(settings.checkout)
        else:
            self._tracker = limpet.load(
                settings.model or None, weights=settings.weights or None, device=settings.device,
                max_size=settings.max_short, enlarge=1.0, precision=settings.precision,  # type: ignore[arg-type]
            )  # fmt: skip
        self._state: Any = None

    def start(self, frame: np.ndarray, mask: np.ndarray) -> None:
        self._state = self._tracker.start(frame, mask)
        facts = self._tracker.facts(frame.shape[:2])
        height, width = facts.network_size
        self.about = f"{facts.model}, {facts.device}, {facts.precision}, network input {height}x{width}"

    def step(self, frame: np.ndarray) -> np.ndarray:
        mask, self._state = self._tracker.step(frame, self._state)
        return mask


class AotAdapter:
    """The official code of AOT and DeAOT (yoxu515/aot-benchmark), as its tools/demo.py runs it."""

    def __init__(self, settings: PeerSettings) -> None:
        use_checkout(settings.checkout)
        import torch

        engines = importlib.import_module("networks.engines")
        models = importlib.import_module("networks.models")
        transforms = importlib.import_module("dataloaders.video_transforms")
        config = importlib.import_module("configs.pre_ytb_dav").EngineConfig(
            "race", settings.model or "deaott"
        )
        gpu, on_gpu = 0, settings.device != "cpu"
        network = models.build_vos_model(config.MODEL_VOS, config)
        if settings.weights and on_gpu:
            load = importlib.import_module("utils.checkpoint").load_network
            network = load(network.cuda(gpu), settings.weights, gpu)[0]
        elif settings.weights:  # its own function loads onto a GPU alone
            saved = torch.load(settings.weights, map_location="cpu", weights_only=True)
            tensors = saved.get("state_dict", saved)
            network.load_state_dict({name.removeprefix("module."): each for name, each in tensors.items()})
        network.eval()
        self._device, self._network = settings.device, network
        self._engine = engines.build_engine(
            config.MODEL_ENGINE, phase="eval", aot_model=network, gpu_id=gpu,
            long_term_mem_gap=config.TEST_LONG_TERM_MEM_GAP,
        )  # fmt: skip
        self._resize = transforms.MultiRestrictSize(
            max_short_edge=settings.max_short, max_long_edge=LONG_EDGE, flip=False, multi_scale=[1.0],
            align_corners=config.MODEL_ALIGN_CORNERS,
        )  # fmt: skip
        self._to_tensor = transforms.MultiToTensor()

    def start(self, frame: np.ndarray, mask: np.ndarray) -> None:
        import torch

        with torch.no_grad():
            self._engine.restart_engine()
            image = self._image(frame)
            label = torch.from_numpy(mask).to(self._device).float()[None, None]
            label = torch.nn.functional.interpolate(label, size=image.shape[2:], mode="nearest")
            self._engine.add_reference_frame(image, label, frame_step=0, obj_nums=[int(mask.max())])

    def step(self, frame: np.ndarray) -> np.ndarray:
        import torch

        with torch.no_grad():
            self._engine.match_propogate_one_frame(self._image(frame))
            logits = self._engine.decode_current_logits(frame.shape[:2])
            label = torch.softmax(logits, dim=1).argmax(dim=1, keepdim=True).float()
            small = torch.nn.functional.interpolate(label, size=self._engine.input_size_2d, mode="nearest")
            self._engine.update_memory(small)
        return as_ids(label[0, 0])

    def _image(self, frame: np.ndarray) -> Any:
        sample = self._to_tensor(self._resize({"current_img": frame.astype(np.float32)}))[0]
        return sample["current_img"][None].float().to(self._device)


class Sam2Adapter:
    """SAM 2 (facebookresearch/sam2) and EdgeTAM: the video predictor, which reads a folder of JPEGs by itself.

    Its frames are those that ``start_video`` wrote; what is given to ``step`` only counts. Reading them is part of its
    ``start``, so that its steps have less to do than those of others.
    """

    MODEL: ClassVar[str] = "configs/sam2.1/sam2.1_hiera_l.yaml"

    def __init__(self, settings: PeerSettings) -> None:
        use_checkout(settings.checkout)
        build = importlib.import_module("sam2.build_sam").build_sam2_video_predictor
        self._predictor = build(
            settings.model or self.MODEL, settings.weights or None, device=settings.device
        )
        self._settings = settings
        self._folder = tempfile.TemporaryDirectory()

    def start_video(self, frames: np.ndarray) -> None:
        """Write all frames, (T, H, W, 3), where the predictor reads them."""
        from PIL import Image

        for index, frame in enumerate(frames):
            Image.fromarray(frame).save(Path(self._folder.name) / f"{index:05}.jpg", quality=95)

    def start(self, frame: np.ndarray, mask: np.ndarray) -> None:
        import torch

        with torch.inference_mode(), self._autocast():
            state = self._predictor.init_state(video_path=self._folder.name)
            for number in range(1, self._settings.objects + 1):
                self._predictor.add_new_mask(
                    state, frame_idx=0, obj_id=number, mask=torch.from_numpy(mask == number)
                )
            self._results: Iterator[Any] = self._predictor.propagate_in_video(state)
            next(self._results)  # the first frame itself

    def step(self, frame: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode(), self._autocast():
            _, numbers, logits = next(self._results)
        best, where = logits[:, 0].float().max(dim=0)
        ids = torch.tensor(list(numbers), device=where.device)[where]
        return as_ids(torch.where(best > 0, ids, torch.zeros_like(ids)))

    def _autocast(self) -> Any:
        import torch

        half = self._settings.precision != "fp32"
        return torch.autocast(self._settings.device, dtype=torch.bfloat16, enabled=half)


class EdgeTamAdapter(Sam2Adapter):
    """EdgeTAM (facebookresearch/EdgeTAM), whose checkout has SAM 2's interface."""

    MODEL: ClassVar[str] = "configs/edgetam.yaml"


ADAPTERS: dict[str, type] = {
    "limpet": LimpetAdapter,
    "aot": AotAdapter,
    "stcn": StcnAdapter,
    "xmem": XmemAdapter,
    "cutie": CutieAdapter,
    "sam2": Sam2Adapter,
    "edgetam": EdgeTamAdapter,
}


def find_adapter(name: str) -> type:
    """The class of a name in ADAPTERS, or ``FILE.py:CLASS`` for one of your own."""
    if name in ADAPTERS:
        return ADAPTERS[name]
    path, _, wanted = name.rpartition(":")
    if not path.endswith(".py") or not Path(path).is_file():
        raise SystemExit(
            f"there is no adapter {name!r}; the choices are {', '.join(ADAPTERS)} or FILE.py:CLASS"
        )
    spec = importlib.util.spec_from_file_location("own_adapter", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, wanted)  # type: ignore[no-any-return]
