"""Class-agnostic mask proposals on disk: one JSON per image, or one for all.

A file is a list of COCO results, as DeepMask and SharpMask write them::

    [{"image_id": 42, "category_id": 1, "score": 0.93,
      "segmentation": {"size": [480, 640], "counts": "..."}}, ...]

``category_id`` and ``bbox`` are not read. A thousand proposals for each image of COCO
take tens of GB, so the store is a folder of such files, each read when it is asked for.
"""

import json
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import print_log
from pycocotools import mask as coco_mask

from mmwsis.structures.grid_map import GridMap
from mmwsis.structures.proposals import Proposals
from mmwsis.utils.fileio import json_rows

from .coco_file import image_file_name
from .coco_masks import MaskError, check_segmentation, checked_rle, rle_runs, shorten
from .json_file import read_json, stream_list
from .map_index import INDEX_NAME, MapIndex

KIND = 'proposals'
SUFFIX = '.json'
MAX_NUM = 1000
_ASPECT_TOLERANCE = 0.02
_LARGE = 2**28  # bytes
_LARGEST_SCORE = float(np.finfo(np.float32).max)
_SCORE_DIGITS = 6


def encode_proposals(
    image_id: Any,
    rles: Sequence[Mapping[str, Any]],
    scores: Sequence[float],
    max_num: int = MAX_NUM,
) -> tuple[bytes, int]:
    """Make the content of one image's file.

    Args:
        image_id: As in the label file.
        rles: N compressed RLEs of the image's size, of which the empty are left out.
        scores: (N,), finite, in any order.
        max_num: How many are kept, the best. Defaults to 1000.

    Returns:
        The file, sorted by descending score, equal ones in order; and how many
        proposals it holds.
    """
    scores = np.asarray(scores, np.float64)
    # One by one: a list of 256 and more overflows in pycocotools 2.0.11 with NumPy 2.4.
    areas = np.array([coco_mask.area(rle) for rle in rles])
    order = np.argsort(-scores, kind='stable')
    rows = []
    for place in order[areas[order] > 0][:max_num].tolist():
        counts = rles[place]['counts']
        segmentation = dict(
            size=[int(side) for side in rles[place]['size']],
            counts=counts.decode('ascii') if isinstance(counts, bytes) else counts,
        )
        row = dict(image_id=image_id, category_id=1, segmentation=segmentation)
        rows.append(dict(row, score=round(float(scores[place]), _SCORE_DIGITS)))
    return json_rows({}, '', rows).encode(), len(rows)


class _Stretch(NamedTuple):
    """Neighbouring entries of one image: place of the first, and their bytes."""

    first: int
    begin: int
    end: int


class ProposalStore:
    """Reads the proposals of images, each when it is asked for.

    Args:
        path: Folder with one JSON per image: of label generation or of the importer
            (with an index), or any folder whose files are named as the images are, in
            folders of the same names or in none. Or one JSON with the proposals of a
            small dataset; it is read through once, for where each image's entries are.
        max_num: How many are kept of an image, the best; None: all. Defaults to 1000.
        min_score: Proposals with a lower score are left out. Defaults to None: none.
        resize: Whether masks of another size are resized to the image, by nearest
            neighbours. Defaults to True; otherwise they are an error.
        allow_missing: Whether an image without a file has no proposals, with a warning.
            Defaults to False: it is an error.

    Raises:
        FileNotFoundError: There is nothing, or the folder is still being made.
        ValueError: The folder holds other maps, or the file is no list of results.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        max_num: int | None = MAX_NUM,
        min_score: float | None = None,
        resize: bool = True,
        allow_missing: bool = False,
    ) -> None:
        self.path = Path(path)
        self.max_num, self.min_score = max_num, min_score
        self.resize, self.allow_missing = resize, allow_missing
        self._index: MapIndex | None = None
        self._results: ResultsFile | None = None
        if self.path.is_file():
            self._warn_of_large_file()
            self._results = ResultsFile(self.path)
        elif (self.path / INDEX_NAME).is_file():
            self._index = MapIndex(self.path, KIND)
        elif not self.path.is_dir() or self._is_unfinished:
            MapIndex(self.path, KIND)  # says how such a folder is made, or finished

    def _warn_of_large_file(self) -> None:
        size = self.path.stat().st_size
        if size > _LARGE:
            print_log(
                f'{self.path} has {size / 2**30:.1f} GiB, which every process reads '
                'through before it begins. python '
                'tools/dataset_converters/import_proposals.py --from coco makes a '
                'folder of it that is read image by image.',
                logger='current',
                level=logging.WARNING,
            )

    @property
    def _is_unfinished(self) -> bool:
        """Whether label generation is filling the folder, or was killed."""
        return self.path.with_name(f'{self.path.name}.parts').exists()

    def read(self, image: Mapping[str, Any]) -> Proposals:
        """Proposals of one image, best first.

        Args:
            image: Entry of ``images`` of a label file: ``id``, ``file_name`` (or a
                whole path), ``height`` and ``width``.

        Returns:
            Those that cover a pixel, for the size of the image.

        Raises:
            FileNotFoundError: There is no file of the image.
            ValueError: An entry is broken, or of an image of another shape; the message
                names the file, the image id and the place in the file.
        """
        size = int(image['height']), int(image['width'])
        found = self._entries(image)
        if found is None:
            self._report_missing(image)
            return Proposals([], np.zeros(0), size)
        file, places, entries = found
        if not entries:
            return Proposals([], np.zeros(0), size)
        where = f'{file}: image id {image["id"]!r}'
        proposals = parse_results(entries, where, places)
        if proposals.size != size:
            proposals = self._resized(proposals, size, f'{where}: entry {places[0]}')
        kept = proposals.areas > 0
        if self.min_score is not None:
            kept &= proposals.scores >= self.min_score
        chosen = np.flatnonzero(kept)[: self.max_num]
        return proposals if len(chosen) == len(proposals) else proposals[chosen]

    def _entries(
        self, image: Mapping[str, Any]
    ) -> tuple[Path, Sequence[int], list[Any]] | None:
        """File of an image, and its entries with their places in it."""
        if self._results is not None:
            if image['id'] not in self._results.image_ids:
                return None
            return self.path, *self._results.read(image['id'])
        if self._index is not None:
            path = self._indexed(image) if image['id'] in self._index else None
        else:
            path = self._named_alike(image)
        if path is None:
            return None
        entries = read_json(str(path))
        if not isinstance(entries, list):
            raise ValueError(
                f'{path}: image id {image["id"]!r}: expected a list of COCO results, '
                f'got a {type(entries).__name__}.'
            )
        return path, range(len(entries)), entries

    def _indexed(self, image: Mapping[str, Any]) -> Path:
        """File that the index names, which must be that of this image."""
        path, name = self._index.path(image['id']), image_file_name(image)
        if path.stem != _parts(name)[-1]:
            raise ValueError(
                f'{self.path}: image id {image["id"]!r} has the file {path.name}, but '
                f'is {name}. The proposals were made from another label file; make '
                'them anew.'
            )
        return path

    def _named_alike(self, image: Mapping[str, Any]) -> Path | None:
        """File with the image's name in folders of the same names, or in fewer."""
        parts = _parts(image_file_name(image))
        for start in range(len(parts)):
            path = self.path.joinpath(*parts[start:-1], parts[-1] + SUFFIX)
            if path.is_file():
                return path
        return None

    def _report_missing(self, image: Mapping[str, Any]) -> None:
        name = image_file_name(image)
        told = f'{self.path} has no proposals of image id {image["id"]!r} ({name})'
        if self.allow_missing:
            print_log(f'{told}.', logger='current', level=logging.WARNING)
            return
        raise FileNotFoundError(
            f'{told}. Were they made from another label file? allow_missing=True takes '
            'such images as having none.'
        )

    def _resized(
        self, proposals: Proposals, size: tuple[int, int], where: str
    ) -> Proposals:
        if not self.resize:
            raise ValueError(
                f'{where}: the RLE has size {proposals.size}, the image {size} '
                '(height, width).'
            )
        check_aspect(proposals.size, size, where)
        return proposals.transformed(GridMap.identity(proposals.size).resized(size))


def check_aspect(
    size: tuple[int, int], image_size: tuple[int, int], where: str
) -> None:
    """Refuse proposals of an image of another shape, which no resizing makes fit.

    Args:
        size: ``(H, W)`` of the proposals.
        image_size: ``(H, W)`` of the image.
        where: Names file and image in messages.

    Raises:
        ValueError: The aspect ratios differ by more than 2 %.
    """
    given, wanted = size[1] * image_size[0], size[0] * image_size[1]
    if abs(wanted - given) > _ASPECT_TOLERANCE * given:
        raise ValueError(
            f'{where}: the proposals are of an image of {size}, the image is '
            f'{image_size} (height, width), another aspect ratio. They are of another '
            'image, or of one that was turned.'
        )


def _parts(file_name: str) -> tuple[str, ...]:
    """Folders and stem of an image's name or path."""
    path = PurePosixPath(file_name.replace('\\', '/')).with_suffix('')
    return tuple(part for part in path.parts if part not in (path.anchor, '..'))


def parse_results(
    entries: Sequence[Any], where: str, places: Sequence[int] | None = None
) -> Proposals:
    """Proposals of one image, for the size that its entries name.

    Args:
        entries: COCO results, at least one; in any order, empty masks among them.
        where: Names file and image in messages.
        places: Of the entries in the file, for messages. Defaults to None: 0, 1, ...

    Raises:
        ValueError: An entry is broken; the message says which.
    """
    rles, scores, image_ids = [], [], set()
    places = range(len(entries)) if places is None else places
    for place, entry in zip(places, entries):
        try:
            rle, score = _read_entry(entry)
            image_ids.add(entry.get('image_id'))
            if rles and rle['size'] != rles[0]['size']:
                raise MaskError(
                    f'the RLE has size {rle["size"]}, those before it '
                    f'{rles[0]["size"]}.'
                )
            if len(image_ids) > 1:
                raise MaskError(
                    f'image_id is {entry.get("image_id")!r}, before it not.'
                )
        except MaskError as error:
            raise ValueError(f'{where}: entry {place}: {error}') from None
        rles.append(rle)
        scores.append(score)
    size = tuple(rles[0]['size'])
    proposals = Proposals.ranked(rles, np.array(scores), size)
    try:
        proposals.source_runs  # noqa: B018 - all of them are checked at once
    except ValueError:
        for place, rle in zip(places, rles):
            check_segmentation(rle, size, f'{where}: entry {place}')
        raise
    return proposals


def _read_entry(entry: Any) -> tuple[dict[str, Any], float]:
    """Compressed RLE, whose runs are not checked yet, and score."""
    rle = entry.get('segmentation') if isinstance(entry, Mapping) else None
    size = rle.get('size') if isinstance(rle, Mapping) else None
    if not isinstance(size, list) or len(size) != 2 or not all(map(_is_side, size)):
        raise MaskError(
            'expected a COCO result with score and segmentation, an RLE with size '
            f'[height, width] and counts; got {shorten(entry, 120)}.'
        )
    counts, score = rle.get('counts'), entry.get('score')
    if isinstance(counts, list):
        if len(counts) == 1 and isinstance(counts[0], str):
            counts = counts[0]  # as some tools write an array of one text
        else:
            rle_runs(rle, *size)
            counts = checked_rle(rle, *size)['counts']
    if not isinstance(counts, (str, bytes)):
        raise MaskError(f'counts must be a text, got {shorten(counts)}.')
    if type(score) not in (int, float) or not abs(score) <= _LARGEST_SCORE:
        sam = ' SAM has other keys: import_proposals.py --from sam reads them.'
        raise MaskError(
            f'score must be a finite number, got {shorten(score)}.'
            f'{sam if "predicted_iou" in entry else ""}'
        )
    return dict(size=size, counts=counts), score


def _is_side(side: Any) -> bool:
    return type(side) is int and side > 0


class ResultsFile:
    """One JSON of the COCO results of many images, of any length.

    It is gone through once, for where the entries of each image stand.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no list of COCO results.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stretches: dict[Any, list[_Stretch]] = {}
        before = None
        for place, (entry, begin, end) in enumerate(stream_list(path)):
            image_id = self._image_id(entry, place)
            own = self._stretches.setdefault(image_id, [])
            if own and image_id == before:
                own[-1] = own[-1]._replace(end=end)
            else:
                own.append(_Stretch(place, begin, end))
            before = image_id

    @property
    def image_ids(self) -> Collection[int | str]:
        """Of all images, in the order of the file."""
        return self._stretches.keys()

    def read(self, image_id: int | str) -> tuple[list[int], list[Any]]:
        """Entries of one image.

        Args:
            image_id: One of the file.

        Returns:
            Their places in the file, and the entries.
        """
        places, entries = [], []
        with open(self.path, 'rb') as file:
            for first, begin, end in self._stretches[image_id]:
                file.seek(begin)
                entries += json.loads(b'[' + file.read(end - begin) + b']')
                places += range(first, first + len(entries) - len(places))
        return places, entries

    def _image_id(self, entry: Any, place: int) -> int | str:
        image_id = entry.get('image_id') if isinstance(entry, Mapping) else None
        if not isinstance(image_id, (int, str)):
            raise ValueError(
                f'{self.path}: entry {place}: expected a COCO result with image_id, '
                f'score and segmentation; got {shorten(entry, 120)}.'
            )
        return image_id
