"""Reader of Label Studio's JSON export (labelstud.io, "Label Studio JSON format").

A list of tasks, each with annotations of one or more annotators, whose results are
regions. Coordinates are percent of the image, 0 to 100; rectangles turn about their
upper left corner. The short form JSON-MIN lacks what is needed and is refused.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwsis.formats.json_file import read_json

from ..conversion import Progress
from .labelstudio_urls import image_paths, image_url
from .records import CHANGED, INVALID, LEFT_OUT, Issue, LabelledImage, Point, ReadResult
from .settings import ImportSettings
from .shapes import Shape, box_around_rotated, keep_rotated, merge_shapes

# Type of a result -> kind of shape; the value holds the labels under the type's name.
_SHAPES = {
    'keypointlabels': 'clicks',
    'rectanglelabels': 'box',
    'polygonlabels': 'polygon',
}


def read_labelstudio(
    path: Path, settings: ImportSettings, *, open_progress: Callable[[int], Progress]
) -> ReadResult:
    """Read a Label Studio export.

    Args:
        path: The JSON.
        settings: How ambiguous regions are read, and whose annotations are taken.
        open_progress: Called with the number of tasks; returns the function that
            counts finished ones.

    Returns:
        What the file holds.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such export.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} is no file; give the JSON export of a project')
    tasks = read_json(str(path))
    tasks = [tasks] if isinstance(tasks, Mapping) else tasks
    if not isinstance(tasks, list):
        raise ValueError(f'{path}: expected a list of tasks')
    result = ReadResult()
    advance = open_progress(len(tasks))
    for index, task in enumerate(tasks):
        if not isinstance(task, Mapping) or not isinstance(task.get('data'), Mapping):
            raise ValueError(
                f'{path}: task number {index} has no data; export the project as '
                '"JSON", not as JSON-MIN, CSV or COCO'
            )
        for one in parse_task(task, path.name, settings):
            result.add(one)
        advance(1)
    return result


def parse_task(
    task: Mapping[str, Any], source: str, settings: ImportSettings
) -> list[LabelledImage | Issue]:
    """Read one task.

    Args:
        task: The task.
        source: Name of the file, for messages.
        settings: How ambiguous regions are read, and whose annotations are taken.

    Returns:
        What was left out of the task, and its image; a task that nobody finished gives
        none and says so.
    """
    source = f'{source}, task {task.get("id")!r}'
    found: list[LabelledImage | Issue] = []
    try:
        url = image_url(task['data'], settings)
        annotation = _pick(task, source, settings, found)
    except ValueError as error:
        return [*found, Issue(INVALID, source, '', 'task', str(error))]
    if annotation is None:
        return found
    entries = annotation.get('result')
    if not isinstance(entries, list):
        reason = 'the annotation has no list of results'
        return [*found, Issue(INVALID, source, '', 'annotation', reason)]
    image = LabelledImage(source, image_paths(url))
    drawn = {
        _id(entry)
        for entry in entries
        if isinstance(entry, Mapping) and 'original_width' in entry
        and entry.get('type') != 'choices'
    }  # fmt: skip
    shapes: list[Shape] = []
    by_id: dict[Any, list[Shape]] = {}
    later: list[tuple[str, Mapping[str, Any]]] = []
    for index, entry in enumerate(entries):
        item = f'result {index}'
        if not isinstance(entry, Mapping) or not isinstance(entry.get('type'), str):
            reason = 'a result must have a type and a value'
            image.report(INVALID, item, 'result', reason)
            continue
        item += f' ({entry["type"]}, id {entry.get("id")!r})'
        if entry['type'] == 'choices' and _id(entry) not in drawn:
            choices = _value(entry).get('choices')
            if _are_names(choices):
                image.tags += choices
            else:
                reason = f'choices must be a list of names, got {choices!r}'
                image.report(INVALID, item, 'choices', reason)
        elif _kind_of(entry) is not None:
            shape = _shape(entry, item, image, settings)
            if shape is not None:
                shapes.append(shape)
                by_id.setdefault(_id(entry), []).append(shape)
        else:
            later.append((item, entry))
    for item, entry in later:
        _keep_or_list(entry, item, by_id, image)
    merge_shapes(shapes, image, settings)
    return [*found, image]


def _id(entry: Mapping[str, Any]) -> str | int | None:
    value = entry.get('id')
    return value if isinstance(value, (str, int)) else None


def _value(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a result says; nothing if it is broken."""
    value = entry.get('value')
    return value if isinstance(value, Mapping) else {}


def _pick(
    task: Mapping[str, Any],
    source: str,
    settings: ImportSettings,
    found: list[LabelledImage | Issue],
) -> Mapping[str, Any] | None:
    """The annotation that counts, of those that annotators finished."""
    given = task.get('annotations', task.get('completions'))
    if not isinstance(given, list):
        raise ValueError('annotations must be a list; export the project as "JSON"')
    given = [annotation for annotation in given if isinstance(annotation, Mapping)]
    finished = [one for one in given if not one.get('was_cancelled')]
    for one in given:
        if one.get('was_cancelled'):
            found.append(_left_annotation(source, one, 'it was skipped'))
    if not finished:
        what = 'skipped task' if given else 'task without annotation'
        reason = 'nobody labelled it, so that the image is left out'
        if task.get('predictions'):
            reason += '; it has predictions of a model, which are no labels'
        found.append(Issue(LEFT_OUT, source, '', what, reason))
        return None
    truth = [one for one in finished if one.get('ground_truth')]
    if settings.annotator in ('latest', 'first'):
        pool = truth or finished
        picked = (max if settings.annotator == 'latest' else min)(pool, key=_when)
    else:
        own = [one for one in finished if settings.annotator in _annotator_names(one)]
        picked = max(own, key=_when) if own else None
    for one in finished:
        if one is not picked:
            reason = 'an image has the labels of one annotator; another one was taken'
            found.append(_left_annotation(source, one, reason))
    if picked is None:
        reason = f'annotator {settings.annotator} did not label it; it is left out'
        found.append(Issue(LEFT_OUT, source, '', 'task of other annotators', reason))
    return picked


def _when(annotation: Mapping[str, Any]) -> tuple[str, int]:
    stamp = annotation.get('updated_at') or annotation.get('created_at') or ''
    number = annotation.get('id')
    return str(stamp), number if isinstance(number, int) else 0


def _annotator_names(annotation: Mapping[str, Any]) -> set[str]:
    by = annotation.get('completed_by')
    if isinstance(by, Mapping):
        return {str(by.get('id')), str(by.get('email'))}
    return {str(by)}


def _left_annotation(source: str, one: Mapping[str, Any], reason: str) -> Issue:
    by = one.get('completed_by')
    by = by.get('email', by.get('id')) if isinstance(by, Mapping) else by
    item = f'annotation {one.get("id")!r} by {by!r}'
    return Issue(LEFT_OUT, source, item, 'annotation of a task', reason)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _kind_of(entry: Mapping[str, Any]) -> str | None:
    """Kind of shape of a region that bears its labels."""
    if entry['type'] != 'labels':
        return _SHAPES.get(entry['type'])
    # <Labels> beside <Rectangle> and the like: one type for all, told apart by keys.
    keys = _value(entry).keys()
    if 'points' in keys:
        return 'polygon'
    if {'x', 'y'} <= keys and not keys & {'rle', 'radiusX'}:
        return 'box' if 'height' in keys else 'clicks'
    return None


def _shape(
    entry: Mapping[str, Any], item: str, image: LabelledImage, settings: ImportSettings
) -> Shape | None:
    kind, value = entry['type'], _value(entry)
    labels = value.get(kind) if _are_names(value.get(kind)) else None
    if labels is not None and len(labels) != 1:
        reason = f'an object has one class, this region has {labels or "none"}'
        image.report(LEFT_OUT, item, 'region without one class', reason, labels)
        return None
    if entry.get('image_rotation'):
        reason = (
            f'drawn on the image turned by {entry["image_rotation"]} degrees; turn the '
            'image file itself instead'
        )
        image.report(LEFT_OUT, item, 'region of a turned image', reason, labels or [])
        return None
    try:
        if labels is None:
            raise ValueError(f'the value must have {kind}, got {entry.get("value")!r}')
        points = _points(value, _kind_of(entry), _set_size(entry, image))
        shape = Shape(_kind_of(entry), labels[0], f'{item} {labels[0]!r}', points)
        degrees = float(value.get('rotation') or 0) % 360
    except (TypeError, ValueError) as error:
        image.report(INVALID, item, kind, str(error), labels or [])
        return None
    if shape.kind == 'polygon' and value.get('closed') is False:
        reason = 'the polygon was left open; its last corner is joined to its first'
        image.report(CHANGED, item, 'open polygon', reason)
    if shape.kind == 'box' and degrees:
        corners = (*points[0], *points[1])
        shape.points = box_around_rotated(corners, degrees, points[0])
        return keep_rotated(shape, degrees, image, settings)
    return shape


def _set_size(entry: Mapping[str, Any], image: LabelledImage) -> tuple[int, int]:
    size = entry.get('original_width'), entry.get('original_height')
    if not all(isinstance(side, int) and side > 0 for side in size):
        raise ValueError(
            f'original_width and original_height must be pixels, got {size}'
        )
    if image.width is None:
        image.width, image.height = size
    if (image.width, image.height) != size:
        raise ValueError(
            f'the image is {size[0]}x{size[1]} here and {image.width}x{image.height} '
            'in a result before'
        )
    return size


def _points(value: Mapping[str, Any], kind: str, size: tuple[int, int]) -> list[Point]:
    keys = ('x', 'y', 'width', 'height') if kind == 'box' else ('x', 'y')
    try:
        if kind == 'polygon':
            percent: Iterable[Sequence[float]] = value['points']
        else:
            x, y, *extent = (float(value[key]) for key in keys)
            corner = [(x + extent[0], y + extent[1])] if extent else []
            percent = [(x, y), *corner]
        return [(x / 100 * size[0], y / 100 * size[1]) for x, y in percent]
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f'the value needs {"points" if kind == "polygon" else ", ".join(keys)} in '
            f'percent, got {dict(value)!r}'
        ) from None


def _keep_or_list(
    entry: Mapping[str, Any],
    item: str,
    by_id: Mapping[Any, list[Shape]],
    image: LabelledImage,
) -> None:
    """What is no shape: an attribute of one, or nothing that a label file can say."""
    kind, value = entry['type'], _value(entry)
    owners = by_id.get(_id(entry), [])
    if owners and kind in value:
        for shape in owners:
            shape.attributes[entry.get('from_name') or kind] = value[kind]
        return
    if owners and f'{kind}labels' in _SHAPES:
        return  # The bare shape that comes with the labelled one.
    reason = f'{kind} is no point, box, polygon or choice of the image'
    if kind == 'brushlabels':
        reason = 'brush masks are not read; draw polygons instead'
    is_region = kind.endswith('labels') and _are_names(value.get(kind))
    image.report(
        LEFT_OUT, item, f'result {kind}', reason, value[kind] if is_region else []
    )
