"""Reader of Label Studio's JSON export (labelstud.io, "Label Studio JSON format").

A list of tasks, each with annotations of one or more annotators, whose results are
regions. Coordinates are percent of the image, 0 to 100; rectangles turn about their
upper left corner. The short form JSON-MIN lacks what is needed and is refused. Where
the size of the image is not said, it is read from the image.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwsis.formats.coco_masks import shorten
from mmwsis.formats.json_file import read_json

from ..conversion import Progress
from .image_search import ImageFolder
from .labelstudio_regions import SHAPES, are_names, kind_of, shape_of, value_of
from .labelstudio_urls import image_paths, image_urls, unlikely_paths
from .records import INVALID, LEFT_OUT, Issue, LabelledImage, ReadResult
from .settings import ImportSettings
from .shapes import Shape, merge_shapes


def read_labelstudio(
    path: Path,
    settings: ImportSettings,
    *,
    folder: ImageFolder,
    open_progress: Callable[[int], Progress],
) -> ReadResult:
    """Read a Label Studio export.

    Args:
        path: The JSON.
        settings: How ambiguous regions are read, and whose annotations are taken.
        folder: The images; looked at where the export does not say their size.
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
    try:
        tasks = read_json(str(path))
    except RecursionError:
        raise ValueError(f'{path} is no export: it is nested too deeply') from None
    tasks = [tasks] if isinstance(tasks, Mapping) else tasks
    if not isinstance(tasks, list):
        raise ValueError(f'{path}: expected a list of tasks')
    for index, task in enumerate(tasks):
        if not isinstance(task, Mapping) or not isinstance(task.get('data'), Mapping):
            raise ValueError(
                f'{path}: task number {index} has no data; export the project as '
                '"JSON", not as JSON-MIN, CSV or COCO'
            )
    result, targets = ReadResult(), _file_targets(tasks)
    advance = open_progress(len(tasks))
    for task in tasks:
        for one in parse_task(task, path.name, settings, folder, targets):
            result.add(one)
        advance(1)
    return result


def parse_task(
    task: Mapping[str, Any],
    source: str,
    settings: ImportSettings,
    folder: ImageFolder,
    targets: Sequence[str],
) -> list[LabelledImage | Issue]:
    """Read one task.

    Args:
        task: The task.
        source: Name of the file, for messages.
        settings: How ambiguous regions are read, and whose annotations are taken.
        folder: The images; looked at where the task does not say their size.
        targets: Names of the images that the regions of the file are about.

    Returns:
        What was left out of the task, and its images (one, or those of a list of
        pages); a task that nobody finished gives none and says so.
    """
    source = f'{source}, task {shorten(task.get("id"))}'
    found: list[LabelledImage | Issue] = []
    try:
        key, urls = image_urls(task['data'], settings)
        annotation = _pick(task, source, settings, found)
        if annotation is None:
            return found
        entries = annotation.get('result')
        if not isinstance(entries, list):
            raise ValueError('the annotation has no list of results')
        _check_targets(targets, key, task['data'], settings)
    except ValueError as error:
        return [*found, Issue(INVALID, source, '', 'task', str(error))]
    if settings.to_name is not None:
        wanted = [e for e in entries if settings.to_name in (_targets(e) or targets)]
        others = sum(map(_is_region, entries)) - sum(map(_is_region, wanted))
        if others:
            reason = f'{others} regions are about another image than {settings.to_name}'
            found.append(Issue(LEFT_OUT, source, '', 'regions of other images', reason))
        entries = wanted
    if len(urls) == 1:
        return [*found, _image(source, urls[0], entries, settings, folder)]
    for page, url in enumerate(urls):
        own = [entry for entry in entries if _page(entry) == page]
        found.append(_image(f'{source}, page {page}', url, own, settings, folder))
    if any(_page(entry) not in range(len(urls)) for entry in entries):
        reason = f'results have an item_index that is none of {len(urls)} pages'
        found.append(Issue(INVALID, source, '', 'task', reason))
    return found


def _page(entry: Any) -> Any:
    index = entry.get('item_index', 0) if isinstance(entry, Mapping) else 0
    return index if isinstance(index, int) else None


def _targets(entry: Any) -> list[str]:
    """Names of what a result is about; few exports write a list."""
    value = entry.get('to_name') if isinstance(entry, Mapping) else None
    values = value if isinstance(value, list) else [value]
    return [name for name in values if isinstance(name, str)]


def _file_targets(tasks: Iterable[Any]) -> list[str]:
    """Names of the images that any region of a file is about."""
    names: dict[str, None] = {}
    for task in tasks:
        given = task.get('annotations', task.get('completions'))
        for annotation in given if isinstance(given, list) else ():
            result = annotation.get('result') if isinstance(annotation, Mapping) else 0
            for entry in result if isinstance(result, list) else ():
                if _is_region(entry):
                    names.update(dict.fromkeys(_targets(entry)))
    return list(names)


def _check_targets(
    targets: Sequence[str], key: str, data: Mapping[str, Any], settings: ImportSettings
) -> None:
    """Refuse regions that may be about another image than the one that is imported."""
    if settings.to_name is not None and settings.to_name not in targets:
        raise ValueError(
            f'--to-name says {settings.to_name!r}; the regions are about {targets}'
        )
    other_keys = {*targets} & {*data} - {key}
    if settings.to_name is None and (len(targets) > 1 or other_keys):
        raise ValueError(
            f'its regions are about {", ".join(targets)}, data has '
            f'{sorted(map(str, data))}; which belong to data.{key}? Import one image '
            'at a time: --image-key KEY --to-name NAME'
        )


def _is_region(entry: Any) -> bool:
    """Whether a result was drawn, other than a choice about the whole image."""
    if not isinstance(entry, Mapping) or entry.get('type') == 'choices':
        return False
    return 'original_width' in entry or kind_of(entry) is not None


def _image(
    source: str,
    url: str,
    entries: Sequence[Any],
    settings: ImportSettings,
    folder: ImageFolder,
) -> LabelledImage:
    """The image of a task with the results about it."""
    image = LabelledImage(source, [*image_paths(url), *unlikely_paths(url)])
    drawn = {_id(entry) for entry in entries if _is_region(entry)} - {None}
    shapes: list[Shape] = []
    by_id: dict[Any, list[Shape]] = {}
    later: list[tuple[str, Mapping[str, Any]]] = []
    for index, entry in enumerate(entries):
        item = f'result {index}'
        if not isinstance(entry, Mapping) or not isinstance(entry.get('type'), str):
            reason = 'a result must have a type and a value'
            image.report(INVALID, item, 'result', reason)
            continue
        item += f' ({entry["type"]}, id {shorten(entry.get("id"))})'
        if entry['type'] == 'choices' and _id(entry) not in drawn:
            choices = value_of(entry).get('choices')
            if are_names(choices):
                image.add_tags(choices, item)
            else:
                reason = f'choices must be a list of names, got {shorten(choices)}'
                image.report(INVALID, item, 'choices', reason)
        elif kind_of(entry) is not None:
            shape = shape_of(entry, item, image, settings, folder)
            if shape is not None:
                shapes.append(shape)
                by_id.setdefault(_id(entry), []).append(shape)
        else:
            later.append((item, entry))
    for item, entry in later:
        _keep_or_list(entry, item, by_id, image)
    merge_shapes(shapes, image, settings)
    return image


def _id(entry: Mapping[str, Any]) -> str | int | None:
    value = entry.get('id')
    return value if isinstance(value, (str, int)) else None


def _pick(
    task: Mapping[str, Any],
    source: str,
    settings: ImportSettings,
    found: list[LabelledImage | Issue],
) -> Mapping[str, Any] | None:
    """The annotation that counts, of those that annotators finished."""
    given = task.get('annotations', task.get('completions'))
    if settings.predictions and not given:
        given = task.get('predictions')
    if not isinstance(given, list):
        raise ValueError('annotations must be a list; export the project as "JSON"')
    if not all(isinstance(annotation, Mapping) for annotation in given):
        raise ValueError('every annotation must be an object')
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


def _keep_or_list(
    entry: Mapping[str, Any],
    item: str,
    by_id: Mapping[Any, list[Shape]],
    image: LabelledImage,
) -> None:
    """What is no shape: an attribute of one, or nothing that a label file can say."""
    kind, value = entry['type'], value_of(entry)
    owners = by_id.get(_id(entry), [])
    key = 'text' if kind == 'textarea' else kind
    if owners and key in value:
        name = entry.get('from_name')
        name = ','.join(map(str, name)) if isinstance(name, list) else name
        for shape in owners:
            shape.attributes[name if isinstance(name, str) else kind] = value[key]
        return
    if owners and f'{kind}labels' in SHAPES:
        return  # The bare shape that comes with the labelled one.
    reason = f'{kind} is no point, box, polygon or choice of the image'
    is_region = kind.endswith('labels') and are_names(value.get(kind))
    image.report(
        LEFT_OUT, item, f'result {kind}', reason, value[kind] if is_region else []
    )
