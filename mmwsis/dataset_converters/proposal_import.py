"""Mask proposals of other projects as a folder of proposals."""

import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.formats.checks import check_coco, check_document
from mmwsis.formats.coco_file import image_file_name
from mmwsis.formats.json_file import read_json
from mmwsis.formats.map_index import (
    INDEX_NAME,
    index_document,
    map_entry,
    map_file,
)
from mmwsis.formats.proposals import (
    KIND,
    MAX_NUM,
    SUFFIX,
    ResultsFile,
    check_aspect,
    encode_proposals,
    parse_results,
)
from mmwsis.structures.proposals import Proposals
from mmwsis.utils.fileio import atomic_write_bytes
from mmwsis.utils.hashing import hash_file
from mmwsis.utils.parallel import OrderedPool

from .conversion import RunOptions, shorten, source_block
from .indexed_folders import refuse_broken, replaced_files
from .outputs import Outputs
from .proposal_files import read_sam, read_superpixels

FORMATS = ('coco', 'mcg', 'sam')
_SUFFIXES = dict(mcg='.mat', sam='.json')


class _Job(NamedTuple):
    """One image: its entries of a file of all, or its own file."""

    image: Mapping[str, Any]
    target: Path
    source: Path
    places: list[int] | None = None
    entries: list[Any] | None = None


@dataclass
class ProposalImport:
    """What an import has made.

    Attributes:
        images: Number of files that were written.
        proposals: Number of proposals in them.
        missing: Images without proposals in the source.
        extra: Files, or image ids of a COCO file, that are of no image.
        left_out: What is broken, one line each.
    """

    images: int = 0
    proposals: int = 0
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def import_proposals(
    source_format: str,
    source: str | os.PathLike,
    labels: str | os.PathLike,
    out: str | os.PathLike,
    *,
    max_num: int = MAX_NUM,
    sam_score: str = 'predicted_iou',
    run: RunOptions | None = None,
) -> ProposalImport:
    """Write a folder of proposals, as label generation does.

    Args:
        source_format: 'coco', one JSON of COCO results of any length; 'mcg', a folder
            of MATLAB files of MCG, SCG or COB; 'sam', a folder of JSONs of SAM's
            automatic mask generator or SA-1B.
        source: The file or folder.
        labels: COCO JSON that lists the images. Those of a COCO file are found by id,
            or by name if its ids are texts; those of a folder by name without suffix.
        out: Folder to write.
        max_num: How many proposals are kept of an image, the best. Defaults to 1000.
        sam_score: Score of SAM: 'predicted_iou' or 'stability_score'. Defaults to
            'predicted_iou'.
        run: How the import runs. Defaults to ``RunOptions()``.

    Returns:
        What was made, and what is to be said about it.

    Raises:
        FileNotFoundError: A file or folder is missing, or no image has proposals.
        FileExistsError: ``out`` is there, and ``overwrite`` is off.
        ValueError: A file or entry is broken; the message lists the first ones.
    """
    run, source, out = run or RunOptions(), Path(source), Path(out)
    _check_source(source_format, source)
    old = replaced_files(out, source, KIND, run.overwrite)
    images = _read_images(str(labels))
    result, entries = ProposalImport(), []
    convert = functools.partial(
        _convert, source_format=source_format, max_num=max_num, sam_score=sam_score
    )
    with Outputs() as files, OrderedPool(run.workers) as pool:
        stage = files.folder(out)
        count, jobs = _jobs(source_format, source, images, stage, result)
        if not count:
            raise FileNotFoundError(_no_image(source_format, source, result))
        advance = run.open_progress(count)
        for found in pool.imap(convert, jobs, _source):
            advance(1)
            if isinstance(found, str):
                result.left_out.append(found)
            else:
                entries.append(found)
        refuse_broken(result.left_out, source, len(entries), run.skip_invalid)
        info = source_block(
            'import_proposals',
            source.absolute(),
            format=source_format,
            labels=Path(labels).name,
            labels_sha256=hash_file(Path(labels)),
            max_num=max_num,
            **(dict(score=sam_score) if source_format == 'sam' else {}),
        )
        index = index_document(KIND, dict(mmwsis=info), entries, classes=[])
        files.text(out / INDEX_NAME, index)
    for stale in old - {out / entry['file'] for entry in entries}:
        stale.unlink(missing_ok=True)
    result.images = len(entries)
    result.proposals = sum(entry['count'] for entry in entries)
    return result


def _read_images(labels: str) -> dict[str, Mapping[str, Any]]:
    """Images of any COCO file, by the file that their proposals go to."""
    coco = read_json(labels)
    check_document(coco, labels)
    check_coco({**coco, 'annotations': []}, labels)
    images: dict[str, Mapping[str, Any]] = {}
    for image in coco['images']:
        own = images.setdefault(map_file(image, SUFFIX), image)
        if own is not image:
            raise ValueError(
                f'{labels}: image ids {own["id"]!r} and {image["id"]!r} differ in the '
                f'suffix of {image_file_name(image)} alone, and their proposals would '
                'have one file'
            )
    return images


def _check_source(source_format: str, source: Path) -> None:
    if source_format == 'coco' and source.is_dir():
        raise ValueError(
            f'{source} is a folder; with one JSON per image it needs no import, '
            'mmwsis.LoadProposals reads it as it is. --from coco takes one file'
        )
    if not (source.is_file() if source_format == 'coco' else source.is_dir()):
        kind = 'file' if source_format == 'coco' else 'folder'
        raise FileNotFoundError(f'{source} is no {kind}')


def _jobs(
    source_format: str,
    source: Path,
    images: Mapping[str, Mapping[str, Any]],
    stage: Path,
    result: ProposalImport,
) -> tuple[int, Iterator[_Job]]:
    """Number of images with proposals, and these; the others go into ``result``."""
    if source_format == 'coco':
        results = ResultsFile(source)
        matches = _match_ids(results, images, result)
        return len(matches), (
            _Job(images[file], stage / file, source, *results.read(key))
            for file, key in matches.items()
        )
    paths = _match_names(source, _SUFFIXES[source_format], images, result)
    jobs = (_Job(images[file], stage / file, path) for file, path in paths.items())
    return len(paths), jobs


def _match_ids(
    results: ResultsFile,
    images: Mapping[str, Mapping[str, Any]],
    result: ProposalImport,
) -> dict[str, int | str]:
    """File of each image -> its id in a file of COCO results, or its name there."""
    matches = {}
    for file, image in images.items():
        name = image_file_name(image)
        stem = file.removesuffix(SUFFIX)
        keys = (image['id'], name, stem, stem.rpartition('/')[2])
        key = next((key for key in keys if key in results.image_ids), None)
        if key is None:
            result.missing.append(f'image id {image["id"]!r} ({name})')
        else:
            matches[file] = key
    used = set(matches.values())
    result.extra = [f'image_id {key!r}' for key in results.image_ids if key not in used]
    return matches


def _match_names(
    folder: Path,
    suffix: str,
    images: Mapping[str, Mapping[str, Any]],
    result: ProposalImport,
) -> dict[str, Path]:
    """File of each image -> its proposals, of the same path or else the same name."""
    found = sorted(path for path in folder.rglob(f'*{suffix}') if path.name[0] != '.')
    by_path = {
        path.relative_to(folder).with_suffix('').as_posix(): path for path in found
    }
    stems = {file: file.removesuffix(SUFFIX) for file in images}
    exact = {file: by_path[stem] for file, stem in stems.items() if stem in by_path}
    by_name: dict[str, list[Path]] = {}
    for path in set(found).difference(exact.values()):
        by_name.setdefault(path.stem, []).append(path)
    matches: dict[str, Path] = {}
    owner: dict[Path, str] = {}
    for file, image in images.items():
        name = image_file_name(image)
        named = by_name.get(stems[file].rpartition('/')[2], [])
        path = exact.get(file) or (named[0] if len(named) == 1 else None)
        if path is None:
            reason = f': {len(named)} files have its name' if named else ''
            result.missing.append(f'image id {image["id"]!r} ({name}){reason}')
        elif owner.setdefault(path, name) != name:
            raise ValueError(
                f'{path} has the name of two images, {owner[path]} and {name}; put the '
                'files into folders as the images are'
            )
        else:
            matches[file] = path
    used = set(matches.values())
    result.extra = [str(path) for path in found if path not in used]
    return matches


def _no_image(source_format: str, source: Path, result: ProposalImport) -> str:
    if not result.extra:
        what = _SUFFIXES.get(source_format, 'result')
        return f'{source}: there is no {what} in it (--from {source_format})'
    return (
        f'{source}: nothing in it is of an image of the label file. It has\n'
        f'{shorten(result.extra, 3)}\nand the label file\n{shorten(result.missing, 3)}'
    )


def _source(job: _Job) -> str:
    return f'{job.source} (image id {job.image["id"]!r})'


def _convert(
    job: _Job, *, source_format: str, max_num: int, sam_score: str
) -> dict[str, Any] | str:
    """Write the proposals of one image: its entry of the index, or what is wrong."""
    image, where = job.image, f'{job.source}: image id {job.image["id"]!r}'
    try:
        proposals = _read(job, where, source_format, sam_score)
        check_aspect(proposals.size, (image['height'], image['width']), where)
        content, count = encode_proposals(
            image['id'], proposals.rles, proposals.scores, max_num
        )
    except (OSError, ValueError) as error:
        return str(error)
    atomic_write_bytes(job.target, content)
    file = map_file(image, SUFFIX)
    return dict(map_entry(image['id'], file, content), count=count)


def _read(job: _Job, where: str, source_format: str, sam_score: str) -> Proposals:
    if source_format == 'coco':
        return parse_results(job.entries, where, job.places)
    if source_format == 'mcg':
        return read_superpixels(job.source)
    size = job.image['height'], job.image['width']
    return read_sam(job.source, size, sam_score)
