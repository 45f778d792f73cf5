"""STCN, XMem and Cutie in the race: three generations by the same authors, by the interfaces of their checkouts."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import numpy as np
from peer_tools import PeerSettings, as_ids, normalised, planes_of, use_checkout

MEMORY_GAP, TOP_K = 5, 20  # as in its evaluation


class StcnAdapter:
    """STCN (hkchengrex/STCN): its network and memory bank, called as its inference_core.py does for a whole video."""

    def __init__(self, settings: PeerSettings) -> None:
        use_checkout(settings.checkout)
        import torch

        self._aggregate = importlib.import_module("model.aggregate").aggregate
        self._pad = importlib.import_module("util.tensor_util")
        self._bank = importlib.import_module("inference_memory_bank").MemoryBank
        network = importlib.import_module("model.eval_network").STCN().to(settings.device).eval()
        if settings.weights:
            network.load_state_dict(
                torch.load(settings.weights, map_location=settings.device, weights_only=True)
            )
        self._network, self._settings, self._index = network, settings, 0

    def start(self, frame: np.ndarray, mask: np.ndarray) -> None:
        import torch

        with torch.no_grad():
            small = self._image(frame)
            planes = planes_of(mask, self._settings.objects, small.shape[2:], self._settings.device)
            prob = self._aggregate(self._pad.pad_divide_by(planes, 16)[0], keep_bg=True)
            image, _ = self._pad.pad_divide_by(small, 16)
            key, _, feature, _, _ = self._network.encode_key(image)
            self._memory = self._bank(k=self._settings.objects, top_k=TOP_K)
            self._remember(image, key, feature, prob)

    def step(self, frame: np.ndarray) -> np.ndarray:
        import torch

        with torch.no_grad():
            self._index += 1
            image, padding = self._pad.pad_divide_by(self._image(frame), 16)
            key, value, feature, middle, large = self._network.encode_key(image)
            logits = self._network.segment_with_query(self._memory, middle, large, key, value)
            prob = self._aggregate(logits, keep_bg=True)
            if self._index % MEMORY_GAP == 0:
                self._remember(image, key, feature, prob)
            prob = self._pad.unpad(prob, padding)
            prob = torch.nn.functional.interpolate(
                prob, frame.shape[:2], mode="bilinear", align_corners=False
            )
        return as_ids(prob.argmax(dim=0)[0])

    def _image(self, frame: np.ndarray) -> Any:
        return normalised(frame, self._settings.max_short, self._settings.device)[None]

    def _remember(self, image: Any, key: Any, feature: Any, prob: Any) -> None:
        self._memory.add_memory(key.unsqueeze(2), self._network.encode_value(image, feature, prob[1:]))


class XmemAdapter:
    """XMem (hkchengrex/XMem): its network and InferenceCore, with the settings of its eval.py."""

    CONFIG: ClassVar[dict[str, Any]] = {
        "top_k": 30, "mem_every": 5, "deep_update_every": -1, "enable_long_term": True,
        "enable_long_term_count_usage": True, "max_mid_term_frames": 10, "min_mid_term_frames": 5,
        "max_long_term_elements": 10000, "num_prototypes": 128,
    }  # fmt: skip

    def __init__(self, settings: PeerSettings) -> None:
        use_checkout(settings.checkout)
        import torch

        config = dict(self.CONFIG)
        network = importlib.import_module("model.network").XMem(config).to(settings.device).eval()
        if settings.weights:
            saved = torch.load(settings.weights, map_location=settings.device, weights_only=True)
            network.load_weights(saved, init_as_zero_if_needed=True)
        core = importlib.import_module("inference.inference_core").InferenceCore
        self._processor, self._settings = core(network, config=config), settings

    def start(self, frame: np.ndarray, mask: np.ndarray) -> None:
        labels = list(range(1, self._settings.objects + 1))
        self._processor.set_all_labels(labels)
        image = normalised(frame, self._settings.max_short, self._settings.device)
        planes = planes_of(mask, len(labels), image.shape[1:], self._settings.device)[:, 0]
        self._step(image, planes, labels)

    def step(self, frame: np.ndarray) -> np.ndarray:
        import torch

        prob = self._step(normalised(frame, self._settings.max_short, self._settings.device))
        prob = torch.nn.functional.interpolate(
            prob[:, None], frame.shape[:2], mode="bilinear", align_corners=False
        )
        return as_ids(prob[:, 0].argmax(dim=0))

    def _step(self, *arguments: Any) -> Any:
        import torch

        with torch.no_grad():
            return self._processor.step(*arguments)


class CutieAdapter:
    """Cutie (hkchengrex/Cutie), as its scripting_demo.py runs it; its own function finds or fetches the weights."""

    def __init__(self, settings: PeerSettings) -> None:
        use_checkout(settings.checkout)
        model = importlib.import_module("cutie.utils.get_default_model").get_default_model()
        core = importlib.import_module("cutie.inference.inference_core").InferenceCore
        self._processor = core(model.to(settings.device), cfg=model.cfg)
        self._processor.max_internal_size = settings.max_short
        self._settings = settings

    def start(self, frame: np.ndarray, mask: np.ndarray) -> None:
        import torch

        ids = torch.from_numpy(mask).to(self._settings.device)
        self._step(frame, ids, objects=list(range(1, self._settings.objects + 1)))

    def step(self, frame: np.ndarray) -> np.ndarray:
        return as_ids(self._processor.output_prob_to_mask(self._step(frame)))

    def _step(self, frame: np.ndarray, *arguments: Any, **options: Any) -> Any:
        import torch

        with torch.inference_mode():  # it normalises by itself
            image = torch.from_numpy(frame).to(self._settings.device).permute(2, 0, 1).float() / 255
            return self._processor.step(image, *arguments, **options)
