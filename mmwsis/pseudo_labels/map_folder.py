"""Artifacts with one file per image: a folder of maps and an index.

``index.json`` is written when every file is there, so a folder without it is
unfinished. It says which image has which file, the classes that numbers in the files
stand for, and, like pseudo instances, where the maps come from (``info.mmwsis``).
"""

import logging
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from mmwsis.formats.coco_file import image_file_name
from mmwsis.formats.map_index import INDEX_NAME, index_document, map_entry, map_file
from mmwsis.formats.semantic_maps import BACKGROUND
from mmwsis.utils.fileio import (
    TEMPORARY_SUFFIX,
    atomic_write_bytes,
    atomic_write_text,
)

from .artifact import Artifact, Records
from .collapse import index_collapse, log_collapse
from .parts import parts_folder


class MapFolder(Artifact):
    """Writes one file per image; subclasses say what is in it.

    Files are written atomically before their chunk counts as finished, under the
    name of their image, so several ranks and jobs may fill one folder.

    Attributes:
        suffix: Of the files.
    """

    suffix: ClassVar[str]

    @property
    def folder(self) -> Path:
        """Where the files of the images go."""
        return self.out

    @property
    def result(self) -> Path:
        """The index."""
        return self.out / INDEX_NAME

    def items(self, dataset: BaseDataset) -> list[tuple[int, Any, Any]]:
        """List the images, of which no two may share a file.

        Args:
            dataset: Has one sample per image.

        Raises:
            ValueError: The dataset hides images, or two have the same name.
        """
        owner: dict[str, Any] = {}
        for image in self.source.images.values():
            file = map_file(image, self.suffix)
            if file in owner:
                raise ValueError(
                    f'{self.source.path}: image ids {owner[file]!r} and '
                    f'{image["id"]!r} would both be written to {file}; their file '
                    'names must differ in more than the suffix.'
                )
            owner[file] = image['id']
        return super().items(dataset)

    def begin(self, overwrite: bool) -> None:
        """Refuse a folder of other things; take an old index away.

        Without an index nobody takes a folder for finished while its files change.

        Args:
            overwrite: The folder may hold maps of another run.
        """
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise ValueError(
                f'{self.folder} is a file; {self.title} need a folder: choose another '
                '--out.'
            )
        self._check_images()
        if not overwrite and any(self.folder.iterdir()):
            raise ValueError(
                f'{self.folder} is not empty and has no {self.result.name}, so it is '
                f'no finished folder of {self.title}. Choose another --out, or add '
                '--overwrite to write into it.'
            )
        self.result.unlink(missing_ok=True)

    def _check_images(self) -> None:
        """Refuse the folder of the images, whose files would be written over."""
        if self.result.exists() or parts_folder(self.out).exists():
            return  # Maps, which may have the names of the images.
        first = [image_file_name(im) for im in self.source.coco['images'][:20]]
        if any((self.folder / name).exists() for name in first):
            raise ValueError(
                f'{self.folder} holds the images themselves; choose another --out.'
            )

    @abstractmethod
    def encode(
        self, sample: BaseDataElement, image_size: tuple[int, int], where: str
    ) -> tuple[bytes, dict[str, Any]]:
        """Content of one image's file.

        Args:
            sample: Predicted sample.
            image_size: ``(H, W)`` in pixels.
            where: Names the image in messages.

        Returns:
            The bytes, and what the index says of the image besides: ``dominant``, of
            :func:`~mmwsis.pseudo_labels.collapse.dominant_value`, where it has one.

        Raises:
            ValueError: The labeler left something out, or it does not fit.
        """

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the numbers that ``dominant`` of the index speaks of."""
        return (BACKGROUND, *self.source.classes)

    def index_keys(self) -> dict[str, Any]:
        """What the index says of all files."""
        return dict(classes=list(self.source.classes))

    def collapse(self, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What is odd about the maps as a whole.

        Args:
            entries: ``images`` of the index.

        Returns:
            Shares of the images, and ``warnings``.
        """
        return index_collapse(entries, self.values)

    def record(self, sample: BaseDataElement) -> dict[str, Any]:
        """Write one image's file.

        Args:
            sample: Predicted sample of a whole image.

        Returns:
            ``id`` of the image, ``file`` below the folder, ``bytes`` and ``crc32``.
        """
        image = self.source.images[sample.get('img_id')]
        size = image['height'], image['width']
        content, extra = self.encode(sample, size, self.place(sample))
        file = map_file(image, self.suffix)
        atomic_write_bytes(self.folder / file, content)
        return map_entry(image['id'], file, content) | extra

    def finish(
        self,
        records: Records,
        provenance: Mapping[str, Any],
        results_out: Any | None = None,
    ) -> str:
        """Check that every file is there, write the index, and tidy up.

        Args:
            records: Id of an item -> its record.
            provenance: Becomes ``info.mmwsis``.
            results_out: Must be None, the default: there are no annotations.

        Raises:
            ValueError: A file is gone or has another size, or ``results_out`` is set.
        """
        if results_out is not None:
            raise ValueError(f'{self.title} have no list of results; leave it out.')
        entries = [records[key] for key in self.source.images if key in records]
        self._check_files(entries)
        collapse = self.collapse(entries)
        provenance = {**provenance, 'collapse': collapse}
        info = {**self.source.coco.get('info', {}), 'mmwsis': provenance}
        atomic_write_text(self.result, self.document(info, entries))
        for stray in self.folder.rglob(f'.*{TEMPORARY_SUFFIX}'):
            if stray.is_file():  # of a process that was killed while writing
                stray.unlink(missing_ok=True)
        log_collapse(self.out, collapse)
        size = sum(entry['bytes'] for entry in entries) / 2**20
        return f'{self.title} of {len(entries)} images, {size:.1f} MiB'

    def document(
        self, info: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]
    ) -> str:
        """The JSON that ends the run.

        Args:
            info: Its ``info``.
            entries: Record of every image, in the order of the source.
        """
        return index_document(self.kind, info, entries, **self.index_keys())

    def _check_files(self, entries: Sequence[Mapping[str, Any]]) -> None:
        wrong = []
        for entry in entries:
            path = self.folder / entry['file']
            if not path.is_file() or os.path.getsize(path) != entry['bytes']:
                wrong.append(entry)
        if wrong:
            raise ValueError(
                f'{len(wrong)} of {len(entries)} files of {self.folder} were made and '
                f'are gone or changed, the first is {wrong[0]["file"]} (image id '
                f'{wrong[0]["id"]!r}). Run the same command with --overwrite.'
            )
        known = {self.folder / entry['file'] for entry in entries}
        found = self.folder.rglob(f'*{self.suffix}')
        strangers = [path for path in found if path not in known]
        if strangers:
            print_log(
                f'{self.folder} also holds {len(strangers)} files of no image of '
                f'{self.source.path}, such as {strangers[0].name}; they stay.',
                logger='current',
                level=logging.WARNING,
            )
