"""Labelers in Python, three lines for what a tool does with files."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset

from mmwsis.utils.fileio import atomic_write_json

from .earlier import check_earlier, read_by, use_earlier
from .given_images import GivenImage, LoadGivenImage, check_images
from .results import LabelResult, read_results
from .weak_labels import coco_of_labels, expected_labels

BUILT_IN_PROPOSALS = 'mmwsis::proposals/built-in_coco.py'


class LabelInferencer:
    """Any labeler or end-to-end model of the project, as a function of images.

    What MMDetection's ``DetInferencer`` is for detectors: it takes images and the weak
    labels of the config's level, and gives the pseudo labels as arrays. Data pipeline,
    batches and results are those of ``tools/generate_pseudo_labels.py`` on the same
    images, to the byte.

    Args:
        config: Path, ``'mmwsis::METHOD/FILE.py'`` for a shipped one, or a loaded
            config, with ``pseudo_label_dataloader``.
        checkpoint: Checkpoint of ``tools/train.py``. Defaults to None, for a model
            without weights.
        device: Such as 'cpu' or 'cuda:1'. Defaults to None: CUDA where there is some.
        cfg_options: Overrides of the config, dotted keys. Defaults to None.
        dataset: Data specification that the config is fitted to, as ``--dataset`` of
            the tools. Defaults to None: the config's own.

    Attributes:
        model: The model in evaluation mode.
        classes: Class names: those that the checkpoint was trained with, if it says so,
            else those of the config.
        takes: Kind of labels: 'tags', 'points', 'boxes' or 'extreme_points'; None if it
            takes images alone.
        reads: What it needs of earlier stages, keys of ``earlier``.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: The config makes no pseudo labels, or the checkpoint does not fit.

    Example::

        from mmwsis.apis import LabelInferencer
        labeler = LabelInferencer('mmwsis::mal/labeler_vit-b_coco.py', 'epoch_10.pth')
        results = labeler(['a.jpg'], boxes=[[[20, 30, 180, 90]]], labels=[['dog']])
        results[0].masks  # (1, H, W), bool
    """

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike | None = None,
        device: str | None = None,
        cfg_options: Mapping[str, Any] | None = None,
        dataset: str | os.PathLike | None = None,
    ) -> None:
        from mmengine.registry import init_default_scope

        from mmwsis.engine.data_spec import apply_data_spec, load_data_spec
        from mmwsis.engine.image_loaders import check_loaded_images
        from mmwsis.engine.run_config import load_run_config, merge_options
        from mmwsis.pseudo_labels.labeling import load_labeler, move_labeler

        if isinstance(config, Config):
            cfg = deepcopy(config)
            if dataset is not None:
                cfg = apply_data_spec(cfg, load_data_spec(str(dataset)))
            merge_options(cfg, cfg_options or {})
        else:
            cfg = load_run_config(config, cfg_options, dataset)
        if cfg.get('pseudo_label_dataloader') is None:
            raise ValueError(
                f'{cfg.filename or "this config"} makes no pseudo labels: it has no '
                'pseudo_label_dataloader. Final models are predicted with by '
                'mmdet.apis.DetInferencer.'
            )
        check_loaded_images(cfg, ('pseudo_label',))
        init_default_scope(cfg.get('default_scope', 'mmdet'))
        self.cfg = cfg
        data = cfg.pseudo_label_dataloader.dataset
        self.expected = expected_labels(data)
        self.classes, self.stuff_classes = _class_names(data, checkpoint)
        self.takes = self.expected.kind
        self.reads = tuple(one.name for one in read_by(data.pipeline).values())
        self.model = load_labeler(cfg.model, checkpoint, 'cpu')
        self.model = move_labeler(self.model, device)

    def __call__(
        self,
        images: Sequence[Any],
        *,
        tags: Sequence[Sequence[str | int]] | None = None,
        points: Sequence[Any] | None = None,
        boxes: Sequence[Any] | None = None,
        extreme_points: Sequence[Any] | None = None,
        labels: Sequence[Sequence[str | int]] | None = None,
        earlier: Mapping[str, Sequence[Any]] | None = None,
        artifact: str | None = None,
        batch_size: int | None = None,
        rle: bool = False,
    ) -> list[LabelResult]:
        """Label images.

        Every argument but the last three is a list with one entry for each image, an
        empty one where an image has nothing. Coordinates are pixels of the upright
        image.

        Args:
            images: Paths, or uint8 arrays ``(H, W, 3)``, BGR as ``mmcv.imread`` gives
                them.
            tags: Names or indices of the classes in each image.
            points: ``(N, 2)`` of each image: x, y.
            boxes: ``(N, 4)`` of each image: x0, y0, x1, y1.
            extreme_points: ``(N, 4, 2)`` of each image: top, left, bottom, right.
            labels: Names or indices of the N classes of each image's objects. Labelers
                of object crops (EXITS, MAL) do not need them.
            earlier: What earlier stages made of the images, as far as the config's
                pipeline reads it: results of another ``LabelInferencer`` under the name
                of their artifact: 'class_maps', 'semantic_maps', 'box_maps', 'points',
                'detections' or 'proposals'. Detections may be dictionaries of
                ``bboxes``, ``labels`` and ``scores``, as ``DetInferencer`` predicts
                them. Without proposals the built-in ones are made.
            artifact: Kind to make. Defaults to None: the config's.
            batch_size: Samples (objects, of several images, for labelers of crops) in
                a batch. Defaults to None: the config's.
            rle: Give masks as compressed RLE. Defaults to False: bool arrays.

        Returns:
            One result for each image.

        Raises:
            FileNotFoundError: An image does not exist.
            ValueError: Other kinds of labels than the model takes, or labels that do
                not fit; the message names the image and the object by their places.
        """
        from mmengine.registry import init_default_scope

        found = check_images(images)
        if not found:
            return []
        given = dict(
            tags=tags, points=points, boxes=boxes, extreme_points=extreme_points
        )
        classes = self.classes or ('object',)
        coco = coco_of_labels(
            found, given, labels, self.expected, classes, self.stuff_classes
        )
        wanted = read_by(self.cfg.pseudo_label_dataloader.dataset.pipeline).values()
        results = check_earlier([*wanted], earlier or {}, len(found))
        if 'proposals' in self.reads and 'proposals' not in results:
            made = LabelInferencer(BUILT_IN_PROPOSALS)(images, rle=True)
            results['proposals'] = [vars(one) for one in made]
        init_default_scope(self.cfg.get('default_scope', 'mmdet'))
        with tempfile.TemporaryDirectory(prefix='mmwsis_') as folder:
            cfg = self._config_of(coco, results, Path(folder))
            answer = self._label(cfg, found, Path(folder), artifact, batch_size, rle)
        if labels is None and not self.expected.needs_classes and len(classes) > 1:
            for result in answer:
                result.labels = None  # nobody said
        return answer

    def dataset(self, loader: str = 'pseudo_label_dataloader') -> BaseDataset:
        """Build a dataset of the config, such as the one that it labels.

        Args:
            loader: Name of its data loader. Defaults to 'pseudo_label_dataloader'.

        Returns:
            The dataset, whose samples the model takes.
        """
        from mmengine.registry import init_default_scope

        from mmwsis.registry import DATASETS

        init_default_scope(self.cfg.get('default_scope', 'mmdet'))
        return DATASETS.build(self.cfg[loader].dataset)

    def _config_of(
        self,
        coco: Mapping[str, Any],
        earlier: Mapping[str, Sequence[Mapping[str, Any]]],
        folder: Path,
    ) -> Config:
        """The config, with the images and labels of a call as its dataset."""
        kept = {key: self.cfg.get(key) for key in ('model', 'artifact')}
        loader = deepcopy(self.cfg.pseudo_label_dataloader.to_dict())
        loader.update(num_workers=0)
        data = loader['dataset']
        for key in ('indices', 'held_out', 'only_held_out', 'backend_args'):
            data.pop(key, None)
        atomic_write_json(folder / 'labels.json', coco)
        data.update(
            ann_file=str(folder / 'labels.json'),
            data_root='',
            data_prefix=dict(img=''),
            test_mode=True,
            serialize_data=False,
        )
        if self.classes:
            data['metainfo'] = {**data.get('metainfo', {}), 'classes': self.classes}
        use_earlier(data['pipeline'], earlier, coco, folder)
        return Config(dict(**kept, pseudo_label_dataloader=loader))

    def _label(
        self,
        cfg: Config,
        images: Sequence[GivenImage],
        folder: Path,
        artifact: str | None,
        batch_size: int | None,
        rle: bool,
    ) -> list[LabelResult]:
        from mmwsis.pseudo_labels.labeling import label_dataset
        from mmwsis.pseudo_labels.task import plan_task

        task = plan_task(cfg, folder / 'made.json', artifact, batch_size)
        kept = _Records()
        if task.dataset is not None:
            steps = task.dataset.pipeline.transforms
            steps[0] = LoadGivenImage(images, steps[0])
            label_dataset(
                *(self.model, task.dataset, task.chunks, task.artifact, kept),
                *(lambda count: None, task.batch_size, cfg.pseudo_label_dataloader),
            )
        return read_results(task.artifact, kept.by_id, images, self.classes, rle)


class _Records:
    """Keeps what is made of every item in memory."""

    def __init__(self) -> None:
        self.by_id: dict[Any, Mapping[str, Any]] = {}

    def write(self, chunk: int, records: Sequence[Mapping[str, Any]]) -> None:
        self.by_id.update((record['id'], record) for record in records)


def _class_names(
    data: Mapping[str, Any], checkpoint: str | os.PathLike | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Classes, and those of stuff, of a dataset or of a checkpoint's training."""
    from mmwsis.pseudo_labels.labeling import checkpoint_meta
    from mmwsis.registry import DATASETS

    defaults = getattr(DATASETS.get(data['type']), 'METAINFO', {})
    own = {**defaults, **(data.get('metainfo') or {})}
    trained = checkpoint_meta(checkpoint).get('dataset_meta') or {}
    classes, stuff = (tuple(own.get(key) or ()) for key in ('classes', 'stuff_classes'))
    known = tuple(trained.get('classes') or ())
    # A labeler of crops knows no classes: any number of them fits its weights.
    is_free = not expected_labels(data).needs_classes
    if known and (is_free or len(known) == len(classes)):
        return known, tuple(trained.get('stuff_classes') or stuff)
    return classes, stuff
