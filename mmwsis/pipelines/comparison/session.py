"""One call each for ``tools/compare_supervision.py``: plan, run, draw."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mmwsis.dataset_converters.budget import Cost, dataset_costs
from mmwsis.formats.json_file import read_json
from mmwsis.utils.process_lock import ProcessLock

from ..durations import format_duration
from ..locate import find_config
from .dataset import MaskedDataset, read_masked_dataset
from .execute import Executor
from .methods import DEFAULT_METHODS, FINAL_MODEL, METHODS, Method, given_method
from .plan import make_plan
from .results import (
    gather_results,
    grouped,
    missing_text,
    results_markdown,
    write_results,
)
from .stages import PlannedStage, StageList

Say = Callable[[str], None]
# Lines appear at once in a log file, too.
_say = partial(print, flush=True)


@dataclass(frozen=True)
class CompareOptions:
    """What a user asks for on the command line.

    Attributes:
        dataset: Dataset file, with masks.
        root: Folder of the comparison. Defaults to
            ``work_dirs/compare_supervision/<name of the dataset>``.
        methods: Keys of :data:`~mmwsis.pipelines.comparison.METHODS`.
        seeds: Of every method.
        baseline_seeds: How many seeds the masks of all images are trained with.
        budgets: Hours of annotation that every level gets.
        costs: Costs by level that go before the dataset's own.
        final_model: Config of the final model.
        cfg_options: Overrides of that config.
        adopt: ``METHOD=FILE`` or ``METHOD@SEED=FILE`` of what was made elsewhere;
            ``LABEL:LEVEL`` in the place of ``METHOD`` makes a row of its own.
        jobs: How many runs at once.
        fast: The tiny form for a try.
        train_args: Further arguments of ``tools/run_pipeline.py``.
    """

    dataset: str
    root: str | None = None
    methods: tuple[str, ...] = DEFAULT_METHODS
    seeds: tuple[int, ...] = (0,)
    baseline_seeds: int = 3
    budgets: tuple[float, ...] = ()
    costs: dict[str, Cost] = field(default_factory=dict)
    final_model: str = FINAL_MODEL
    cfg_options: dict[str, Any] = field(default_factory=dict)
    adopt: tuple[str, ...] = ()
    jobs: int = 1
    fast: bool = False
    train_args: tuple[str, ...] = ()


def lay_out(options: CompareOptions) -> StageList:
    """Read the dataset and lay the comparison out; nothing is written.

    Args:
        options: The user's.

    Returns:
        Its plan and stages.

    Raises:
        FileNotFoundError: A file that the options name does not exist.
        ValueError: The dataset, a budget or an adopted file does not do.
    """
    dataset = read_masked_dataset(options.dataset)
    costs = dataset_costs(dataset.coco, len(dataset.spec['classes']))
    adopted, given = _adopted(options.adopt, dataset)
    plan = make_plan(
        dataset,
        {**costs, **options.costs},
        options.methods,
        options.seeds,
        options.baseline_seeds,
        options.budgets,
        *(adopted, given),
    )
    default = Path('work_dirs/compare_supervision', dataset.name)
    root = Path(options.root or default).resolve()
    final = options.final_model
    if '::' not in final:
        final = str(find_config(os.path.abspath(final), Path()))
    find_config(final, Path())
    return StageList(plan, root, final, options.cfg_options, options.fast)


def _adopted(
    given: Sequence[str], dataset: MaskedDataset
) -> tuple[dict[tuple[str, int | None], Path], tuple[Method, ...]]:
    """Read ``METHOD[@SEED]=FILE`` and ``LABEL:LEVEL[@SEED]=FILE``."""
    adopted: dict[tuple[str, int | None], Path] = {}
    rows: dict[str, Method] = {}
    for text in given:
        name, equals, file = text.partition('=')
        key, at, seed = name.partition('@')
        known = key in METHODS or ':' in key
        if not equals or not known or (at and not seed.isdigit()):
            raise ValueError(
                f'--adopt is written METHOD=FILE or METHOD@SEED=FILE with a method of '
                f'{[*METHODS]}, or with LABEL:LEVEL; given {text!r}'
            )
        method = METHODS.get(key) or given_method(key)
        other = rows.setdefault(method.key, method) if method.is_given else method
        if other != method:
            raise ValueError(
                f'--adopt {text}: {other.title} and {method.title} are one name for '
                'files; choose another.'
            )
        path = Path(file).resolve()
        content = read_json(str(path))
        if isinstance(content, dict) and 'annotations' in content:
            _check_images(path, content, dataset)
            if method.level == 'masks':
                raise ValueError(
                    f'--adopt {text}: full masks have no pseudo labels; give the '
                    'metrics of the final model (tools/test.py --metrics-out).'
                )
        elif not (isinstance(content, dict) and _has_ap(content)):
            raise ValueError(
                f'--adopt {text}: the file is neither a COCO file of pseudo labels nor '
                'metrics of a final model with a mask AP (tools/test.py --metrics-out)'
            )
        adopted[method.key, int(seed) if at else None] = path
    return adopted, tuple(rows.values())


def _has_ap(content: dict[str, Any]) -> bool:
    from ..report_data import final_metrics

    return 'mask AP' in final_metrics(content)


def _check_images(path: Path, content: dict[str, Any], dataset: MaskedDataset) -> None:
    names = {one['id']: one['file_name'] for one in dataset.coco['images']}
    for image in content.get('images', []):
        if names.get(image['id']) != image['file_name']:
            raise ValueError(
                f'--adopt {path}: image {image["id"]} ({image["file_name"]}) is no '
                f'training image of the dataset {dataset.name}.'
            )


def print_plan(stages: StageList, jobs: int, say: Say = _say) -> None:
    """Print the runs of a comparison, what is finished and how long the rest takes.

    Args:
        stages: Of :func:`lay_out`.
        jobs: How many runs at once.
        say: Receives the lines. Defaults to ``print``.
    """
    plan, planned = stages.plan, stages.now()
    dataset = plan.dataset
    say(
        f'{dataset.name}: {len(dataset.objects)} training images with '
        f'{sum(dataset.objects.values())} objects, {dataset.num_val} validation images'
    )
    wanted = {run.method.level for run in plan.runs}
    shown = [f'{level} {cost}' for level, cost in plan.costs.items() if level in wanted]
    say(f'seconds per image (+ per object): {", ".join(shown)}')
    say(f'final model: {stages.final_model}; folder: {stages.root}')
    shared = [one for one in planned if one.run is None]
    if shared:
        say(f'   mask proposals, once: {_state(shared)}')
    hours: dict[Any, list[str]] = {}
    for point in plan.points:
        budget = 'all images' if point.budget is None else f'of {point.budget:g} h'
        hours.setdefault(point.run, []).append(f'{point.hours:.2f} h ({budget})')
    for number, run in enumerate(plan.runs, start=1):
        own = [one for one in planned if one.run == run]
        state = _state(own) if own else 'final model made elsewhere'
        labels = ', adopted labels' if run.adopted and own else ''
        costs = ' = '.join(hours[run])
        say(f'{number:3d}. {run.title}: labels {costs}{labels}; {state}')
    for text in plan.warnings:
        say(f'warning: {text}')
    say(_total(planned, jobs))


def _state(stages: Sequence[PlannedStage]) -> str:
    left = [one for one in stages if one.is_left]
    took = sum(one.seconds for one in stages if not one.is_left)
    if not left:
        return f'finished, took {format_duration(took)}'
    text = f'{len(left)} of {len(stages)} stages left'
    return f'{text}, about {format_duration(sum(one.seconds for one in left))}'


def _total(planned: Sequence[PlannedStage], jobs: int) -> str:
    left = [one for one in planned if one.is_left]
    if not left:
        return 'Everything is finished.'
    seconds = sum(one.seconds for one in left)
    known = sum(one.source == 'recorded' for one in left)
    text = f'Left: {len(left)} stages, about {format_duration(seconds / jobs)}'
    text += f' with {jobs} runs at once' if jobs > 1 else ''
    return (
        f'{text}. This is an estimate: {known} stages by what others of their kind '
        f'took here, {len(left) - known} by a table of times on one CPU thread.'
    )


def draw(stages: StageList) -> dict[str, Any]:
    """Write table, figure and page of what is finished.

    Args:
        stages: Of :func:`lay_out`.

    Returns:
        What ``results.json`` holds.

    Raises:
        FileNotFoundError: The comparison has not been started.
    """
    if not stages.root.is_dir():
        raise FileNotFoundError(
            f'There is no comparison in {stages.root}; run it without --draw first.'
        )
    from .page import write_page

    results = gather_results(stages)
    write_results(stages.root, results)
    figure = draw_figure(stages.root, results)
    write_page(stages.root / 'report.html', results, figure)
    return results


def draw_figure(folder: Path, results: dict[str, Any]) -> Path:
    """Draw ``ap_vs_hours.png``.

    Args:
        folder: Of the comparison.
        results: Of :func:`~mmwsis.pipelines.comparison.results.gather_results`.
    """
    from mmwsis.visualization.supervision_curve import (
        CurvePoint,
        draw_supervision_curve,
    )

    points = [
        CurvePoint(
            *(row['method'], row['title'], row['level']),
            sum(row['hours']) / len(row['hours']),
            tuple(row['mask AP']),
            row['budget_hours'],
        )
        for row in grouped(results)
        if row['mask AP']
    ]
    notes = []
    if results['fast']:
        notes.append('A try of two iterations (--fast): the figures mean nothing.')
    if len(results['baseline']) < 2:
        notes.append('No noise band: that takes two seeds of masks of all images.')
    if results['missing']:
        notes.append(f'Not finished: {missing_text(results)}.')
    return draw_supervision_curve(
        points,
        folder / 'ap_vs_hours.png',
        f'What each label buys: {results["dataset"]}',
        list(results['baseline'].values()),
        notes,
    )


def compare(options: CompareOptions, say: Say = _say) -> dict[str, Any]:
    """Run what is missing of a comparison, and write table, figure and page.

    Args:
        options: The user's.
        say: Receives the lines for the console. Defaults to ``print``.

    Returns:
        What ``results.json`` holds.

    Raises:
        RuntimeError: Runs failed; the others have been finished.
        ValueError: Something would stop a run, and nothing was started.
    """
    stages = lay_out(options)
    print_plan(stages, options.jobs, say)
    stages.root.mkdir(parents=True, exist_ok=True)
    with ProcessLock(stages.root / '.lock', 'This comparison is already running'):
        executor = Executor(
            *(stages, options.jobs, options.train_args, say),
            drawn=lambda: draw(stages),
        )
        failed = executor.run(executor.prepare())
        results = draw(stages)
    say(f'\n{results_markdown(results)}\nFigure, table and page: {stages.root}')
    if failed:
        texts = '\n'.join(f'{title}: {why}' for title, why in failed.items())
        raise RuntimeError(f'{len(failed)} runs failed.\n{texts}')
    return results
