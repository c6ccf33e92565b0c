"""MMDetection's image loader, exchanged for the one that checks what it loads."""

from collections.abc import Sequence
from copy import deepcopy

from mmengine.config import Config

from .fit_config import inner_datasets

_TYPES = {'LoadImageFromFile', 'mmdet.LoadImageFromFile', 'mmcv.LoadImageFromFile'}


def check_loaded_images(cfg: Config, splits: Sequence[str]) -> None:
    """Let data loaders stop at images that do not fit their labels, in place.

    MMDetection trains on an image of any size, whatever the label file says. Pixels
    are the same with :class:`mmwsis.datasets.transforms.LoadCheckedImage`.

    Args:
        cfg: Config of a run.
        splits: Which data loaders to change. Training leaves ``test`` alone, so that
            MMDetection's tools find their own loader in the config that it saves.
    """
    for split in splits:
        key = f'{split}_dataloader'
        if not cfg.get(key):
            continue
        cfg[key] = deepcopy(cfg[key])  # val and test may be the same object
        for dataset in inner_datasets(cfg[key]):
            for step in dataset.get('pipeline') or ():
                if step.get('type') in _TYPES:
                    step['type'] = 'mmwsis.LoadCheckedImage'
