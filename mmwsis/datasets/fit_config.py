"""Rewriting a config for another data set."""

import copy
import math
import os
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mmengine.config import Config

# Loaders that go through the training images, and those of the evaluation.
TRAIN_LOADERS = ('train_dataloader', 'pseudo_label_dataloader')
LOADERS = (*TRAIN_LOADERS, 'val_dataloader', 'test_dataloader')
# Parts of a model that count something else than the classes of the data set.
_OTHER_COUNTS = ('backbone', 'encoder', 'semantic_head', 'similarity_extractor')
_RESIZES = ('Resize', 'RandomResize')
_TOOL = re.compile(r'python tools/\S+')


def apply_data_spec(cfg: Config, spec: Mapping[str, Any]) -> Config:
    """Rewrite a shipped or MMDetection config for another data set.

    Set are: root, label file, image folder and classes of every data loader, wrapped
    data sets too; the label file of the evaluators; every ``num_classes`` and the
    class weights; ``wsis.requires`` and ``wsis.produces``; ``work_dirs/X`` becomes
    ``work_dirs/<name>/X`` everywhere; the scale of resizing transforms, if ``spec`` has
    one, and with it SOLO's ``scale_ranges``, if the config says by a top-level
    ``image_scale=(width, height)`` which scale they were chosen for. LVIS' own data set
    and metric give way to COCO's. Without ``val`` in ``spec`` the config loses its
    evaluation.

    Args:
        cfg: Config; is left as it is.
        spec: What :func:`mmwsis.datasets.data_spec.load_data_spec` returns.

    Returns:
        A new config with ``spec`` as ``data_spec``.

    Raises:
        ValueError: The config needs masks of the training images and ``spec`` has
            none, or it is a panoptic one.
    """
    old = _old_paths(cfg)
    settings = copy.deepcopy(cfg.to_dict())
    settings = _map_strings(settings, _string_rule(old, spec))
    method = (settings.get('wsis') or {}).get('method')
    for key in LOADERS:
        for dataset in _inner_datasets(settings.get(key)):
            _fit_dataset(dataset, key, spec, method)
    for key in ('val_evaluator', 'test_evaluator'):
        evaluators = settings.get(key) or []
        for item in evaluators if isinstance(evaluators, list) else [evaluators]:
            _fit_evaluator(item, spec)
    if 'wsis' in settings:
        _fit_requirements(settings['wsis'], old, spec)
    _fit_model(settings.get('model') or {}, len(spec['classes']))
    if spec.get('image_scale'):
        scale = tuple(spec['image_scale'])
        _fit_scale(settings, scale)
        own = settings.get('image_scale')
        if isinstance(own, (list, tuple)) and len(own) == 2:
            _fit_scale_ranges(settings.get('model'), own, scale)
            settings['image_scale'] = scale
    if spec.get('val') is None:
        _drop_evaluation(settings)
    settings['data_spec'] = copy.deepcopy(dict(spec))
    if 'metainfo' in settings:
        settings['metainfo'] = dict(classes=tuple(spec['classes']))
    return Config(settings, filename=cfg.filename)


def _old_paths(cfg: Config) -> dict[str, Any]:
    """Root and weak label files of the data set that a config was written for."""
    spec = cfg.get('data_spec')
    if spec:
        root = os.path.normpath(spec['data_root'])
        weak = spec['train'].get('weak') or {}
        return dict(
            root=root, weak={os.path.join(root, weak[level]): level for level in weak}
        )
    first = next(_inner_datasets(cfg.get('train_dataloader')), {})
    root = first.get('data_root')
    return dict(root=os.path.normpath(root) if root else None, weak={})


def _inner_datasets(loader: Any) -> Iterator[dict[str, Any]]:
    """Data sets of a loader, those inside of wrappers instead of the wrappers."""
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


def _map_strings(value: Any, rule: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _map_strings(entry, rule) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_map_strings(entry, rule) for entry in value)
    return rule(value) if isinstance(value, str) else value


def _string_rule(
    old: Mapping[str, Any], spec: Mapping[str, Any]
) -> Callable[[str], str]:
    """How any string of the config changes: work dirs, data root, commands."""
    name, new_root = spec['name'], spec['data_root']
    start = r'(?<![\w/.-])(?:\./)?'
    work_dirs = re.compile(start + r'work_dirs/')
    root = (
        re.compile(start + re.escape(old['root']) + r'(?=/|\s|$)')
        if old['root']
        else None
    )
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
    dataset: dict[str, Any], loader: str, spec: Mapping[str, Any], method: str | None
) -> None:
    kind = str(dataset.get('type', '')).rpartition('.')[2]
    level = dataset.get('supervision')
    of_train = loader in TRAIN_LOADERS
    part = spec['train'] if of_train else spec.get('val')
    if part is None:
        return
    ann_file = part['ann_file']
    if of_train:
        ann_file = _training_file(dataset, kind, level, spec, method)
    dataset['ann_file'] = ann_file
    dataset['data_root'] = os.path.join(spec['data_root'], '')
    dataset['data_prefix'] = dict(img=part['img'])
    if kind != 'UnlabelledImageDataset':
        dataset['metainfo'] = dict(classes=tuple(spec['classes']))
    if kind.startswith('LVIS'):
        dataset['type'] = 'CocoDataset'


def _training_file(
    dataset: Mapping[str, Any],
    kind: str,
    level: str | None,
    spec: Mapping[str, Any],
    method: str | None,
) -> str:
    train = spec['train']
    if kind == 'UnlabelledImageDataset':
        # Only the list of images is read, so any file with them will do.
        weak = train['weak'].values()
        there = [f for f in weak if os.path.isfile(os.path.join(spec['data_root'], f))]
        return train['ann_file'] or there[0]
    if level not in (None, 'masks'):
        return train['weak'][level]
    pseudo = str(dataset.get('ann_file', ''))
    if method not in (None, 'FULL') and level is None:
        return pseudo if pseudo.startswith('pseudo_labels/') else _pseudo_file(method)
    if train['ann_file'] is None:
        raise ValueError(
            f'{spec.get("file", "the data set")}: this config trains on masks, but '
            'data_spec.train.ann_file is None. Use a config of configs/exits or '
            'configs/mal, or add the file with the masks.'
        )
    return train['ann_file']


def _pseudo_file(method: str) -> str:
    return f'pseudo_labels/{method.lower()}.json'


def _fit_evaluator(evaluator: dict[str, Any], spec: Mapping[str, Any]) -> None:
    if str(evaluator.get('type', '')).rpartition('.')[2] == 'LVISMetric':
        evaluator['type'] = 'CocoMetric'
    if 'ann_file' in evaluator and spec.get('val') is not None:
        evaluator['ann_file'] = os.path.join(spec['data_root'], spec['val']['ann_file'])


def _fit_requirements(
    wsis: dict[str, Any], old: Mapping[str, Any], spec: Mapping[str, Any]
) -> None:
    """Weak label files come from the user's masks, or have to be drawn."""
    root = spec['data_root']
    levels = {
        os.path.join(root, os.path.relpath(path, old['root'])): level
        for path, level in old['weak'].items()
    }
    train = spec['train']
    for item in wsis.get('requires') or []:
        level = levels.get(os.path.normpath(item['path']))
        if level is None:
            continue
        item['path'] = os.path.join(root, train['weak'][level])
        if train['ann_file'] is None:
            item['command'] = (
                f'an annotation tool: it is data_spec.train.weak.{level} of '
                f'{spec.get("file", "the data set file")}'
            )
        else:
            source = os.path.join(root, train['ann_file'])
            item['command'] = shlex.join(
                ['python', 'tools/dataset_converters/coco2weak.py', source]
                + ['--level', level, '--out', item['path']]
            )


def _fit_model(node: Any, num_classes: int) -> None:
    """Set every number of classes, and class weights of that many entries."""
    if isinstance(node, (list, tuple)):
        for entry in node:
            _fit_model(entry, num_classes)
    if not isinstance(node, dict):
        return
    if node.get('num_stuff_classes'):
        raise ValueError(
            'a data set file describes instances; a panoptic config '
            f'(num_stuff_classes={node["num_stuff_classes"]}) cannot be fitted to it.'
        )
    for key in ('num_classes', 'num_things_classes'):
        if isinstance(node.get(key), int):
            _fit_class_weights(node, node[key], num_classes)
            node[key] = num_classes
    for key, entry in node.items():
        if key not in _OTHER_COUNTS:
            _fit_model(entry, num_classes)


def _fit_class_weights(head: dict[str, Any], before: int, after: int) -> None:
    for loss in head.values():
        if not isinstance(loss, dict):
            continue
        weights = loss.get('class_weight')
        if isinstance(weights, (list, tuple)) and len(weights) in (before, before + 1):
            # Per-class weights of another data set mean nothing; background's stays.
            mean = sum(weights[:before]) / before
            loss['class_weight'] = [mean] * after + list(weights[before:])


def _fit_scale(settings: dict[str, Any], scale: tuple[int, int]) -> None:
    pipelines = [settings.get(key) for key in ('train_pipeline', 'test_pipeline')]
    for key in LOADERS:
        pipelines += [
            inner.get('pipeline') for inner in _inner_datasets(settings.get(key))
        ]
    for transform in (step for pipeline in pipelines for step in pipeline or []):
        kind = str(transform.get('type', '')).rpartition('.')[2]
        if kind in _RESIZES and 'scale' in transform:
            transform['scale'] = scale
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
    """Keep the choice of short sides, relative to the largest one."""
    largest = max(min(choice) for choice in choices)
    short = scale.index(min(scale))
    fitted = []
    for choice in choices:
        sides = list(scale)
        sides[short] = round(scale[short] * min(choice) / largest)
        fitted.append(tuple(sides))
    return fitted


def _fit_scale_ranges(
    node: Any, before: tuple[int, int], after: tuple[int, int]
) -> None:
    """Let SOLO's ranges of sqrt(w * h), in pixels, grow with the image.

    SOLO's grids follow the image by themselves. Anchors stay too: an object between or
    beyond them still gets the nearest, one of another range goes to the wrong level.
    """
    if isinstance(node, (list, tuple)):
        for entry in node:
            _fit_scale_ranges(entry, before, after)
    if not isinstance(node, dict):
        return
    for entry in node.values():
        _fit_scale_ranges(entry, before, after)
    if node.get('scale_ranges'):
        ratio = math.sqrt(math.prod(after) / math.prod(before))
        bounds = [
            [round(low * ratio), round(high * ratio)]
            for low, high in node['scale_ranges']
        ]
        # The last bound is there to let every larger object in: it never shrinks.
        bounds[-1][1] = max(node['scale_ranges'][-1][1], bounds[-1][1])
        node['scale_ranges'] = tuple(tuple(pair) for pair in bounds)


def _drop_evaluation(settings: dict[str, Any]) -> None:
    for split in ('val', 'test'):
        for key in (f'{split}_dataloader', f'{split}_evaluator', f'{split}_cfg'):
            settings[key] = None
