"""Conversion of a dataset image by image: in parallel, with all errors at once."""

import functools
import itertools
import os
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.utils.parallel import OrderedPool

from .conversion import RunOptions, refuse_existing, shorten
from .outputs import Outputs

Record = dict[str, Any]


class Summary(NamedTuple):
    """What a conversion has made.

    Attributes:
        document: The COCO document.
        left_out: Messages of the images that were left out.
        warnings: What a person should know, such as counts that differ from the
            published ones.
    """

    document: dict[str, Any]
    left_out: list[str]
    warnings: list[str]


class ConversionError(ValueError):
    """Images whose labels cannot be converted.

    Attributes:
        problems: One message per image; each names its file.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__(
            f'{len(self.problems)} image(s) cannot be converted, so that nothing was '
            f'written:\n{shorten(self.problems, rest=", which --skip-invalid lists")}\n'
            'Fix them and run the same command again, or leave them out of the result '
            'with --skip-invalid.'
        )


def convert_images(
    names: Sequence[Hashable],
    convert: Callable[[Any], Record],
    outputs: Sequence[str | os.PathLike],
    assemble: Callable[[list[Record]], dict[str, Any]],
    run: RunOptions,
    files: Outputs,
    source: str | os.PathLike,
) -> tuple[dict[str, Any], list[str]]:
    """Convert images one by one and write the document that their records make.

    Args:
        names: One name per image, in the order of the result, or another picklable
            description of it, whose text is its name.
        convert: Picklable function from name to record; a ValueError or OSError of it
            names the file and the object that are broken.
        outputs: Files that must not be there without ``overwrite``; the document is
            written to the first.
        assemble: Makes the document out of the records, and writes other outputs.
        run: How the conversion runs.
        files: Where to write.
        source: What is converted, for messages.

    Returns:
        The document, and the messages of the images that were left out.

    Raises:
        ConversionError: Images are broken, and ``skip_invalid`` is off.
        FileExistsError: An output exists, and ``overwrite`` is off.
        RuntimeError: A process died; the message names the image.
        ValueError: ``names`` is empty or has a name twice, or the document is not
            valid.
    """
    _check_names(names)
    refuse_existing(outputs, [], run.overwrite)
    advance = run.open_progress(len(names))
    records: list[Record] = []
    problems: list[str] = []
    convert = functools.partial(_record_or_reason, convert)
    with OrderedPool(run.workers) as pool:
        for result in pool.imap(convert, names, 'image {}'.format):
            (problems if isinstance(result, str) else records).append(result)
            advance(1)
    if problems and not (run.skip_invalid and records):
        raise ConversionError(problems)
    document = assemble(records)
    document['info']['mmwsis']['skipped_images'] = len(problems)
    files.labels(outputs[0], document, source)
    return document, problems


def _record_or_reason(convert: Callable[[Any], Record], name: Hashable) -> Record | str:
    """Convert an image; a broken one gives the reason instead."""
    try:
        return convert(name)
    except (ValueError, OSError) as error:
        return str(error)


def read_list(path: str | os.PathLike) -> list[str]:
    """Image names of a split file.

    Args:
        path: Text file with one name per line; what follows a blank is not read, so
            VOC's class lists and lists of image-label pairs serve, too. Folders and
            extensions (``/JPEGImages/2007_000032.jpg``) are cut off.

    Returns:
        The names, in the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is empty or lists a name twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: the list of images does not exist')
    try:
        lines = path.read_text(encoding='utf-8-sig').split('\n')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: is no text file ({error})') from None
    names = [Path(line.split()[0]).stem for line in lines if line.strip()]
    try:
        _check_names(names)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from None
    return names


def coco_document(
    records: Sequence[Record],
    info: dict[str, Any],
    categories: list[dict[str, Any]],
    image_ids: Iterable[int] | None = None,
) -> dict[str, Any]:
    """Put records together and number their objects from 1 on.

    Args:
        records: With ``image`` (an entry of ``images``, which gets its id here) and
            ``objects`` (annotations without ids).
        info: The document's ``info``.
        categories: The document's ``categories``.
        image_ids: One per record. Defaults to 1, 2, 3, ...

    Returns:
        COCO dictionary, images and annotations in the order of the records.
    """
    annotations: list[dict[str, Any]] = []
    for image_id, record in zip(image_ids or itertools.count(1), records):
        record['image'] = {'id': image_id, **record['image']}
        for entry in record['objects']:
            number = len(annotations) + 1
            annotations.append({'id': number, 'image_id': image_id, **entry})
    return {
        'info': info,
        'images': [record['image'] for record in records],
        'annotations': annotations,
        'categories': categories,
    }


def sum_notes(records: Iterable[Record]) -> dict[str, int]:
    """Add up what converters remarked about single images.

    Args:
        records: With ``notes``, a count by remark.

    Returns:
        Total by remark, those above 0.
    """
    total: Counter[str] = Counter()
    for record in records:
        total.update(record['notes'])
    return {note: count for note, count in total.items() if count}


def compare_size(
    document: dict[str, Any], key: str, published: int | None, where: str
) -> list[str]:
    """Warn of a number that is not the published one.

    Args:
        document: COCO dictionary.
        key: 'images' or 'annotations', which are counted.
        published: How many there should be; None if that is not known.
        where: What has so many.

    Returns:
        One warning, or none.
    """
    count, what = len(document[key]), key.replace('annotations', 'objects')
    if published in (None, count):
        return []
    return [
        f'{count} {what}, but {where} has {published}: results are not comparable with '
        'published ones'
    ]


def _check_names(names: Sequence[Hashable]) -> None:
    if not names:
        raise ValueError('no image is listed')
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f'image {twice[0]!r} is listed twice')
