"""A head start: a network that somebody has trained on other photos, with only its last layer learnt here.

The network is torchvision's ResNet-18, trained on ImageNet (1.3 million photos of a thousand kinds of things). Its
weights are never downloaded: computing nodes have no internet. Whoever runs the machine puts the file of

    https://download.pytorch.org/models/resnet18-f37072fd.pth

into a folder that all can read: one that MANDRILL_WEIGHTS names (the folder, or the file itself), or beside the photos,
in MANDRILL_DATA/weights, or torch hub's own, TORCH_HOME/hub/checkpoints.
"""

import os
import pickle
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from . import faces as database
from .baselines import ridge
from .dataset import Batches

VARIABLE = "MANDRILL_WEIGHTS"
FILE = "resnet18-f37072fd.pth"  # the name that torchvision gives to ResNet18_Weights.IMAGENET1K_V1
# Pixels a side. It was made for 224, which takes 2 CPUs minutes; 64 is what the course's own network sees.
SIZES = {"cuda": 224, "cpu": 64}
# Mean and spread of the colours that it was trained on (torchvision, ResNet18_Weights.transforms).
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class WeightsError(Exception):
    """The weights can't be used; the message names the file and the next step."""


def find() -> tuple[Path | None, str]:
    """(the file of the weights, which it is in words), or (None, where they were looked for)."""
    places = []
    if os.environ.get(VARIABLE):
        given = Path(os.environ[VARIABLE]).expanduser()
        places.append(given / FILE if given.is_dir() else given)
    if os.environ.get(database.VARIABLE):
        places.append(Path(os.environ[database.VARIABLE]).expanduser() / "weights" / FILE)
    places.append(Path(torch.hub.get_dir()) / "checkpoints" / FILE)
    for path in places:
        if path.is_file():
            return path, f"Pretrained: ResNet-18, its weights read from {path}"
    looked = "".join(f"\n  no {path}" for path in places)
    return None, f"From scratch only: there are no pretrained weights on this machine, and none are downloaded.{looked}"


def load(path: Path, device="cpu") -> torch.nn.Module:
    """The network without its last layer: float32 photos (n, 3, side, side) in 0 to 1 become (n, 512). It is frozen.

    WeightsError unless the file holds the weights of a ResNet-18; its last layer may be any, or missing.
    """
    from torchvision.models import resnet18  # here: it costs a second and 100 MB, only where there are weights

    network = resnet18(weights=None)
    network.fc = torch.nn.Identity()
    try:
        # weights_only: a file of weights can't run code.
        weights = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict({name: value for name, value in weights.items() if not name.startswith("fc.")})
    except (OSError, EOFError, RuntimeError, AttributeError, pickle.UnpicklingError) as error:
        why = " ".join(str(error).split())[:150] or type(error).__name__
        raise WeightsError(f"{path} does not hold the weights of a ResNet-18 ({why}). "
                           f"Tell an instructor: expected {FILE} of torchvision.") from None
    # Colours last is how a CPU convolves fastest: half as long again otherwise.
    return network.eval().requires_grad_(False).to(device, memory_format=torch.channels_last)


def features(network: torch.nn.Module, faces: pd.DataFrame, size: int, batch: int = 64,
             seconds: float = float("inf")) -> np.ndarray:
    """What the network sees in each photo: float64 of shape (photos, 512), batch by batch, with a progress bar.

    It ends after the batch that goes beyond `seconds`: the last photos are then missing.
    """
    device = next(network.parameters()).device
    mean, spread = (torch.tensor(values, device=device)[:, None, None] for values in (_MEAN, _SPREAD))
    seen, end = [], time.monotonic() + seconds
    # Text, not a widget: a notebook that is opened again still shows it. Not on stderr, which costs a graded cell.
    with tqdm(total=len(faces), desc="looking at photos", unit="photo", file=sys.stdout, ncols=90) as bar:
        for pictures, _ in Batches(faces, size=size, batch=batch, device=device):
            pictures = ((pictures - mean) / spread).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode():
                seen.append(network(pictures).cpu().double().numpy())
            bar.update(len(pictures))
            if time.monotonic() > end:
                break
    return np.concatenate(seen)


def predict(path: Path, train: pd.DataFrame, test: pd.DataFrame, device="cpu", penalty: float = 10.0,
            seconds: float = 25) -> tuple[np.ndarray, int]:
    """(ages of `test` in years, photos learnt from): a weighted sum of what the frozen network sees.

    `path` holds the network's weights (see `find` and `load`). Those of the sum are learnt from `train`: all of it, or
    on a busy machine as many photos, drawn at random, as `seconds` allow. `penalty` keeps them small.
    """
    network, size = load(path, device), SIZES[torch.device(device).type]
    new = features(network, test, size)
    shuffled = train.sample(frac=1, random_state=0)
    seen = features(network, shuffled, size, seconds=seconds)
    return ridge(seen, shuffled["age_years"].to_numpy()[:len(seen)], new, penalty), len(seen)
