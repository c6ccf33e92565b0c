"""What a config labels, cut into chunks: the same for a file and for a few images."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset

from mmwsis.formats.coco_file import load_coco, match_classes
from mmwsis.registry import DATASETS

from .artifact import Artifact, LabelSource
from .artifacts import (
    ARTIFACTS,
    artifact_settings,
    build_artifact,
    check_model_makes,
)
from .plan import Chunk, plan_chunks
from .views import check_has_views


@dataclass(frozen=True)
class LabelingTask:
    """What is made, of which dataset, in which chunks.

    Attributes:
        artifact: Says what is labelled and what is kept of it.
        settings: Of :func:`~mmwsis.pseudo_labels.artifacts.artifact_settings`.
        batch_size: Samples in a batch.
        dataset: That of ``pseudo_label_dataloader``; None where nothing is to label.
        chunks: What the network has to label.
    """

    artifact: Artifact
    settings: dict[str, Any]
    batch_size: int
    dataset: BaseDataset | None
    chunks: list[Chunk]


def declared_supervision(dataset: Mapping[str, Any]) -> str | None:
    """Level that a dataset is declared with.

    Args:
        dataset: Its config.

    Returns:
        The level; None where the list of images is all that is read.
    """
    is_unlabelled = str(dataset['type']).endswith('UnlabelledImageDataset')
    return None if is_unlabelled else dataset['supervision']


def plan_task(
    cfg: Config,
    out: Path,
    kind: str | None = None,
    batch_size: int | None = None,
    view: str | None = None,
) -> LabelingTask:
    """Read the weak labels of a config and cut them into chunks.

    Args:
        cfg: Config of a labeler, with ``pseudo_label_dataloader``.
        out: File or folder that will be written.
        kind: Artifact to make. Defaults to None: the config's ``artifact``.
        batch_size: Samples in a batch. Defaults to None: the config's.
        view: View of the images that the config loads, see
            :mod:`mmwsis.pseudo_labels.views`. Defaults to None: the images themselves.

    Returns:
        The task.

    Raises:
        FileNotFoundError: There is no annotation file.
        ValueError: The model cannot make this artifact, it has no views, or the dataset
            hides annotations or images, or the file has tags alone.
    """
    batch_size = batch_size or cfg.pseudo_label_dataloader.get('batch_size', 8)
    settings = artifact_settings(cfg.get('artifact'))
    if kind not in (None, settings['type']):
        settings = artifact_settings(kind)
    check_model_makes(cfg.model, settings['type'])
    if view is not None:
        check_has_views(settings['type'])
    dataset_cfg = cfg.pseudo_label_dataloader.dataset
    path = os.path.join(dataset_cfg.get('data_root') or '', dataset_cfg.ann_file)
    level = declared_supervision(dataset_cfg)
    coco = load_coco(path, level or 'image_tags', need_tags=level is not None)
    source = LabelSource(path, coco)
    listed_in = ARTIFACTS[settings['type']].listed_in
    if not source.coco[listed_in]:
        if listed_in == 'annotations':
            _refuse_tags_alone(source, level)
        # MMEngine cannot build a dataset of nothing.
        artifact = build_artifact(settings, out, source)
        return LabelingTask(artifact, settings, batch_size, None, [])
    dataset = DATASETS.build(dataset_cfg)
    classes = tuple(dataset.metainfo.get('classes', ()))
    ids = match_classes(classes, source.coco['categories'], path)
    stuff = tuple(dataset.metainfo.get('stuff_classes') or ())
    source = replace(
        source, classes=classes, category_ids=tuple(ids), stuff_classes=stuff
    )
    artifact = build_artifact(settings, out, source)
    artifact.view = view
    chunks = plan_chunks(artifact.items(dataset), batch_size)
    return LabelingTask(artifact, settings, batch_size, dataset, chunks)


def _refuse_tags_alone(source: LabelSource, level: str | None) -> None:
    """Refuse a file that says what is in its images, and of nothing where."""
    tagged = [key for key, image in source.images.items() if image.get('tags')]
    if tagged:
        raise ValueError(
            f'{source.path} has tags alone (the first image id with some is '
            f'{tagged[0]!r}), no annotations: nothing says where an object is, and '
            f'supervision={level!r} needs that of every object. Give such labels, or '
            'use a method that starts from tags, such as IRNet.'
        )
