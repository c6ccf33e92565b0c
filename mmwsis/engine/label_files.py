"""The label files of one check, each read once, however many datasets read it."""

import copy
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from mmwsis.formats.coco_file import image_file_name, read_json
from mmwsis.formats.validation import ValidationReport, validate_file
from mmwsis.formats.validation.file_names import missing_hint
from mmwsis.formats.validation.labels import LABEL_KEYS
from mmwsis.formats.validation.panoptic import validate_panoptic
from mmwsis.structures.supervision import Supervision

from .label_reading import check_some_images
from .preflight import DatasetClasses

# Read in a few seconds; larger files are for check_dataset.py.
CHEAP_MEGABYTES = 64


class LabelFiles:
    """What has been read so far; the stages of a pipeline share one."""

    def __init__(self) -> None:
        self._reports: dict[tuple, ValidationReport] = {}
        self._panoptic: dict[tuple, ValidationReport] = {}
        self._missing: dict[tuple, str] = {}
        self._said: set[str] = set()

    def report(self, dataset: DatasetClasses, level: Supervision) -> ValidationReport:
        """Validate the file that a dataset reads, and a sample of its images.

        Args:
            dataset: Of a config; its file exists.
            level: Level that it is read at. Masks are looked at where they are read.

        Returns:
            The report, with a log of its own.

        Raises:
            ValueError: It is no COCO instances JSON.
            OSError: It cannot be read.
        """
        path = str(dataset.ann_file)
        key = os.path.realpath(path), level, dataset.by_name, dataset.images
        if key not in self._reports:
            megabytes = os.path.getsize(path) / 2**20
            if megabytes > CHEAP_MEGABYTES:
                print_log(f'Checking {path} ({megabytes:.0f} MB)...', None)
            report = validate_file(
                path,
                config_supervision=level,
                masks=level is Supervision.MASKS,
                leaks=False,
                keys=_readable(level),
                own_levels=dataset.by_name,
                max_examples=2,
            )
            check_some_images(report, dataset)
            self._reports[key] = report
        report = self._reports[key]
        return replace(report, path=path, log=copy.deepcopy(report.log))

    def panoptic_report(self, path: str, folder: str) -> ValidationReport:
        """Validate a panoptic file, and a sample of its PNGs.

        Args:
            path: Panoptic JSON.
            folder: Of its PNGs.

        Returns:
            The report.

        Raises:
            ValueError: It is no panoptic JSON.
            OSError: It or the folder cannot be read.
        """
        key = os.path.realpath(path), os.path.realpath(folder)
        if key not in self._panoptic:
            self._panoptic[key] = validate_panoptic(path, folder, max_examples=2)
        return self._panoptic[key]

    def missing_images(self, file: str, folder: str) -> str:
        """Find out whether all images of a label file are in a folder.

        Args:
            file: Any COCO JSON.
            folder: Image folder; empty is the current one.

        Returns:
            The problem; empty: there is none, or the file is too large to be read now.

        Raises:
            ValueError: The file is no JSON.
        """
        key = os.path.realpath(file), os.path.realpath(folder)
        if key not in self._missing:
            self._missing[key] = _missing(self._names(file), file, folder)
        return self._missing[key]

    def warn(self, text: str) -> None:
        """Log a warning, once."""
        if text not in self._said:
            self._said.add(text)
            print_log(text, None)

    def _names(self, file: str) -> list[tuple[Any, str]]:
        """Id and file name of the images."""
        for (path, *_), report in self._reports.items():
            if path == os.path.realpath(file):
                named = zip(report.images.ids, report.images.files)
                return [(image_id, name) for image_id, name in named if name]
        if os.path.getsize(file) > CHEAP_MEGABYTES * 2**20:
            return []
        document = read_json(file)
        images = document.get('images') if isinstance(document, dict) else None
        return [
            (image.get('id'), image_file_name(image))
            for image in images or ()
            if isinstance(image, dict) and {'file_name', 'coco_url'} & set(image)
        ]


def _missing(images: list[tuple[Any, str]], file: str, folder: str) -> str:
    missing = [
        (image_id, name)
        for image_id, name in images
        if not os.path.isfile(os.path.join(folder, name))
    ]
    if not missing:
        return ''
    image_id, name = missing[0]
    return (
        f'{len(missing)} of the {len(images)} images of {file} are not in '
        f'{folder or Path.cwd()}, the first is {name!r} (image id {image_id}).'
        f'{missing_hint(folder, name)} Correct data_root and data_prefix.img, or take '
        'them out of the file.'
    )


def _readable(level: Supervision) -> set[str] | None:
    if level is Supervision.MASKS:
        return None
    return {key for key, own in LABEL_KEYS.items() if own <= level}
