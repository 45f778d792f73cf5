"""Checkouts that have the interfaces of peers and nothing of their code: what the adapters of the race call.

The stand-in for AOT tracks with limpet, so that equal weights give equal masks; all others repeat the first mask.
"""

from __future__ import annotations

from pathlib import Path

AOT = {
    "networks/__init__.py": "",
    "networks/models/__init__.py": """
import torch
def build_vos_model(name, config):
    assert name == "aotmodel" and config.model == "deaott"
    return torch.nn.Identity()
""",
    "networks/engines/__init__.py": """
import numpy as np, torch
import limpet
class Engine:
    def restart_engine(self):
        self.tracker = limpet.load("deaot-nano", device="cpu", precision="fp32", enlarge=1.0, max_size=480)
    def add_reference_frame(self, image, label, obj_nums, frame_step=-1):
        assert frame_step == 0 and image.shape[2:] == label.shape[2:] and label.max() == obj_nums[0]
        self.input_size_2d = image.shape[2:]
        self.state = self.tracker.start(pixels(image), label[0, 0].numpy().astype(np.uint8))
    def match_propogate_one_frame(self, image):
        self.mask, self.state = self.tracker.step(pixels(image), self.state)
    def decode_current_logits(self, size):
        assert self.mask.shape == tuple(size)
        return torch.nn.functional.one_hot(torch.from_numpy(self.mask).long(), 11).permute(2, 0, 1)[None].float()
    def update_memory(self, label):
        assert np.array_equal(label[0, 0].numpy(), self.mask)
def pixels(image):
    return image[0].permute(1, 2, 0).numpy().astype(np.uint8)
def build_engine(name, phase, aot_model, gpu_id, long_term_mem_gap):
    assert (name, phase, gpu_id, long_term_mem_gap) == ("deaotengine", "eval", 0, 9999)
    return Engine()
""",
    "dataloaders/__init__.py": "",
    "dataloaders/video_transforms.py": """
import torch
class MultiRestrictSize:
    def __init__(self, max_short_edge, max_long_edge, flip, multi_scale, align_corners):
        assert max_short_edge == 480 and multi_scale == [1.0] and not flip and align_corners
    def __call__(self, sample):
        return [sample]
class MultiToTensor:
    def __call__(self, samples):
        return [{"current_img": torch.from_numpy(each["current_img"]).permute(2, 0, 1)} for each in samples]
""",
    "configs/__init__.py": "",
    "configs/pre_ytb_dav.py": """
import pathlib
class EngineConfig:
    MODEL_VOS, MODEL_ENGINE, MODEL_ALIGN_CORNERS, TEST_LONG_TERM_MEM_GAP = "aotmodel", "deaotengine", True, 9999
    def __init__(self, name, model):
        self.model = model
        pathlib.Path("result").mkdir()  # it makes folders where it runs
""",
}
PADDING = """
import torch
def pad_divide_by(image, d):
    h, w = image.shape[-2:]
    pad = (0, -w % d, 0, -h % d)
    return torch.nn.functional.pad(image, pad), pad
def unpad(image, pad):
    return image[..., : image.shape[-2] - pad[3], : image.shape[-1] - pad[1]]
"""
AGGREGATE = """
import torch
def aggregate(prob, keep_bg=False, dim=0):
    return torch.cat([1 - prob.amax(0, keepdim=True), prob])
"""
STCN = {
    "inference_memory_bank.py": """
class MemoryBank:
    def __init__(self, k, top_k):
        assert top_k == 20
        self.k, self.frames = k, []
    def add_memory(self, key, value):
        assert key.dim() == 5 and len(value) == self.k
        self.frames.append(value)
""",
    "model/__init__.py": "",
    "model/aggregate.py": AGGREGATE,
    "model/eval_network.py": """
import torch
class STCN(torch.nn.Module):
    def encode_key(self, image):
        assert image.shape[2] % 16 == image.shape[3] % 16 == 0
        return (image[:, :, ::16, ::16],) * 5
    def encode_value(self, image, feature, masks):
        return masks
    def segment_with_query(self, bank, middle, large, key, value):
        self.frames = len(bank.frames)
        return bank.frames[0]
""",
    "util/__init__.py": "",
    "util/tensor_util.py": PADDING,
}
XMEM = {
    "model/__init__.py": "",
    "model/network.py": """
import torch
class XMem(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        assert config["mem_every"] == 5 and config["enable_long_term"]
""",
    "inference/__init__.py": "",
    "inference/inference_core.py": """
import torch
class InferenceCore:
    def __init__(self, network, config):
        self.labels = None
    def set_all_labels(self, labels):
        self.labels = labels
    def step(self, image, mask=None, labels=None):
        if mask is not None:
            assert labels == self.labels and mask.shape == (len(labels), *image.shape[1:])
            self.prob = torch.cat([1 - mask.amax(0, keepdim=True), mask])
        return self.prob
""",
}
CUTIE = {
    "cutie/__init__.py": "",
    "cutie/utils/__init__.py": "",
    "cutie/utils/get_default_model.py": """
import torch
def get_default_model():
    model = torch.nn.Identity()
    model.cfg = "settings"
    return model
""",
    "cutie/inference/__init__.py": "",
    "cutie/inference/inference_core.py": """
class InferenceCore:
    def __init__(self, network, cfg):
        assert cfg == "settings"
    def step(self, image, mask=None, objects=None):
        assert image.shape[0] == 3 and image.max() <= 1 and self.max_internal_size == 480
        if mask is not None:
            assert objects == sorted(set(mask.unique().tolist()) - {0})
            self.mask = mask
        return self.mask
    def output_prob_to_mask(self, prob):
        return prob
""",
}
SAM2 = {
    "sam2/__init__.py": "",
    "sam2/build_sam.py": """
import pathlib, torch
class Predictor:
    def init_state(self, video_path):
        files = sorted(pathlib.Path(video_path).iterdir())
        assert files[0].name == "00000.jpg"
        return {"frames": len(files), "masks": {}}
    def add_new_mask(self, state, frame_idx, obj_id, mask):
        assert frame_idx == 0 and mask.dtype == torch.bool and mask.dim() == 2
        state["masks"][obj_id] = mask
    def propagate_in_video(self, state):
        for index in range(state["frames"]):
            yield index, list(state["masks"]), torch.stack(list(state["masks"].values()))[:, None] * 2.0 - 1
def build_sam2_video_predictor(config, checkpoint, device):
    assert config.endswith(".yaml") and device == "cpu"
    return Predictor()
""",
}
CHECKOUTS = {"aot": AOT, "stcn": STCN, "xmem": XMEM, "cutie": CUTIE, "sam2": SAM2, "edgetam": SAM2}


def write_checkout(folder: Path, peer: str) -> Path:
    """The stand-in for a peer, in a folder of its name."""
    for name, text in CHECKOUTS[peer].items():
        path = folder / peer / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / peer
