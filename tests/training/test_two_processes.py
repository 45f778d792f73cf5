"""Two processes train together: each makes its own clips, and both end with the same weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from .tiny import make_stills

TESTS = Path(__file__).resolve().parents[1]

# Fabric starts the second process by running the script again, so the run needs a script of its own.
SCRIPT = """
import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, {tests!r})
from networks import lively_model
from training.tiny import tiny_run

from limpet.data import StillsFolder, TrainingClips
from limpet.training.loop import train

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    rank = int(os.environ.get("LOCAL_RANK", "0"))
    model = lively_model(seed=rank)  # the first process's weights must win
    config = tiny_run(steps=4, teacher_forcing_until=0.5)
    stills = StillsFolder(folder / "stills")
    average = train(model, config, folder / "run", stills, [], device="cpu", processes=2, quiet=True)
    images = TrainingClips(config.clips, stills, rank=rank).batch(0).images
    save_file(
        {{f"model.{{k}}": v.detach().contiguous().clone() for k, v in model.state_dict().items()}}
        | {{f"average.{{k}}": v.contiguous().clone() for k, v in average.state_dict().items()}}
        | {{"clip": images.contiguous()}},
        folder / f"rank{{rank}}.safetensors",
    )
"""


def test_both_processes_end_with_the_same_weights(tmp_path: Path) -> None:
    make_stills(tmp_path / "stills")
    script = tmp_path / "train_two.py"
    script.write_text(SCRIPT.format(tests=str(TESTS)))
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("LOCAL_RANK", "WORLD_SIZE", "MASTER_"))
    }
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS.parent)}
    result = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    first, second = (load_file(tmp_path / f"rank{rank}.safetensors") for rank in (0, 1))
    assert not torch.equal(first.pop("clip"), second.pop("clip")), "each process makes its own clips"
    assert first.keys() == second.keys()
    different = [name for name, tensor in first.items() if not torch.equal(tensor, second[name])]
    assert not different
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0, 1, 2, 3], "one process keeps the log"
