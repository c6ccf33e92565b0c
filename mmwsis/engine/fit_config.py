"""Rewriting a config for another dataset."""

import copy
import math
import operator
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mmengine.config import Config

from .fit_model import fit_model, nested_dicts

# Loaders that go through the training images, and those of the evaluation.
TRAIN_LOADERS = ('train_dataloader', 'pseudo_label_dataloader')
LOADERS = (*TRAIN_LOADERS, 'val_dataloader', 'test_dataloader')
_PANOPTIC_METRICS = (
    'CocoPanopticMetric',
    'PanopticAPMetric',
    'PanopticQualityMetric',
    'SemanticIoUMetric',
)
_RESIZES = ('Resize', 'RandomResize')
_TOOL = re.compile(r'python tools/\S+')


def apply_data_spec(cfg: Config, spec: Mapping[str, Any]) -> Config:
    """Rewrite a shipped or MMDetection config for another dataset.

    Set are: root, label file, image folder and classes of every data loader, wrapped
    datasets too; the label file of the evaluators; every ``num_classes`` and the
    class weights; ``wsis.produces``; ``work_dirs/X`` becomes ``work_dirs/<name>/X``
    everywhere; the scale of resizing transforms, if ``spec`` has
    one, and with it SOLO's ``scale_ranges``, if the config says by a top-level
    ``image_scale=(width, height)`` which scale they were chosen for. LVIS' own dataset
    and metric give way to COCO's. Without ``val`` in ``spec`` the config loses its
    evaluation; one with a top-level ``held_out`` (a classifier's) keeps this share of
    the training images out of training and is evaluated on their tags. A panoptic
    config gets the panoptic files and the stuff classes, too; one whose metrics read
    both kinds of files loses those that ``spec`` has none for.

    Args:
        cfg: Config; is left as it is.
        spec: What :func:`mmwsis.engine.data_spec.load_data_spec` returns.

    Returns:
        A new config with ``spec`` as ``data_spec``.

    Raises:
        ValueError: The config needs masks or panoptic files, and ``spec`` has none.
    """
    root = _old_root(cfg)
    settings = copy.deepcopy(cfg.to_dict())
    labels = _labels_of(settings)
    settings = _map_strings(settings, _string_rule(root, spec))
    wsis = settings.get('wsis') or {}
    parts = nested_dicts(settings.get('model') or {})
    is_panoptic = any(part.get('num_stuff_classes') for part in parts)
    for key in LOADERS:
        for dataset in inner_datasets(settings.get(key)):
            level = _level_of_file(dataset, cfg)
            _fit_dataset(dataset, key, spec, wsis, is_panoptic, level)
    for key in ('val_evaluator', 'test_evaluator'):
        if settings.get(key):
            settings[key] = _fit_evaluators(settings[key], spec)
    stuff = spec.get('stuff_classes') or ()
    fit_model(settings.get('model') or {}, len(spec['classes']), len(stuff), labels)
    if spec.get('image_scale'):
        scale = tuple(spec['image_scale'])
        _fit_scale(settings, scale)
        own = settings.get('image_scale')
        if isinstance(own, (list, tuple)) and len(own) == 2:
            _fit_scale_ranges(settings.get('model'), own, scale)
            settings['image_scale'] = scale
    if spec.get('val') is None and settings.get('held_out'):
        _evaluate_held_out(settings)
    elif spec.get('val') is None:
        _drop_evaluation(settings)
    settings['data_spec'] = copy.deepcopy(dict(spec))
    if 'metainfo' in settings:
        with_stuff = 'stuff_classes' in settings['metainfo']
        settings['metainfo'] = _metainfo(spec, with_stuff)
    return Config(settings, filename=cfg.filename)


def _old_root(cfg: Config) -> str | None:
    """Root of the dataset that a config was written for."""
    spec = cfg.get('data_spec') or next(inner_datasets(cfg.get('train_dataloader')), {})
    root = spec.get('data_root')
    return os.path.normpath(root) if root else None


def inner_datasets(loader: Any) -> Iterator[dict[str, Any]]:
    """Find the datasets of a loader, those inside of wrappers instead of the wrappers.

    Args:
        loader: Config of a data loader, or ``None``.

    Yields:
        Configs of datasets, the loader's own objects.
    """
    waiting = [loader['dataset']] if loader and loader.get('dataset') else []
    while waiting:
        dataset = waiting.pop(0)
        inner = (
            [dataset['dataset']] if 'dataset' in dataset else dataset.get('datasets')
        )
        if inner:
            waiting.extend(inner)
        else:
            yield dataset


def _labels_of(settings: Mapping[str, Any]) -> tuple[int, int] | None:
    """Numbers of things and stuff, where the training images have labels of both."""
    for dataset in inner_datasets(settings.get('train_dataloader')):
        metainfo = dataset.get('metainfo') or {}
        if metainfo.get('stuff_classes'):
            stuff = len(metainfo['stuff_classes'])
            return len(metainfo['classes']) - stuff, stuff
    return None


def _map_strings(value: Any, rule: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _map_strings(entry, rule) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_map_strings(entry, rule) for entry in value)
    return rule(value) if isinstance(value, str) else value


def _string_rule(old_root: str | None, spec: Mapping[str, Any]) -> Callable[[str], str]:
    """How any string of the config changes: work dirs, data root, commands."""
    name, new_root = spec['name'], spec['data_root']
    start = r'(?<![\w/.-])(?:\./)?'
    work_dirs = re.compile(start + r'work_dirs/')
    root = re.compile(start + re.escape(old_root) + r'(?=/|\s|$)') if old_root else None
    option = f' --dataset {shlex.quote(str(spec["file"]))}' if spec.get('file') else ''

    def rule(text: str) -> str:
        if '://' in text:
            return text
        text = work_dirs.sub(lambda _: f'work_dirs/{name}/', text)
        if root is not None:
            text = root.sub(lambda _: new_root, text)
        return text + option if option and _TOOL.match(text) else text

    return rule


def _fit_dataset(
    dataset: dict[str, Any],
    loader: str,
    spec: Mapping[str, Any],
    wsis: Mapping[str, Any],
    panoptic_model: bool,
    level: str | None,
) -> None:
    kind = str(dataset.get('type', '')).rpartition('.')[2]
    of_train = loader in TRAIN_LOADERS
    part = spec['train'] if of_train else spec.get('val')
    if part is None:
        return
    prefix = dict(img=part['img'])
    is_panoptic = kind == 'CocoPanopticDataset'
    if is_panoptic:
        dataset['ann_file'], prefix['seg'] = _panoptic_files(dataset, part, spec)
    elif of_train:
        dataset['ann_file'] = _training_file(dataset, kind, level, spec, wsis)
    elif part['ann_file'] is None:
        raise _lacks_masks(spec)
    else:
        dataset['ann_file'] = part['ann_file']
    dataset['data_root'] = os.path.join(spec['data_root'], '')
    if kind != 'UnlabelledImageDataset':
        # At every level, a dataset whose classes include stuff keeps its stuff tags.
        with_stuff = (
            is_panoptic
            or 'stuff_classes' in (dataset.get('metainfo') or {})
            or (panoptic_model and kind == 'CocoWeakDataset')
        )
        dataset['metainfo'] = _metainfo(spec, with_stuff)
    dataset['data_prefix'] = prefix
    if kind.startswith('LVIS'):
        dataset['type'] = 'CocoDataset'


def _level_of_file(dataset: Mapping[str, Any], cfg: Config) -> str | None:
    """Level whose label file a dataset reads: its own, or a stronger one's."""
    train = (cfg.get('data_spec') or {}).get('train') or {}
    files = {file: level for level, file in (train.get('weak') or {}).items()}
    return files.get(dataset.get('ann_file'), dataset.get('supervision'))


def _metainfo(spec: Mapping[str, Any], with_stuff: bool) -> dict[str, Any]:
    things, stuff = tuple(spec['classes']), tuple(spec.get('stuff_classes') or ())
    metainfo: dict[str, Any] = dict(classes=things)
    if with_stuff:
        metainfo = dict(
            classes=(*things, *stuff), thing_classes=things, stuff_classes=stuff
        )
    if spec.get('palette'):
        metainfo['palette'] = spec['palette'][: len(metainfo['classes'])]
    return metainfo


def _panoptic_files(
    dataset: Mapping[str, Any], part: Mapping[str, Any], spec: Mapping[str, Any]
) -> tuple[str, str]:
    """JSON and folder of PNGs of a panoptic dataset."""
    ann_file = str(dataset.get('ann_file', ''))
    if ann_file.startswith('pseudo_labels/'):
        return ann_file, dataset['data_prefix']['seg']
    files = part.get('panoptic')
    if files is None:
        raise _lacks_panoptic(spec, 'train' if part is spec['train'] else 'val')
    return files['ann_file'], files['seg']


def _lacks_panoptic(spec: Mapping[str, Any], part: str) -> ValueError:
    return ValueError(
        f'{spec.get("file", "the dataset")}: this config reads panoptic files, but '
        f'data_spec.{part}.panoptic is missing. Write panoptic=dict(ann_file=..., '
        'seg=...): the JSON and the folder of its PNGs.'
    )


def _lacks_masks(spec: Mapping[str, Any]) -> ValueError:
    return ValueError(
        f'{spec.get("file", "the dataset")}: this config measures masks of instances, '
        'but data_spec.val.ann_file is None; coco2weak.py --level masks makes that '
        'file of a panoptic one.'
    )


def _training_file(
    dataset: Mapping[str, Any],
    kind: str,
    level: str | None,
    spec: Mapping[str, Any],
    wsis: Mapping[str, Any],
) -> str:
    train = spec['train']
    if kind == 'UnlabelledImageDataset':
        # Only the list of images is read, so any file with them will do.
        weak = train['weak'].values()
        there = [f for f in weak if os.path.isfile(os.path.join(spec['data_root'], f))]
        panoptic = train.get('panoptic') or {}
        return train['ann_file'] or panoptic.get('ann_file') or there[0]
    if level not in (None, 'masks'):
        return train['weak'][level]
    is_trained_on = level is None and (wsis.get('labeler') or wsis.get('labels'))
    named = str(dataset.get('ann_file'))
    is_refined = wsis.get('stage') == 'labeler' and named.startswith('pseudo_labels/')
    if is_trained_on or is_refined:
        return named  # pseudo labels, relative to the root
    if train['ann_file'] is None:
        raise ValueError(
            f'{spec.get("file", "the dataset")}: this config trains on masks, but '
            'data_spec.train.ann_file is None. Use a config of configs/exits or '
            'configs/mal, or add the file with the masks (coco2weak.py --level masks '
            'makes it of a panoptic one).'
        )
    return train['ann_file']


def _fit_evaluators(given: Any, spec: Mapping[str, Any]) -> Any:
    """One evaluator or a list; those that the dataset has no file for are left out."""
    listed = given if isinstance(given, (list, tuple)) else [given]
    fitted = [item for item in listed if _fit_evaluator(item, spec)]
    if not fitted:
        no_masks = spec['val']['ann_file'] is None
        raise _lacks_masks(spec) if no_masks else _lacks_panoptic(spec, 'val')
    return fitted if isinstance(given, (list, tuple)) else fitted[0]


def _fit_evaluator(evaluator: dict[str, Any], spec: Mapping[str, Any]) -> bool:
    """Whether the dataset has the file that the evaluator reads."""
    kind = str(evaluator.get('type', '')).rpartition('.')[2]
    if kind == 'LVISMetric':
        evaluator['type'] = 'CocoMetric'
    if 'ann_file' not in evaluator or spec.get('val') is None:
        return True
    part = spec['val']
    if kind in _PANOPTIC_METRICS:
        part = part['panoptic']
        if part is None:
            return False
        evaluator['seg_prefix'] = os.path.join(spec['data_root'], part['seg'])
    if part['ann_file'] is None:
        return False
    evaluator['ann_file'] = os.path.join(spec['data_root'], part['ann_file'])
    return True


def _fit_scale(settings: dict[str, Any], scale: tuple[int, int]) -> None:
    pipelines = [settings.get(key) for key in ('train_pipeline', 'test_pipeline')]
    for key in LOADERS:
        pipelines += [
            inner.get('pipeline') for inner in inner_datasets(settings.get(key))
        ]
    for transform in (step for pipeline in pipelines for step in pipeline or []):
        kind = str(transform.get('type', '')).rpartition('.')[2]
        if kind in _RESIZES and 'scale' in transform:
            given = transform['scale']
            # RandomResize draws between two sizes, or scales one.
            is_range = isinstance(given, (list, tuple)) and isinstance(
                given[0], (list, tuple)
            )
            transform['scale'] = _scaled_choices(given, scale) if is_range else scale
        elif kind == 'RandomChoiceResize':
            transform['scales'] = _scaled_choices(transform['scales'], scale)
        elif kind == 'RandomCrop' and transform.get('crop_type') == 'absolute':
            transform['crop_size'] = scale
    preprocessor = (settings.get('model') or {}).get('data_preprocessor') or {}
    for augment in preprocessor.get('batch_augments') or []:
        if augment.get('type') == 'BatchFixedSizePad':
            augment['size'] = scale[::-1]  # height, width


def _scaled_choices(
    choices: list[tuple[int, int]], scale: tuple[int, int]
) -> list[tuple[int, int]]:
    """Keep the choice of short and long sides, relative to the largest ones."""
    short, long = max(map(min, choices)), max(map(max, choices))
    fitted = []
    for choice in choices:
        ratios = [min(choice) / short, max(choice) / long]
        if scale[0] > scale[1]:
            ratios.reverse()
        fitted.append(tuple(map(round, map(operator.mul, scale, ratios))))
    return fitted


def _fit_scale_ranges(
    model: Any, before: tuple[int, int], after: tuple[int, int]
) -> None:
    """Let SOLO's ranges of sqrt(w * h), in pixels, grow with the image.

    SOLO's grids follow the image by themselves. Anchors stay too: an object between or
    beyond them still gets the nearest, one of another range goes to the wrong level.
    """
    ratio = math.sqrt(math.prod(after) / math.prod(before))
    for part in nested_dicts(model):
        if part.get('scale_ranges'):
            ranges = part['scale_ranges']
            bounds = [[round(low * ratio), round(high * ratio)] for low, high in ranges]
            # The last bound is there to let every larger object in: it never shrinks.
            bounds[-1][1] = max(ranges[-1][1], bounds[-1][1])
            part['scale_ranges'] = tuple(tuple(pair) for pair in bounds)


def _drop_evaluation(settings: dict[str, Any]) -> None:
    for split in ('val', 'test'):
        for key in (f'{split}_dataloader', f'{split}_evaluator', f'{split}_cfg'):
            settings[key] = None


def _evaluate_held_out(settings: dict[str, Any]) -> None:
    """Measure a classifier on training images that it does not see.

    Only metrics that read no file are left: those of tags.
    """
    share = settings['held_out']
    training = settings['train_dataloader']['dataset']
    training['held_out'] = share
    for split in ('val', 'test'):
        loader = settings[f'{split}_dataloader']
        pipeline = loader['dataset']['pipeline']
        loader['dataset'] = copy.deepcopy(
            dict(training, only_held_out=True, test_mode=True, pipeline=pipeline)
        )
        given = settings[f'{split}_evaluator']
        listed = given if isinstance(given, (list, tuple)) else [given]
        settings[f'{split}_evaluator'] = [
            one for one in listed if 'ann_file' not in one
        ]
