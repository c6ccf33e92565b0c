"""Which runs a comparison consists of, and what the labels of each cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmwsis.dataset_converters.budget import Cost

from .dataset import MaskedDataset
from .methods import DEFAULT_METHODS, METHODS, Method


@dataclass(frozen=True)
class Run:
    """A method with one seed, on all training images or on the first ones of a draw.

    Attributes:
        method: The method.
        seed: Of every training, and of the draw.
        count: Number of training images; None is all.
        num_images: The same as a number.
        adopted: File of pseudo labels, or of a final model's metrics, made elsewhere.
    """

    method: Method
    seed: int
    count: int | None
    num_images: int
    adopted: Path | None = None

    @property
    def folder(self) -> Path:
        """Where it runs, below the comparison's folder."""
        images = 'all_images' if self.count is None else f'{self.count}_images'
        return Path(f'seed_{self.seed}', images, self.method.family)

    @property
    def work_dir(self) -> Path:
        """Its pipeline's manifest, logs and figures, below the comparison's folder."""
        return self.folder / 'pipelines' / self.method.key

    @property
    def data(self) -> str | None:
        """Which of its pipeline's ``data`` it is; None for the first."""
        # Adopted labels go through the stages that all methods share.
        return None if self.adopted else self.method.data

    @property
    def title(self) -> str:
        """What it is called in plans, tables and figures."""
        level = '' if self.method.level == 'masks' else f' from {self.level}'
        images = '' if self.count is None else f', {self.count} images'
        return f'{self.method.title}{level}{images}, seed {self.seed}'

    @property
    def level(self) -> str:
        """Its supervision, for people."""
        return self.method.level.replace('_', ' ')


@dataclass(frozen=True)
class Point:
    """A run as one figure of the comparison.

    Attributes:
        run: The run.
        hours: Of annotation.
        budget: Hours that it was drawn for; None with all images.
    """

    run: Run
    hours: float
    budget: float | None = None


@dataclass(frozen=True)
class Plan:
    """A comparison.

    Attributes:
        dataset: The dataset.
        costs: Cost by level.
        budgets: Hours of each equal-hours comparison.
        points: All that is compared. A run that all images and a budget share, because
            the budget buys them all, has a point for each.
        runs: Every run once, in the order in which they are started.
        warnings: What the figures will suffer from.
    """

    dataset: MaskedDataset
    costs: dict[str, Cost]
    budgets: tuple[float, ...]
    points: tuple[Point, ...]
    runs: tuple[Run, ...]
    warnings: tuple[str, ...] = field(default=())


def make_plan(
    dataset: MaskedDataset,
    costs: Mapping[str, Cost],
    methods: Sequence[str] = DEFAULT_METHODS,
    seeds: Sequence[int] = (0,),
    baseline_seeds: int = 3,
    budgets: Sequence[float] = (),
    adopted: Mapping[tuple[str, int | None], Path] | None = None,
    given: Sequence[Method] = (),
) -> Plan:
    """Lay a comparison out.

    Args:
        dataset: The dataset.
        costs: Cost by level.
        methods: Keys of :data:`METHODS`. Defaults to all that are not optional;
            optional ones of ``adopted`` are compared, too.
        seeds: Of every method, and of the draws.
        baseline_seeds: How many seeds the masks of all images are trained with: the
            noise band. They start with ``seeds``.
        budgets: Hours of annotation that every level gets.
        adopted: (key of a method, seed or None for all) -> file made elsewhere, for
            runs on all images. Defaults to none.
        given: Rows that the user named; they are compared on all images, with the
            seeds that ``adopted`` has files for.

    Raises:
        ValueError: A budget buys no image of a level.
    """
    adopted = adopted or {}
    asked = {*methods, *(key for key, _ in adopted if _is_optional(key))}
    chosen = [method for key, method in METHODS.items() if key in asked]
    total = len(dataset.objects)

    def whole(method: Method, seed: int) -> Run:
        file = adopted.get((method.key, seed)) or adopted.get((method.key, None))
        return Run(method, seed, None, total, file)

    points = []
    for seed in _further(seeds, baseline_seeds):
        for method in sorted((*chosen, *given), key=lambda one: one.level != 'masks'):
            if method.is_given and whole(method, seed).adopted is None:
                continue
            if seed in seeds or method.level == 'masks':
                hours = dataset.seconds(costs[method.level]) / 3600
                points.append(Point(whole(method, seed), hours))
    warnings = []
    wanted = {method.level: costs[method.level] for method in chosen}
    for budget in budgets:
        for seed in seeds:
            counts = dataset.affordable(3600 * budget, wanted, seed)
            for level, count in counts.items():
                ids = dataset.drawn(count, seed)
                absent = dataset.missing_classes(ids) if count < total else []
                if absent:
                    warnings.append(
                        f'{budget:g} hours of {level}, seed {seed}: none of the '
                        f'{count} images shows {", ".join(absent)}'
                    )
            for method in chosen:
                count = counts[method.level]
                run = Run(method, seed, count, count)
                run = whole(method, seed) if count == total else run
                ids = dataset.drawn(count, seed)
                hours = dataset.seconds(costs[method.level], ids) / 3600
                points.append(Point(run, hours, budget))
    runs = dict.fromkeys(point.run for point in points)
    return Plan(
        *(dataset, dict(costs), tuple(budgets), tuple(points)),
        *(tuple(runs), tuple(warnings)),
    )


def _is_optional(key: str) -> bool:
    return key in METHODS and METHODS[key].is_optional


def _further(seeds: Sequence[int], count: int) -> list[int]:
    """The seeds, and as many others as the baseline needs."""
    found = list(seeds)
    candidate = 0
    while len(found) < count:
        if candidate not in found:
            found.append(candidate)
        candidate += 1
    return found


def run_ids(dataset: MaskedDataset, run: Run) -> list[Any] | None:
    """Training images of a run; None is all."""
    return None if run.count is None else dataset.drawn(run.count, run.seed)
