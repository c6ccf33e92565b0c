"""Whether the transforms of a data pipeline move all that is loaded before them."""

from collections.abc import Iterator, Sequence

from mmengine.config import Config

from .preflight import datasets_of

# What other libraries' transforms leave where it was, by the transform that loads it.
_UNKNOWN_TO_OTHERS = dict(
    LoadWeakAnnotations='points',
    LoadCues='points',
    LoadProposals='proposals',
    GenerateProposals='proposals',
    LoadPanopticMap='instance map',
    LoadClassMaps='class maps',
)
# Transforms of MMCV, MMDetection and MMSegmentation that move pixels.
_MOVING = {
    *('Resize', 'RandomResize', 'RandomChoiceResize', 'FixShapeResize'),
    *('ResizeToMultiple', 'ResizeShortestEdge', 'RandomFlip', 'RandomShift', 'Rotate'),
    *('RandomRotate', 'RandomCrop', 'CenterCrop', 'MinIoURandomCrop', 'Pad', 'Expand'),
    *('RandomCenterCropPad', 'RandomAffine', 'ShearX', 'ShearY', 'TranslateX'),
    *('TranslateY', 'Mosaic', 'CachedMosaic', 'MixUp', 'CachedMixUp', 'YOLOXMixUp'),
}


def transform_problems(cfg: Config, splits: Sequence[str]) -> Iterator[str]:
    """Find transforms that would part an image from its labels, without a word.

    Args:
        cfg: Config.
        splits: Data loaders to look at.

    Yields:
        Messages, each of one transform.
    """
    for dataset in datasets_of(cfg, splits):
        loaded = []
        for place, transform in enumerate(dataset.config.get('pipeline') or ()):
            library, _, name = str(transform.get('type')).rpartition('.')
            if name in _UNKNOWN_TO_OTHERS and transform.get('with_point', True):
                loaded.append(_UNKNOWN_TO_OTHERS[name])
            elif name in _MOVING and library != 'mmwsis' and loaded:
                yield (
                    f'{dataset.where}.pipeline[{place}]: {transform["type"]} moves the '
                    f'image, but not the {" and ".join(loaded)} that were loaded '
                    'before. Use the transforms of mmwsis that carry all fields '
                    '(docs/new_method.md), such as mmwsis.RandomMirror.'
                )
