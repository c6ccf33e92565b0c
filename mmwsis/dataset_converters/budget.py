"""What an annotation budget buys: one subset a supervision level for the same hours.

The fixed-budget comparison of WISE (Laradji et al. 2019, Table 2). Default costs are
seconds an image of PASCAL VOC 2012, most of them by Bearman et al. (ECCV 2016). They
agree with 18.5 s to say which of 20 classes are there, plus 2.4 s for a click on each
of 1.5 classes (and 0.9 s for every further object), 7 s for a box by extreme clicks or
79 s for an outline of each of 2.8 objects; extreme points thus cost what boxes cost.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.formats.coco_file import read_coco
from mmwsis.structures.supervision import Supervision
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text
from mmwsis.utils.parallel import OrderedPool

from .finished_jobs import finished_jobs
from .mixture import build_mixture, rank_images
from .output_files import provenance
from .weak_labels import WeakProtocol

Progress = Callable[[int], None]


class Cost(NamedTuple):
    """Seconds that labels take.

    Attributes:
        image: For an image.
        obj: For every object on top of it; crowd regions do not count.
    """

    image: float
    obj: float = 0.0

    def __str__(self) -> str:
        return f'{self.image:g}+{self.obj:g}' if self.obj else f'{self.image:g}'


# 'counts' is a level of Bearman et al.'s table that label files do not have: it is
# counted, and no file is written for it.
COUNTS = 'counts'
VOC_COSTS: dict[str, Cost] = {
    'image_tags': Cost(20.0),
    COUNTS: Cost(22.2),
    'points': Cost(22.1),
    'boxes': Cost(38.1),
    'extreme_points': Cost(38.1),
    'masks': Cost(239.7),
}


class BudgetRow(NamedTuple):
    """What the budget buys at one level.

    Attributes:
        level: Level, or 'counts'.
        cost: Seconds an image and an object.
        image_ids: The images drawn, in the order of the draw.
        objects: Objects in them.
        seconds: What they cost.
        is_capped: Whether the dataset ended before the money.
        file: The label file; None for 'counts'.
    """

    level: str
    cost: Cost
    image_ids: list[int | str]
    objects: int
    seconds: float
    is_capped: bool
    file: str | None


def parse_cost(text: str) -> tuple[str, Cost]:
    """Read a cost as it is written on a command line.

    Args:
        text: 'masks=239.7' (seconds an image), or 'masks=18.5+79' (an image + an
            object).

    Returns:
        Level and cost.

    Raises:
        ValueError: Another form, or an unknown level.
    """
    level, _, value = text.partition('=')
    parts = value.split('+')
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 2:
        raise ValueError(
            'a cost is written LEVEL=SECONDS, or LEVEL=SECONDS+SECONDS for an image '
            f'and each of its objects; given {text!r}'
        )
    return level, _checked_cost(level, Cost(*numbers), f'--cost {text}')


def read_costs(path: str | os.PathLike) -> dict[str, Cost]:
    """Read a cost table.

    Args:
        path: JSON object from level to seconds an image, or to
            ``{"image": seconds, "object": seconds}``.

    Returns:
        Costs by level.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such table; the message names file and level.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist; it should hold costs by level')
    try:
        table = json.loads(path.read_text(encoding='utf-8'))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{path} is no JSON: {error}') from None
    if not isinstance(table, dict) or not table:
        raise ValueError(f'{path}: expected an object from level to seconds')
    costs = {}
    for level, value in table.items():
        parts = {'image': value} if not isinstance(value, dict) else value
        if not set(parts) <= {'image', 'object'} or not all(
            isinstance(part, (int, float)) for part in parts.values()
        ):
            raise ValueError(
                f'{path}: {level}: expected seconds an image or {{"image": seconds, '
                f'"object": seconds}}, given {value!r}'
            )
        cost = Cost(parts.get('image', 0.0), parts.get('object', 0.0))
        costs[level] = _checked_cost(level, cost, str(path))
    return costs


def _checked_cost(level: str, cost: Cost, where: str) -> Cost:
    if level not in VOC_COSTS:
        raise ValueError(f'{where}: level must be one of {[*VOC_COSTS]}, got {level!r}')
    if not all(0 <= part < 1e9 for part in cost) or sum(cost) <= 0:
        raise ValueError(
            f'{where}: seconds must not be negative, and not all zero; got {cost}'
        )
    return cost


def affordable(
    ranked: Sequence[int | str],
    objects: Mapping[int | str, int],
    cost: Cost,
    seconds: float,
) -> tuple[list[int | str], float]:
    """Images that a budget buys, taken in the given order.

    The last image is taken if at least half of it is paid for: with a fixed cost an
    image that is round(budget / cost), as in the paper.

    Args:
        ranked: Image ids in the order of the draw.
        objects: Number of objects in each image.
        cost: What the labels take.
        seconds: The budget.

    Returns:
        The ids, and the seconds that they cost.
    """
    taken: list[int | str] = []
    spent = 0.0
    for image_id in ranked:
        price = cost.image + cost.obj * objects[image_id]
        if spent + price / 2 > seconds:
            break
        taken.append(image_id)
        spent += price
    return taken, spent


def spend_budget(
    source: str | os.PathLike,
    out_dir: str | os.PathLike,
    seconds: float,
    costs: Mapping[str, Cost],
    protocol: WeakProtocol | None = None,
    *,
    seed: int = 0,
    workers: int = 1,
    skip_invalid: bool = False,
    overwrite: bool = False,
    open_progress: Callable[[int], Progress] | None = None,
) -> list[BudgetRow]:
    """Write the subset that each level can afford, and a table of them.

    Images are drawn uniformly and without replacement, in one order for all levels:
    what masks afford is part of what boxes afford, so that levels differ in labels and
    number alone. Finished annotations survive a kill beside the first file; the same
    call goes on from there.

    Args:
        source: COCO or LVIS JSON with masks.
        out_dir: Folder for ``<level>_<split>.json``, ``budget.json`` (with the ids of
            the images) and ``budget.md``.
        seconds: The budget, > 0.
        costs: Cost by level; the levels that are wanted.
        protocol: How weak labels are simulated; the defaults if None.
        seed: Of the draw.
        workers: Number of processes, >= 1. The result does not depend on it.
        skip_invalid: Leave out annotations that cannot be converted.
        overwrite: Replace existing files.
        open_progress: Called with the number of annotations; returns the function that
            counts finished ones.

    Returns:
        One row a level, the cheapest first.

    Raises:
        FileExistsError: An output exists and ``overwrite`` is off.
        FileNotFoundError: ``source`` does not exist.
        ValueError: ``source`` is not well formed, or the budget buys no image of a
            level; nothing has been written.
    """
    if not seconds > 0:
        raise ValueError(f'the budget must be positive, given {seconds:g} seconds')
    source, out_dir = Path(source), Path(out_dir)
    protocol = protocol or WeakProtocol()
    split = source.stem.removeprefix('instances_')
    paths = {level: out_dir / f'{level}_{split}.json' for level in costs}
    paths.pop(COUNTS, None)
    tables = [out_dir / 'budget.json', out_dir / 'budget.md']
    # Workers are forked before the file is read: they stay small.
    with (
        OrderedPool(workers) as processes,
        finished_jobs([*paths.values(), *tables], [source], overwrite) as finished,
    ):
        pool = finished.remember(processes)
        coco = read_coco(source)
        rows = _rows(coco, seconds, costs, paths, seed, str(source))
        total = _annotations_to_convert(coco, rows)
        progress = open_progress(total) if open_progress else lambda done: None
        files = {}
        for row in rows:
            if row.file is None:
                continue
            level = Supervision.parse(row.level)
            files[row.level] = build_mixture(
                coco,
                dict.fromkeys(row.image_ids, level),
                protocol,
                source=str(source),
                pool=pool,
                skip_invalid=skip_invalid,
                progress=progress,
            )
            files[row.level]['info']['mmwsis'] = provenance(
                'annotation_budget',
                source,
                level,
                seed=seed,
                budget_seconds=seconds,
                cost=row.cost._asdict(),
            )
        finished.start_writing()
        for level, document in files.items():
            atomic_write_json(paths[level], document)
        summary = dict(
            provenance('annotation_budget', source, seed=seed, budget_seconds=seconds),
            levels=[_row_entry(row) for row in rows],
        )
        atomic_write_json(tables[0], summary, indent=1)
        atomic_write_text(tables[1], format_table(rows, seconds))
    return rows


def _annotations_to_convert(coco: Mapping[str, Any], rows: Sequence[BudgetRow]) -> int:
    drawn = [set(row.image_ids) for row in rows if row.file is not None]
    return sum(
        sum(ann['image_id'] in ids for ids in drawn) for ann in coco['annotations']
    )


def _rows(
    coco: Mapping[str, Any],
    seconds: float,
    costs: Mapping[str, Cost],
    paths: Mapping[str, Path],
    seed: int,
    source: str,
) -> list[BudgetRow]:
    objects = {image['id']: 0 for image in coco['images']}
    for annotation in coco['annotations']:
        objects[annotation['image_id']] += not annotation.get('iscrowd', 0)
    ranked = rank_images(list(objects), seed)
    rows = []
    for level, cost in costs.items():
        ids, spent = affordable(ranked, objects, cost, seconds)
        if not ids:
            raise ValueError(
                f'{source}: {seconds:g} seconds do not buy one image of level {level}, '
                f'which costs {cost} seconds'
            )
        rows.append(
            BudgetRow(
                level=level,
                cost=cost,
                image_ids=ids,
                objects=sum(objects[key] for key in ids),
                seconds=spent,
                is_capped=len(ids) == len(ranked) and spent < seconds,
                file=paths[level].name if level in paths else None,
            )
        )
    return sorted(rows, key=lambda row: -len(row.image_ids))


def _row_entry(row: BudgetRow) -> dict[str, Any]:
    return dict(row._asdict(), cost=row.cost._asdict(), images=len(row.image_ids))


def format_table(rows: Sequence[BudgetRow], seconds: float) -> str:
    """Markdown table of what a budget buys.

    Args:
        rows: Result of :func:`spend_budget`.
        seconds: The budget.

    Returns:
        Text that ends with a line break.
    """
    lines = [
        f'Budget: {seconds / 3600:.2f} hours ({seconds:g} seconds)',
        '',
        '| level | seconds an image (+ an object) | images | objects | hours | file |',
        '| --- | --- | --- | --- | --- | --- |',
    ]
    for row in rows:
        images = f'{len(row.image_ids)}{" (all)" if row.is_capped else ""}'
        lines.append(
            f'| {row.level} | {row.cost} | {images} | {row.objects} | '
            f'{row.seconds / 3600:.2f} | {row.file or "none, only counted"} |'
        )
    return '\n'.join(lines) + '\n'
