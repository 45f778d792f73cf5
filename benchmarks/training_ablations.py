"""Which change of the training helps? Short trainings from the same weights, several seeds each, scored alike.

    python benchmarks/training_ablations.py --data DATA --out ablations    # all changes, 3 seeds
    python benchmarks/training_ablations.py --data DATA --out ablations --only crowds --seeds 0

Each training differs from the first in what its name says. The scores are J&F on DATA/davis2016's `dev` (shorter side
240, every second frame), and the mean IoU over the objects of crowded clips that no training draws, in the given frame
and in the three after it. The table shows differences from the start: after so few steps only their order and spread
mean something. The same command continues what was stopped.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from machine import begin

from limpet.data import ClipConfig, StillsFolder, TrainingClips, evaluation_videos, training_videos
from limpet.evaluation.evaluate_videos import evaluate_tracker
from limpet.evaluation.metrics import region_similarity
from limpet.models import Model
from limpet.tracking.tracker import Tracker
from limpet.training.config import TrainConfig
from limpet.training.loop import train
from limpet.training.rollout import RolloutConfig, rollout
from limpet.training.setup import build_training_model
from limpet.weights.zoo import find_weights

CROWD_SEED, CROWDS = 9_999, 16
USUAL = {"teacher_forcing_until": 0.3, "aux_loss_until": 0.3}
CHANGES: dict[str, dict[str, Any]] = {
    "usual": {},
    "crowds": {"crowd_prob": (0.5, 0.5)},
    "crowds, identities learn on": {
        "crowd_prob": (0.5, 0.5),
        "train_id_bank_throughout": True,
        "aux_loss_until": 1.0,
    },
    "encoder at a quarter of the rate": {"encoder_lr_ratio": 0.25},
    "own predictions from the start": {"teacher_forcing_until": 0.0},
    "gaps up to 8": {"max_frame_gap": (3, 8)},
    "5 frames, 1 clip": {"frames": 5, "batch": 1},
    "video alone": {"video_prob": (1.0, 1.0)},
    "mistakes in half of what is remembered": {"mask_corruption_prob": 0.5},
    "things that ride on others": {"crowd_prob": (0.5, 0.5), "attached_object_prob": 0.5},
    "the first frame elsewhere": {"reference_augment_prob": 0.5},
    "larger clips, 1 a step": {"size": 321, "batch": 1},
    "objects grow and shrink": {"max_zoom": 4.0},
    "objects turn, move fast and leave": {
        "max_rotation": 40.0,
        "fast_motion_prob": 0.25,
        "out_of_view_prob": 0.2,
    },
    "occluders": {"occluder_prob": 0.35},
    "frames of the whole video": {"whole_video_prob": 0.5},
    "masks split into objects": {"split_components": 500},
}


def recipe(options: argparse.Namespace, change: dict[str, Any], seed: int) -> TrainConfig:
    """The usual training with ``change``, whose keys are fields of TrainConfig or of ClipConfig."""
    clips = ClipConfig(frames=3, size=options.size, batch=2, seed=seed, max_frame_gap=(2, 5))
    of_clips = {name: value for name, value in change.items() if hasattr(clips, name)}
    rest = {name: value for name, value in change.items() if name not in of_clips}
    usual = TrainConfig(
        model=options.model, steps=options.steps, learning_rate=options.learning_rate, min_learning_rate=1e-5,
        weight_decay=0.05, save_every=0, clips=replace(clips, **of_clips), **USUAL,
    )  # fmt: skip
    return replace(usual, **rest)


@torch.no_grad()
def crowd_iou(model: Model, clips: TrainingClips) -> tuple[float, float]:
    """Mean IoU over the objects of crowded clips: in the given frame, and in those after it."""
    given, later = [], []
    for step in range(CROWDS):
        batch = clips.batch(step, 0.5)
        with torch.autocast("cpu", torch.bfloat16):
            run = rollout(
                model, batch.images, batch.masks, batch.object_counts, RolloutConfig(own_predictions=True)
            )
        for number in range(1, batch.object_counts[0] + 1):
            ours, truth = ((masks[:, 0] == number).numpy() for masks in (run.masks, batch.masks))
            ious = [region_similarity(t, p) for t, p in zip(truth, ours, strict=True) if t.any()]
            given.append(ious[0])
            later += ious[1:]
    return 100 * statistics.fmean(given), 100 * statistics.fmean(later)


def score_all(model: Model, options: argparse.Namespace, stills: StillsFolder) -> dict[str, float]:
    """The scores of a training, in per cent."""
    config = ClipConfig(frames=4, size=257, batch=1, seed=CROWD_SEED, video_prob=(0, 0), crowd_prob=(1, 1))
    given, later = crowd_iou(model.eval(), TrainingClips(config, stills))
    dev = evaluation_videos(options.data / "davis2016", "dev")
    scores = evaluate_tracker(Tracker(model, max_size=240), dev, stride=2)
    return {"dev": 100 * scores.j_and_f, "crowd, given frame": given, "crowd, later frames": later}


def table(start: dict[str, float], found: dict[str, list[dict[str, float]]]) -> str:
    """Rows of Markdown: the mean difference from the start, and the standard deviation over seeds."""
    lines = ["| training | " + " | ".join(start) + " | seeds |", "|---" * (len(start) + 2) + "|"]
    lines.append("| the start | " + " | ".join(f"{value:.1f}" for value in start.values()) + " | |")
    for name, runs in found.items():
        cells = []
        for kind, value in start.items():
            changes = [run[kind] - value for run in runs]
            spread = f" ± {statistics.stdev(changes):.1f}" if len(changes) > 1 else ""
            cells.append(f"{statistics.fmean(changes):+.1f}{spread}")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {len(runs)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="with davis2016/ and stills/")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="deaot-nano")
    parser.add_argument("--weights", type=Path, help="to start from; by default those that ship")
    parser.add_argument("--only", nargs="+", default=list(CHANGES), choices=list(CHANGES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--size", type=int, default=193)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    begin(options.threads)
    weights = find_weights(options.model, options.weights)
    stills, videos = (
        StillsFolder(options.data / "stills"),
        [training_videos(options.data / "davis2016", "fit")],
    )

    def result(folder: Path, config: TrainConfig | None) -> dict[str, float]:
        if not (folder / "score.json").is_file():
            model = build_training_model(options.model, None, weights)
            if config is not None:
                model = train(model, config, folder, stills, videos, device="cpu", quiet=True)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "score.json").write_text(json.dumps(score_all(model, options, stills)))
        found: dict[str, float] = json.loads((folder / "score.json").read_text())
        return found

    start = result(options.out / "start", None)
    found: dict[str, list[dict[str, float]]] = {}
    for seed in options.seeds:
        for name in options.only:
            folder = options.out / f"{name.replace(' ', '-').replace(',', '')}-{seed}"
            found.setdefault(name, []).append(result(folder, recipe(options, CHANGES[name], seed)))
            print(f"\n{table(start, found)}", flush=True)


if __name__ == "__main__":
    main()
