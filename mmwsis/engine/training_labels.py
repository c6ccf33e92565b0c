"""``--labels``: a final model on the masks of any file."""

import os
from pathlib import Path

from mmengine.config import Config

from mmwsis.formats.provenance import read_provenance

from .fit_config import inner_datasets

# What a run keeps of the file's `info.mmwsis`.
_KEPT = ('method', 'supervision', 'config', 'checkpoint', 'checkpoint_sha256', 'date')


def name_labels(cfg: Config, labels: str | os.PathLike) -> None:
    """Say in ``wsis`` which masks a final model is trained on, in place.

    Args:
        cfg: Config of a final model; its own labeler, if it names one, is forgotten.
        labels: COCO file with masks.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The config trains on something else than masks of instances.
    """
    path = Path(labels)
    if not path.is_file():
        raise FileNotFoundError(
            f'--labels: {path} does not exist (looked in {Path.cwd()}). Pseudo labels '
            'are made by tools/generate_pseudo_labels.py with a labeler of '
            'configs/exits, configs/mal or configs/irnet.'
        )
    datasets = list(inner_datasets(cfg.get('train_dataloader')))
    wsis = cfg.get('wsis') or {}
    name = cfg.filename or 'this config'
    stage = wsis.get('stage', 'final_model')
    if stage != 'final_model':
        raise ValueError(
            '--labels gives a final model the masks to train on, but the stage of '
            f'{name} is {stage!r}. Final models are in configs/final_models; any '
            'instance segmentation config of MMDetection will do, too.'
        )
    if len(datasets) != 1:
        raise ValueError(
            f'--labels replaces the one training dataset of a config; {name} has '
            f'{len(datasets)}. Set the annotation files with --cfg-options.'
        )
    made = read_provenance(path) or {}
    kept = {key: made[key] for key in _KEPT if made.get(key) is not None}
    # Absolute, so that a change of the dataset's root leaves it alone.
    cfg.wsis = dict(stage='final_model', labels=os.path.abspath(path), **kept)


def use_labels(cfg: Config, labels: str | os.PathLike) -> None:
    """Let the training dataset read the file, in place.

    Args:
        cfg: Config after :func:`name_labels`, fitted to its dataset.
        labels: The same file.
    """
    (dataset,) = inner_datasets(cfg.train_dataloader)
    root = os.path.abspath(dataset.get('data_root') or '')
    path = os.path.abspath(labels)
    inside = os.path.commonpath([root, path]) == root
    # Relative to its root, where that is possible.
    dataset.ann_file = os.path.relpath(path, root) if inside else path
    cfg.wsis.labels = str(labels)
