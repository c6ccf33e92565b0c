"""What of a label file is exported, and the check of its images."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mmwsis.formats.coco_file import annotations_by_image, image_file_name
from mmwsis.structures.supervision import annotation_place

from ..importers.image_files import displayed_size
from .objects import Abilities, ExportImage, export_object
from .settings import ExportSettings

_FILE_PER_IMAGE = {'labelme': 'LabelMe', 'yolo-seg': 'YOLO'}
_WHOLE_IDS = ('labelme', 'cvat', 'labelstudio')
# An image and its annotations.
Job = tuple[Mapping[str, Any], list[Mapping[str, Any]]]


def select(
    coco: Mapping[str, Any],
    source: str,
    annotation_ids: Collection[int] | None,
    image_ids: Collection[int] | None,
) -> list[Job]:
    """Choose images and annotations of a label file.

    Args:
        coco: The label file.
        source: Its name, for messages.
        annotation_ids: Only these, and only the images that have them; None: all.
        image_ids: Only these images; with ``annotation_ids``, these beside the images
            that have them; None: all.

    Returns:
        Images with their annotations, in the order of the file.

    Raises:
        ValueError: An id is not in the file, or no image is left.
    """
    by_image = annotations_by_image(coco)
    wanted = None if annotation_ids is None else set(annotation_ids)
    images = None if image_ids is None else set(image_ids)
    for kind, ids, known in (
        ('annotation', wanted, {one['id'] for one in coco['annotations']}),
        ('image', images, set(by_image)),
    ):
        missing = sorted((ids or set()) - known, key=str)
        if missing:
            more = f' (and {len(missing) - 1} more)' if len(missing) > 1 else ''
            raise ValueError(f'{source}: there is no {kind} of id {missing[0]}{more}')
    jobs = []
    for image in coco['images']:
        own = by_image[image['id']]
        if wanted is not None:
            own = [one for one in own if one['id'] in wanted]
        is_listed = images is not None and image['id'] in images
        if is_listed or (own if wanted is not None else images is None):
            jobs.append((image, own))
    if not jobs:
        raise ValueError(f'{source}: there is no image to export')
    return jobs


def refuse_names(images: Iterable[ExportImage], to: str) -> None:
    """Refuse images whose labels would be one file, or be looked for elsewhere.

    Args:
        images: What to write.
        to: Format; LabelMe and YOLO have a file of labels for each image.

    Raises:
        ValueError: Two differ in their extension alone, or for YOLO one lies in a
            folder ``images``, which readers replace by ``labels``, or ``labels``.
    """
    tool = _FILE_PER_IMAGE.get(to)
    if tool is None:
        return
    seen: dict[str, str] = {}
    for image in images:
        name = PurePosixPath(image.file_name)
        other = seen.setdefault(str(name.with_suffix('')), image.file_name)
        if other != image.file_name:
            raise ValueError(
                f'{other} and {image.file_name} differ in their extension alone, and '
                f'{tool} has one label file for both; rename one'
            )
        taken = {'images', 'labels'}.intersection(name.parts[:-1])
        if to == 'yolo-seg' and taken:
            raise ValueError(
                f'{image.file_name}: YOLO finds labels by putting labels/ for images/, '
                f'so that no folder below the image folder can be named {min(taken)}'
            )


def refuse_ids(images: Iterable[ExportImage], to: str, source: str) -> None:
    """Refuse annotations whose ids would not come back.

    Args:
        images: What to write.
        to: Format; labelling tools' files hold whole numbers from 0 on.
        source: Name of the label file.

    Raises:
        ValueError: An id is a text, or negative; the message names file and id.
    """
    if to not in _WHOLE_IDS:
        return
    for image in images:
        for one in image.objects:
            if type(one.id) is not int or one.id < 0:
                raise ValueError(
                    f'{annotation_place(source, one.annotation)}: only whole ids from '
                    f'0 on come back from {to}; number the annotations anew'
                )


def export_image(
    job: Job,
    names: Mapping[int, str],
    abilities: Abilities,
    settings: ExportSettings,
    img_dir: Path | None,
    source: str,
) -> ExportImage:
    """Bring the objects of an image into a form that a format can hold.

    Args:
        job: The image and its annotations.
        names: Class by category id.
        abilities: Of the format.
        settings: The user's choices.
        img_dir: The image folder, if it is known.
        source: Name of the label file, for messages.

    Returns:
        The image; annotations that are broken are its problems.

    Raises:
        FileNotFoundError: The image does not exist.
        ValueError: Its name is no place below the image folder, or it has another size
            than the label file says.
    """
    image, annotations = job
    file_name = image_file_name(image).replace('\\', '/')
    where = f'{source}: image id {image["id"]}'
    parts = file_name.split('/')
    if file_name.startswith('/') or '..' in parts or ':' in parts[0]:
        raise ValueError(
            f'{where}: file_name {file_name!r} must be a place below the image folder'
        )
    made = ExportImage(image, file_name)
    if img_dir is not None:
        _check_size(made, img_dir / file_name, where)
    for annotation in annotations:
        if not abilities.crowd and annotation.get('iscrowd'):
            reason = 'a crowd region, which the format cannot mark'
            made.left_out.append((annotation['id'], reason))
            continue
        name = names[annotation['category_id']]
        try:
            one = export_object(annotation, name, made.size, abilities, settings)
            made.objects.append(one)
        except ValueError as error:
            made.problems.append((annotation['id'], str(error)))
    own = {annotation['category_id'] for annotation in annotations}
    others = [tag for tag in image.get('tags') or () if tag not in own]
    made.tags = [names[tag] for tag in others if tag in names]
    return made


def _check_size(image: ExportImage, path: Path, where: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(
            f'{where}: {path} does not exist; is it the image folder?'
        )
    size = displayed_size(path)
    if size != image.size:
        raise ValueError(
            f'{where}: the label file says {image.size[0]}x{image.size[1]} pixels, '
            f'{path} has {size[0]}x{size[1]} (upright); are these the images?'
        )
