"""A folder of other projects' semantic PNGs as a folder of semantic maps."""

import difflib
import functools
import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmwsis.formats.categories import alike_hint, name_list
from mmwsis.formats.coco_file import image_file_name
from mmwsis.formats.map_index import (
    INDEX_NAME,
    index_document,
    map_entry,
    map_file,
)
from mmwsis.formats.semantic_maps import (
    BACKGROUND,
    IGNORE_INDEX,
    encode_semantic_map,
)
from mmwsis.utils.fileio import atomic_write_bytes
from mmwsis.utils.hashing import hash_file
from mmwsis.utils.parallel import OrderedPool

from .conversion import RunOptions, shorten, source_block
from .indexed_folders import refuse_broken, replaced_files
from .outputs import Outputs
from .semantic_pixels import read_classes
from .semantic_tables import SemanticTable, read_dataset


class _Job(NamedTuple):
    image: Mapping[str, Any]
    source: Path
    folder: Path
    file: str


@dataclass
class SemanticImport:
    """What an import has made.

    Attributes:
        classes: Names of the values in the maps that were written.
        images: Number of maps.
        unused: Categories of the label file that no value stands for.
        missing: Images without a map.
        extra: PNGs of no image.
        left_out: What is broken, one line each.
        untagged: Classes in maps of images whose ``tags`` lack them, and in how many.
    """

    classes: tuple[str, ...]
    images: int = 0
    unused: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    untagged: list[str] = field(default_factory=list)


def import_semantic_maps(
    png_dir: str | os.PathLike,
    labels: str | os.PathLike,
    out: str | os.PathLike,
    table: SemanticTable,
    *,
    pixels: str = 'auto',
    skip_missing: bool = False,
    run: RunOptions | None = None,
    **origin: Any,
) -> SemanticImport:
    """Check semantic maps and write them as label generation does.

    Values stay as they are where the classes are numbered 0, 1, ...; else a value
    becomes the place of its class. What is ignored becomes 255.

    Args:
        png_dir: Folder of the maps, in folders of its own or not.
        labels: COCO JSON that lists the images and the classes of the dataset.
        out: Folder to write.
        table: What values and colours stand for.
        pixels: 'values' reads grey values and palette indices, 'colours' the colours of
            ``table``. Defaults to 'auto': colours only where no value is stored; a
            palette that contradicts the table's colours is an error.
        skip_missing: Leave images without a map out. Defaults to False.
        run: How the import runs. Defaults to ``RunOptions()``.
        **origin: Further keys of ``info.mmwsis``.

    Returns:
        What was made, and what is to be said about it.

    Raises:
        FileNotFoundError: A folder or file does not exist, or images have no map.
        FileExistsError: ``out`` is there, and ``overwrite`` is off.
        ValueError: The classes are not those of the dataset, or a map is broken; the
            message lists the first ones by file.
    """
    run, png_dir, out = run or RunOptions(), Path(png_dir), Path(out)
    if not png_dir.is_dir():
        raise FileNotFoundError(f'{png_dir} is no folder')
    old = replaced_files(out, png_dir, 'semantic_maps', run.overwrite)
    images, listed = read_dataset(labels)
    categories = [category['name'] for category in listed]
    check_table(table, categories, str(labels))
    matches, result = _match(images, png_dir, table, str(labels), skip_missing)
    result.unused = [name for name in categories if name not in table.classes]
    digest, entries = hashlib.sha256(), []
    untagged: Counter[str] = Counter()
    tags = _tagged_names(images, listed)
    advance = run.open_progress(len(matches))
    with Outputs() as files, OrderedPool(run.workers) as pool:
        stage = files.folder(out)
        jobs = [
            _Job(image, path, stage, map_file(image, '.png')) for image, path in matches
        ]
        convert = functools.partial(_convert, table=table, pixels=pixels)
        for found in pool.imap(convert, jobs, _source):
            advance(1)
            if isinstance(found, str):
                result.left_out.append(found)
                continue
            entries.append(found[0])
            digest.update(found[1])
            known = tags.get(found[0]['id'], found[2])
            untagged.update(name for name in found[2] if name not in known)
        refuse_broken(result.left_out, png_dir, len(entries), run.skip_invalid)
        info = source_block(
            'import_semantic_maps',
            png_dir.absolute(),
            labels=Path(labels).name,
            labels_sha256=hash_file(Path(labels)),
            source_sha256=digest.hexdigest(),
            values={str(value): name for value, name in sorted(table.names.items())},
            **origin,
        )
        index = index_document(
            'semantic_maps',
            dict(mmwsis=info),
            entries,
            classes=[*table.classes],
            ignore_index=IGNORE_INDEX,
        )
        files.text(out / INDEX_NAME, index)
    for stale in old - {out / entry['file'] for entry in entries}:
        stale.unlink(missing_ok=True)
    result.images = len(entries)
    result.untagged = [
        f'{name!r} in {count} of {result.images}'
        for name, count in untagged.most_common()
    ]
    return result


def _tagged_names(
    images: Sequence[Mapping[str, Any]], categories: Sequence[Mapping[str, Any]]
) -> dict[Any, set[str]]:
    """Classes that an image may show, of the images that have tags."""
    names = {category['id']: category['name'] for category in categories}
    return {
        image['id']: {names.get(tag, '') for tag in image['tags']} | {BACKGROUND}
        for image in images
        if isinstance(image.get('tags'), list)
    }


def _source(job: _Job) -> str:
    return str(job.source)


def check_table(table: SemanticTable, categories: Sequence[str], labels: str) -> None:
    """Refuse classes that the dataset does not have.

    Args:
        table: Of the maps.
        categories: Names in the label file.
        labels: The label file, for messages.

    Raises:
        ValueError: A class is not among them; the message says which may be meant.
    """
    unknown = [name for name in table.classes if name not in {*categories, BACKGROUND}]
    if not unknown:
        return
    free = [name for name in categories if name not in table.classes]
    lines, renames = [], []
    for name in unknown:
        close = difflib.get_close_matches(name.casefold(), free, n=1)
        alike = alike_hint([name], free).strip()
        hint = f'{name!r}; is it {close[0]!r}?' if close else repr(name)
        lines.append(alike or hint)
        if close:
            renames.append(f'{name}={close[0]}')
    if len(renames) > len(categories) / 2:  # so many are names of another dataset
        renames = []
    remedy = ' '.join(f"'{one}'" for one in renames) or 'NAME=CATEGORY'
    raise ValueError(
        f'{labels}: {len(unknown)} of the {len(table.classes)} classes of the maps are '
        f'no categories of it:\n{shorten(lines)}\nNot named by the maps are '
        f'{name_list(free) or "none"}. Say --rename {remedy}, or --ignore-classes for '
        'those that are to become 255'
    )


def _match(
    images: Sequence[Mapping[str, Any]],
    png_dir: Path,
    table: SemanticTable,
    labels: str,
    skip_missing: bool,
) -> tuple[list[tuple[Mapping[str, Any], Path]], SemanticImport]:
    """Map of every image, by its path without suffix, or by its name alone."""
    suffix = table.seg_suffix
    files = [path for path in sorted(png_dir.rglob(f'*{suffix}')) if path.is_file()]
    by_path = {_cut(str(p.relative_to(png_dir)), suffix): p for p in files}
    by_name = defaultdict(list)
    for stem, path in by_path.items():
        by_name[stem.rpartition('/')[2]].append(path)
    matches, missing, owner = [], [], {}
    for image in images:
        stem = _image_stem(image_file_name(image), table.img_suffix)
        named = by_name.get(stem.rpartition('/')[2], [])
        path = by_path.get(stem) or (named[0] if len(named) == 1 else None)
        if path is None and len(named) > 1:
            raise ValueError(
                f'{labels}: image id {image["id"]!r} ({image_file_name(image)}) has '
                f'several maps: {", ".join(map(str, named[:3]))}; put each into the '
                'folder of its image'
            )
        if path is None:
            missing.append(image_file_name(image))
            continue
        if path in owner:
            raise ValueError(
                f'{labels}: image ids {owner[path]!r} and {image["id"]!r} would both '
                f'have the map {path}'
            )
        owner[path] = image['id']
        matches.append((image, path))
    extra = [str(path.relative_to(png_dir)) for path in files if path not in owner]
    if not matches or (missing and not skip_missing):
        raise FileNotFoundError(_missing_text(missing, images, png_dir, suffix, extra))
    return matches, SemanticImport(table.classes, missing=missing, extra=extra)


def _cut(name: str, suffix: str) -> str:
    return name.replace('\\', '/').removesuffix(suffix)


def _image_stem(name: str, suffix: str | None) -> str:
    name = name.replace('\\', '/')
    if suffix and name.endswith(suffix):
        return name.removesuffix(suffix)
    return name.rpartition('.')[0] or name


def _missing_text(
    missing: Sequence[str],
    images: Sequence[Any],
    png_dir: Path,
    suffix: str,
    extra: Sequence[str],
) -> str:
    wanted = missing[0].rpartition('/')[2]
    stem = wanted.rpartition('.')[0] or wanted
    near = next((p.name for p in sorted(png_dir.rglob(f'{stem}*.png'))), None)
    hint = f'; it has {extra[0]}, of no image' if extra else ''
    if near is not None:
        hint = f"; it has {near}: say --seg-suffix '{near.removeprefix(stem)}'"
    return (
        f'{png_dir} has no map *{suffix} of {len(missing)} of the {len(images)} images'
        f'{hint}:\n{shorten([*missing])}\nGive the right folder or --seg-suffix, or '
        '--missing skip to leave them out'
    )


def _convert(
    job: _Job, *, table: SemanticTable, pixels: str
) -> tuple[dict[str, Any], bytes, list[str]] | str:
    """Write one map: its entry, checksum and classes, or what is wrong."""
    try:
        stored = job.source.read_bytes()
        values = read_classes(job.source, table, pixels)
        size = job.image['height'], job.image['width']
        if values.shape != size:
            raise ValueError(
                f'is {values.shape[1]} x {values.shape[0]} pixels (width x height), '
                f'image id {job.image["id"]!r} is {size[1]} x {size[0]}'
            )
        content = encode_semantic_map(values, table.classes, '')
    except (OSError, ValueError) as error:
        return f'{job.source}: {error}'
    atomic_write_bytes(job.folder / job.file, content)
    entry = map_entry(job.image['id'], job.file, content)
    shown = [table.classes[k] for k in np.unique(values).tolist() if k != IGNORE_INDEX]
    return entry, hashlib.sha256(stored).digest(), shown
