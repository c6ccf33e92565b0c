"""Mask proposals as other projects write them, one file per image.

MCG (Arbelaez et al., *Multiscale Combinatorial Grouping*, 2014), SCG and COB write a
MATLAB file of ``superpixels`` (H, W), ``labels``, a cell of superpixel ids for every
proposal, and ``scores``; saved from the workspace they stand in a struct. The automatic
mask generator of SAM (Kirillov et al., *Segment Anything*, 2023) gives a list of
annotations, and its dataset SA-1B an object of ``image`` and ``annotations``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from mmwsis.formats.coco_masks import shorten
from mmwsis.formats.json_file import read_json
from mmwsis.formats.proposals import parse_results
from mmwsis.ops.region_rle import encode_regions
from mmwsis.structures.proposals import Proposals

SAM_SCORES = ('predicted_iou', 'stability_score')
_FIELDS = ('superpixels', 'labels', 'scores')


def read_sam(
    path: Path, image_size: tuple[int, int], score: str = 'predicted_iou'
) -> Proposals:
    """Read masks of SAM's automatic mask generator, or a file of SA-1B.

    Args:
        path: JSON of one image; masks are RLEs (``output_mode='coco_rle'``).
        image_size: ``(H, W)`` of an image without a mask, which the file does not tell.
        score: 'predicted_iou' or 'stability_score'. Defaults to 'predicted_iou'.

    Raises:
        ValueError: It is another JSON, or an entry is broken; the message names it.
    """
    document = read_json(str(path))
    entries = document.get('annotations') if isinstance(document, dict) else document
    if not isinstance(entries, list):
        raise ValueError(
            f'{path}: expected a list of masks, or an object with the list annotations '
            f'(SA-1B); got {shorten(document)}.'
        )
    if not entries:
        return Proposals([], np.zeros(0), image_size)
    results = []
    for place, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or score not in entry:
            raise ValueError(
                f'{path}: entry {place}: expected a mask of SAM with segmentation and '
                f'{score}; got {shorten(entry, 120)}.'
            )
        if not isinstance(entry.get('segmentation'), Mapping):
            raise ValueError(
                f'{path}: entry {place}: segmentation must be an RLE; write the masks '
                "with SamAutomaticMaskGenerator(..., output_mode='coco_rle')."
            )
        results.append(dict(segmentation=entry['segmentation'], score=entry[score]))
    return parse_results(results, str(path))


def read_superpixels(path: Path) -> Proposals:
    """Read a MATLAB file of superpixels and lists of them.

    A proposal covers the pixels whose superpixel is in its list.

    Args:
        path: ``.mat`` of one image; those of version 7.3 need the package ``h5py``.

    Raises:
        ValueError: It is no such file, or a proposal is broken; the message names it.
    """
    superpixels, labels, scores = _read_fields(path)
    if superpixels.ndim != 2 or superpixels.dtype.kind not in 'iuf':
        raise ValueError(
            f'{path}: superpixels must be numbers (H, W), got {superpixels.dtype} of '
            f'shape {superpixels.shape}.'
        )
    if superpixels.dtype.kind == 'f' and (superpixels % 1).any():
        raise ValueError(f'{path}: superpixels must be whole numbers.')
    if len(labels) != len(scores):
        raise ValueError(f'{path} has {len(labels)} labels and {len(scores)} scores.')
    wrong = np.flatnonzero(~np.isfinite(scores))
    if len(wrong):
        raise ValueError(
            f'{path}: proposal {wrong[0]}: its score must be a finite number, got '
            f'{scores[wrong[0]]}.'
        )
    ids, regions = np.unique(superpixels, return_inverse=True)
    member = np.zeros((len(labels), len(ids)), bool)
    for place, own in enumerate(labels):
        # A gap is a superpixel that resizing lost; beyond the ends the lists count
        # otherwise than the map does, or belong to another image.
        if own.size and not ids[0] <= own.min() <= own.max() <= ids[-1]:
            raise ValueError(
                f'{path}: proposal {place}: its list has superpixels {own.min():g} to '
                f'{own.max():g}, the map has {ids[0]:g} to {ids[-1]:g}.'
            )
        member[place] = np.isin(ids, own)
    size = superpixels.shape
    return Proposals.ranked(encode_regions(regions.reshape(size), member), scores, size)


def _read_fields(path: Path) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Superpixels, ids of every proposal and scores."""
    try:
        content = loadmat(path)
    except NotImplementedError:  # scipy's word for version 7.3, which is HDF5
        return _read_hdf5(path)
    except (MatReadError, ValueError, TypeError, OSError) as error:
        raise ValueError(f'{path} is no readable MATLAB file: {error}') from None
    for value in [*content.values()]:  # A struct is an array of one record.
        if isinstance(value, np.ndarray) and value.dtype.names and value.size == 1:
            content |= {name: value[name].item() for name in value.dtype.names}
    missing = [name for name in _FIELDS if name not in content]
    if missing:
        raise ValueError(_missing(path, missing, content))
    cell = content['labels']
    if cell.dtype != object:
        raise ValueError(f'{path}: labels must be a cell of lists, got {cell.dtype}.')
    lists = [np.ravel(own) for own in cell.ravel()]
    return content['superpixels'], lists, content['scores'].ravel().astype(float)


def _read_hdf5(path: Path) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """The same of MATLAB's version 7.3, whose arrays are transposed."""
    try:
        import h5py
    except ImportError:
        raise ValueError(
            f'{path} was saved as MATLAB 7.3 (HDF5), which needs the package h5py: '
            'pip install h5py. Or save it in MATLAB with -v7.'
        ) from None
    with h5py.File(path) as file:
        groups = [file, *(one for one in file.values() if isinstance(one, h5py.Group))]
        found = next((one for one in groups if all(f in one for f in _FIELDS)), None)
        if found is None:
            raise ValueError(_missing(path, _FIELDS, file))
        lists = [file[link][()].ravel() for link in found['labels'][()].ravel()]
        scores = found['scores'][()].ravel().astype(float)
        return found['superpixels'][()].T, lists, scores


def _missing(path: Path, missing: Any, content: Any) -> str:
    names = [name for name in content if not name.startswith(('__', '#'))]
    return (
        f'{path} has no {" and ".join(missing)}, only {names}; expected superpixels, '
        'labels and scores, as MCG and COB write them.'
    )
