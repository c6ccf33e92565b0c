"""What an annotation budget buys: one subset per supervision level for the same hours.

The fixed-budget comparison of WISE (Laradji et al. 2019, Table 2). Default costs are
seconds per image of PASCAL VOC 2012, most of them by Bearman et al. (ECCV 2016). They
agree with 18.5 s to say which of 20 classes are there, plus 2.4 s for a click on each
of 1.5 classes (and 0.9 s for every further object), 7 s for a box by extreme clicks or
79 s for an outline of each of 2.8 objects; extreme points thus cost what boxes cost.
"""

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.formats.coco_file import load_coco, read_coco
from mmwsis.formats.json_file import read_json
from mmwsis.structures.supervision import Supervision
from mmwsis.utils.markdown import markdown_table
from mmwsis.utils.parallel import OrderedPool

from .coco2weak import output_name
from .conversion import RunOptions, refuse_existing, source_block, with_source
from .mixture import ImageId, build_mixture, rank_images
from .outputs import Outputs
from .weak_labels import WeakProtocol


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


VOC_COSTS: dict[str, Cost] = {
    'image_tags': Cost(20.0),
    'points': Cost(22.1),
    'boxes': Cost(38.1),
    'extreme_points': Cost(38.1),
    'masks': Cost(239.7),
}


# Seconds that Bearman et al. (ECCV 2016) measured on VOC, and Papadopoulos et al. (ICCV
# 2017) for a box by extreme clicks.
_CLASS = 1.0  # to say whether a class is in the image
_FIRST_CLICK, _NEXT_CLICK = 2.4, 0.9  # on an object of a class
_BOX = 7.0
_OUTLINE = 79.0


def dataset_costs(coco: Mapping[str, Any], num_classes: int) -> dict[str, Cost]:
    """Costs of a dataset, by its own numbers of classes and objects.

    What was measured on VOC is a second for every class that is not in an image, and
    2.4 s for the first click on an object of a class, 0.9 s for every further one, 7 s
    for a box or four extreme clicks, or 79 s for an outline. With VOC's 20 classes, 1.5
    classes and 2.8 objects per image these are :data:`VOC_COSTS`, with a click on every
    object.

    Args:
        coco: COCO dict with ``images`` and ``annotations``.
        num_classes: Number of classes that the annotator looks for, at least 1.

    Returns:
        Level -> cost, of all five levels.
    """
    shown = {
        (ann['image_id'], ann['category_id'])
        for ann in coco['annotations']
        if not ann.get('iscrowd', 0)
    }
    present = len(shown) / max(len(coco['images']), 1)
    absent = max(num_classes - present, 0.0) * _CLASS
    first = present * (_FIRST_CLICK - _NEXT_CLICK)
    return {
        'image_tags': Cost(num_classes * _CLASS),
        'points': Cost(round(absent + first, 2), _NEXT_CLICK),
        'boxes': Cost(round(absent, 2), _BOX),
        'extreme_points': Cost(round(absent, 2), _BOX),
        'masks': Cost(round(absent, 2), _OUTLINE),
    }


class BudgetRow(NamedTuple):
    """What the budget buys at one level.

    Attributes:
        level: Name of the level.
        cost: Seconds per image and object.
        image_ids: The images drawn, in the order of the draw.
        objects: Objects in them.
        seconds: What they cost.
        is_capped: Whether the dataset ended before the money.
        file: Name of the label file.
    """

    level: str
    cost: Cost
    image_ids: list[ImageId]
    objects: int
    seconds: float
    is_capped: bool
    file: str


def parse_cost(text: str) -> tuple[str, Cost]:
    """Read a cost as it is written on a command line.

    Args:
        text: 'masks=239.7' (seconds per image), or 'masks=18.5+79' (per image + per
            object).

    Returns:
        Level and cost.

    Raises:
        ValueError: Another form, or an unknown level.
    """
    level, _, value = text.partition('=')
    try:
        cost = Cost(*map(float, value.split('+')))
    except (TypeError, ValueError):
        raise ValueError(
            'a cost is written LEVEL=SECONDS, or LEVEL=SECONDS+SECONDS for an image '
            f'and each of its objects; given {text!r}'
        ) from None
    return level, _checked_cost(level, cost, f'--cost {text}')


def read_costs(path: str | os.PathLike) -> dict[str, Cost]:
    """Read a cost table.

    Args:
        path: JSON object from level to seconds per image, or to
            ``{"image": seconds, "object": seconds}``.

    Returns:
        Costs by level.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such table; the message names file and level.
    """
    table = read_json(str(path))
    if not isinstance(table, dict) or not table:
        raise ValueError(f'{path}: expected an object from level to seconds')
    costs = {}
    for level, value in table.items():
        parts = value if isinstance(value, dict) else {'image': value}
        if not set(parts) <= {'image', 'object'} or not all(
            isinstance(part, (int, float)) for part in parts.values()
        ):
            raise ValueError(
                f'{path}: {level}: expected seconds per image or {{"image": seconds, '
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
    ranked: Sequence[ImageId],
    objects: Mapping[ImageId, int],
    cost: Cost,
    seconds: float,
) -> tuple[list[ImageId], float]:
    """Images that a budget buys, taken in the given order.

    The last image is taken if at least half of it is paid for: with a fixed cost per
    image that is round(budget / cost), as in the paper.

    Args:
        ranked: Image ids in the order of the draw.
        objects: Number of objects in each image.
        cost: What the labels take.
        seconds: The budget.

    Returns:
        The ids, and the seconds that they cost.
    """
    taken: list[ImageId] = []
    spent = 0.0
    for image_id in ranked:
        price = cost.image + cost.obj * objects[image_id]
        if spent + price / 2 > seconds:
            break
        taken.append(image_id)
        spent += price
    return taken, spent


def sample_budget(
    source: str | os.PathLike,
    out_dir: str | os.PathLike,
    seconds: float,
    costs: Mapping[str, Cost],
    protocol: WeakProtocol | None = None,
    *,
    seed: int = 0,
    run: RunOptions | None = None,
    given: Mapping[str, str | os.PathLike] | None = None,
) -> list[BudgetRow]:
    """Write the subset that each level can afford, and a table of them.

    Images are drawn uniformly and without replacement, in one order for all levels:
    what masks afford is part of what boxes afford, so that levels differ in labels and
    number alone.

    Args:
        source: COCO or LVIS JSON with masks.
        out_dir: Folder for ``<level>_<split>.json``, ``budget.json`` (with the ids of
            the images) and ``budget.md``.
        seconds: The budget, > 0.
        costs: Cost by level; the levels that are wanted.
        protocol: How weak labels are simulated; the defaults if None.
        seed: Of the draw. Defaults to 0.
        run: How the conversion runs; the defaults if None. Progress counts
            annotations.
        given: Level -> label file of the same images that people made, such as clicks:
            what is drawn of it is taken from there, not derived from the masks.
            Defaults to None.

    Returns:
        One row per level, the cheapest first.

    Raises:
        FileExistsError: An output exists and ``overwrite`` is off.
        FileNotFoundError: ``source`` does not exist.
        ValueError: ``source`` is not well formed, the budget buys no image of a level,
            or a file that is ``given`` lacks an image that was drawn or is of another
            level; nothing has been written.
    """
    if not 0 < seconds < math.inf:
        raise ValueError(
            f'the budget must be positive and finite, given {seconds:g} seconds'
        )
    source, out_dir, run = Path(source), Path(out_dir), run or RunOptions()
    given = {level: Path(file) for level, file in (given or {}).items()}
    if not set(given) <= set(costs):
        raise ValueError(f'labels of {[*given]} are given, but {[*costs]} are drawn')
    paths = [out_dir / output_name(source, Supervision.parse(k)) for k in costs]
    tables = [out_dir / 'budget.json', out_dir / 'budget.md']
    refuse_existing([*paths, *tables], [source, *given.values()], run.overwrite)
    protocol = protocol or WeakProtocol()
    tool, settings = 'annotation_budget', dict(seed=seed, budget_seconds=seconds)
    files = {}
    # Processes start before the file is read: they stay small.
    with OrderedPool(run.workers) as pool:
        coco = read_coco(source)
        rows = budget_rows(coco, seconds, costs, seed, source)
        objects = Counter(ann['image_id'] for ann in coco['annotations'])
        total = sum(objects[key] for row in rows for key in row.image_ids)
        progress = run.open_progress(total)
        for row in rows:
            level = Supervision.parse(row.level)
            block = dict(settings, cost=row.cost._asdict())
            if row.level in given:
                origin = given[row.level]
                subset = _drawn(load_coco(origin, level), row.image_ids, origin)
            else:
                origin = source
                block['coordinates'] = protocol.coordinates
                subset = build_mixture(
                    coco,
                    dict.fromkeys(row.image_ids, level),
                    protocol,
                    source=str(source),
                    pool=pool,
                    skip_invalid=run.skip_invalid,
                    progress=progress,
                )
            files[row.file] = with_source(subset, tool, origin, level, **block)
    summary = source_block(tool, source, **settings)
    summary['levels'] = [
        dict(row._asdict(), cost=row.cost._asdict(), images=len(row.image_ids))
        for row in rows
    ]
    with Outputs() as outputs:
        for name, document in files.items():
            outputs.labels(out_dir / name, document, source)
        outputs.json(tables[0], summary, source, indent=1)
        outputs.text(tables[1], format_table(rows, seconds))
    return rows


def _drawn(
    coco: Mapping[str, Any], image_ids: Sequence[ImageId], path: Path
) -> dict[str, Any]:
    """Labels of some images of a file."""
    missing = set(image_ids) - {image['id'] for image in coco['images']}
    if missing:
        raise ValueError(
            f'{path} lacks {len(missing)} of the {len(image_ids)} images that were '
            f'drawn, first image id {min(missing, key=str)!r}'
        )
    wanted = set(image_ids)
    return {
        **coco,
        'images': [one for one in coco['images'] if one['id'] in wanted],
        'annotations': [
            one for one in coco['annotations'] if one['image_id'] in wanted
        ],
    }


def budget_rows(
    coco: Mapping[str, Any],
    seconds: float,
    costs: Mapping[str, Cost],
    seed: int,
    source: str | os.PathLike,
) -> list[BudgetRow]:
    """Draw the images that each level can afford, as :func:`sample_budget` does.

    Args:
        coco: COCO dict with ``images`` and ``annotations``.
        seconds: The budget, > 0.
        costs: Cost by level; the levels that are wanted.
        seed: Of the draw.
        source: File of ``coco``, for messages and the names of files.

    Returns:
        One row per level, the cheapest first.

    Raises:
        ValueError: The budget buys no image of a level.
    """
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
        is_capped = len(ids) == len(ranked) and spent < seconds
        count = sum(objects[key] for key in ids)
        file = output_name(Path(source), Supervision.parse(level))
        rows.append(BudgetRow(level, cost, ids, count, spent, is_capped, file))
    return sorted(rows, key=lambda row: -len(row.image_ids))


def format_table(rows: Sequence[BudgetRow], seconds: float) -> str:
    """Markdown table of what a budget buys.

    Args:
        rows: Result of :func:`sample_budget`.
        seconds: The budget.

    Returns:
        Text that ends with a line break.
    """
    header = ('level', 'seconds per image (+ object)', 'images', 'objects', 'hours')
    cells = [
        (
            row.level,
            row.cost,
            f'{len(row.image_ids)}{" (all)" if row.is_capped else ""}',
            row.objects,
            f'{row.seconds / 3600:.2f}',
            row.file,
        )
        for row in rows
    ]
    table = markdown_table((*header, 'file'), cells)
    return f'Budget: {seconds / 3600:.2f} hours ({seconds:g} seconds)\n\n{table}\n'
