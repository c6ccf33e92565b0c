"""Putting the label file of an import together, and refusing it."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmwsis.formats.checks import check_coco
from mmwsis.formats.validation import validate_document
from mmwsis.structures.supervision import Supervision, restrict_coco

from ..conversion import shorten, source_block
from ..image_records import coco_document
from .records import (
    CHANGED,
    INVALID,
    LEFT_OUT,
    WARNING,
    BuiltImage,
    Issue,
    ReadResult,
)
from .settings import ImportSettings
from .shapes import ODD_CLICKS


class LabelImportError(ValueError):
    """Labels that are broken, or that must not be left out.

    Attributes:
        issues: One each.
    """

    def __init__(self, message: str, issues: Sequence[Issue], advice: str) -> None:
        self.issues = list(issues)
        listed = [shorten([str(issue) for issue in issues])] if issues else []
        super().__init__('\n'.join([message, *listed, advice]))


@dataclass
class ImportResult:
    """What an import gave.

    Attributes:
        coco: The label file.
        issues: What did not go over as it was.
        missing_images: File names without a file in the image folder.
        empty_images: Number of images without any label.
        clicks_in_one: Number of shapes of four clicks that were read as extreme points
            of one object.
    """

    coco: dict[str, Any]
    issues: list[Issue]
    missing_images: list[str]
    empty_images: int
    clicks_in_one: int = 0

    def count(self, kind: str) -> Counter:
        """How often each thing was left out, changed or invalid.

        Args:
            kind: 'left_out', 'changed', 'invalid' or 'warning'.

        Returns:
            What it is -> how often.
        """
        return Counter(issue.what for issue in self.issues if issue.kind == kind)

    def report(self) -> dict[str, Any]:
        """The whole list, for a file.

        Returns:
            JSON-serialisable: counts and lists of the four kinds, and missing images.
        """
        keys = Issue._fields[1:]
        counts, lists = {}, {}
        for kind in (LEFT_OUT, CHANGED, INVALID, WARNING):
            own = [issue for issue in self.issues if issue.kind == kind]
            counts[kind] = dict(self.count(kind))
            lists[kind] = [dict(zip(keys, issue[1:])) for issue in own]
        return dict(
            counts=counts,
            missing_images=self.missing_images,
            empty_images=self.empty_images,
            **lists,
        )


def assemble(
    tool: str,
    path: Path,
    read: ReadResult,
    built: Sequence[BuiltImage],
    ids: Mapping[str, int],
    settings: ImportSettings,
) -> ImportResult:
    """Number images and objects, and say where the file comes from.

    Args:
        tool: The labelling tool.
        path: Its file or folder.
        read: What was read.
        built: The images, checked.
        ids: Category id by class name.
        settings: The user's choices.

    Returns:
        The label file and what is to be said about it.
    """
    issues = [*read.issues, *(one for image in built for one in image.issues)]
    issues += _odd_clicks(built, issues, path)
    images = _first_of_each(built, issues)
    empty = [image for image in images if not image.record['image']['tags']]
    if settings.drop_empty:
        reason = 'it has no label at all'
        issues += [
            Issue(LEFT_OUT, image.source, '', 'empty image', reason) for image in empty
        ]
        images = [image for image in images if image.record['image']['tags']]
    images.sort(key=lambda image: image.record['image']['file_name'])
    levels = _levels(images)
    for image, level in zip(images, levels):
        image.record['image']['supervision'] = level.label
    categories = [dict(id=number, name=name) for name, number in ids.items()]
    for category in categories if settings.stuff else ():
        category['isthing'] = int(category['name'] not in settings.stuff)
    if settings.keep_ids:
        issues += _keep_ids(images)
    coco = coco_document([image.record for image in images], {}, categories)
    result = ImportResult(
        coco=coco,
        issues=issues,
        missing_images=sorted({one.file_name for one in built if not one.is_found}),
        empty_images=0 if settings.drop_empty else len(empty),
        clicks_in_one=sum(one.clicks_in_one for one in images),
    )
    # A file without any label is of no level.
    is_one = len(set(levels)) == 1 and any(
        one.record['image']['tags'] for one in images
    )
    coco['info']['mmwsis'] = source_block(
        'import_labels',
        path,
        levels[0] if is_one else None,
        labelling_tool=tool,
        images_by_level=dict(Counter(level.label for level in levels)),
        **(dict(ids_kept=True) if settings.keep_ids else {}),
        **{kind: result.count(kind).total() for kind in (LEFT_OUT, CHANGED, INVALID)},
    )
    return result


def _keep_ids(images: Sequence[BuiltImage]) -> list[Issue]:
    """Number the objects that have no id; an id that two have is an issue."""
    issues: list[Issue] = []
    owners: dict[int, str] = {}
    new = []
    for image in images:
        for entry in image.record['objects']:
            number = entry.get('id')
            if number is None:
                new.append(entry)
            elif number not in owners:
                owners[number] = image.source
            elif owners[number] == image.source:
                # Such as one of two parts that got another class.
                new.append(entry)
                reason = (
                    f'another object of the image has id {number}; it gets a new one'
                )
                issues.append(Issue(CHANGED, image.source, '', 'id twice', reason))
            else:
                reason = (
                    f'an object has id {number}, which one in {owners[number]} has '
                    'already; take the id off the copy'
                )
                issues.append(Issue(INVALID, image.source, '', 'id twice', reason))
    fresh = itertools.count(max(owners, default=0) + 1)
    for entry in new:
        entry.update(id=next(fresh), is_new=True)
    return issues


def _odd_clicks(
    built: Sequence[BuiltImage], issues: Sequence[Issue], path: Path
) -> list[Issue]:
    """Shapes of four clicks are hardly one object where others have three or five."""
    in_one = sum(image.clicks_in_one for image in built)
    others = sum(
        one.what == ODD_CLICKS and ' more of ' not in one.item for one in issues
    )
    if not in_one or not others:
        return []
    reason = (
        f'{in_one} shapes of four clicks are read as extreme points, but {others} have '
        'other numbers of clicks; if every click is an object, say --split-points'
    )
    return [Issue(WARNING, path.name, '', 'four clicks read as one object', reason)]


def _levels(images: Sequence[BuiltImage]) -> list[Supervision]:
    # Nothing in an image is as complete a label as any: it takes the others' level.
    tags = Supervision.IMAGE_TAGS
    strongest = max((x.level for x in images if x.level is not None), default=tags)
    return [
        (tags if image.record['image']['tags'] else strongest)
        if image.level is None
        else image.level
        for image in images
    ]


def _first_of_each(
    images: Sequence[BuiltImage], issues: list[Issue]
) -> list[BuiltImage]:
    """Usable images; an image that has labels twice is an issue."""
    first: dict[str, BuiltImage] = {}
    for image in images:
        if image.record is None:
            continue
        name = image.record['image']['file_name']
        other = first.setdefault(name, image)
        if other is not image:
            reason = (
                f'{name} has labels in {other.source} already; an image can be in a '
                'label file once'
            )
            issues.append(Issue(INVALID, image.source, '', 'image twice', reason))
    return list(first.values())


def refuse(
    result: ImportResult, settings: ImportSettings, path: Path, skip_invalid: bool
) -> None:
    """Raise if what was found must not be written.

    Args:
        result: Of :func:`assemble`.
        settings: The user's choices.
        path: The label files, for messages.
        skip_invalid: Leave out what is broken.

    Raises:
        LabelImportError: Something is broken, or lost although ``strict`` is on, or no
            image is left.
        ValueError: There is no class, or the result is no label file.
    """
    invalid = [one for one in result.issues if one.kind == INVALID]
    if invalid and not skip_invalid:
        raise LabelImportError(
            f'{path}: {len(invalid)} label(s) are broken, so that nothing was written:',
            invalid,
            'Fix them in the labelling tool, or leave them out with --skip-invalid.',
        )
    lost = [one for one in result.issues if one.kind in (LEFT_OUT, CHANGED)]
    if lost and settings.strict:
        raise LabelImportError(
            f'{path}: {len(lost)} label(s) cannot go over as they are, so that nothing '
            'was written:',
            lost,
            'Change them in the labelling tool, or drop --strict.',
        )
    if not result.coco['images']:
        raise LabelImportError(
            f'{path}: no image is left, so that nothing was written:',
            result.issues,
            'Is it a file of this tool, and is anything labelled in it?',
        )
    if not result.coco['categories']:
        raise LabelImportError(
            f'{path}: there is no label in any of {len(result.coco["images"])} images'
            + (':' if result.issues else ', so that nothing was written.'),
            result.issues,
            'Name the classes with --classes if that is right.',
        )
    # What a dataset or the validator would refuse must not be written; the guard may
    # drop nothing but the tool's own attributes.
    source, masks = f'import of {path}', Supervision.MASKS
    check_coco(restrict_coco(result.coco, masks), source, masks)
    validate_document(result.coco, source).log.raise_first(source)
