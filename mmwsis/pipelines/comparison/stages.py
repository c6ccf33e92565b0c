"""The stages of every run: what is finished, and how long the others will take."""

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import mean
from typing import Any

from mmengine.config import Config

from mmwsis.formats.json_file import read_json
from mmwsis.utils.config_files import read_config

from ..definition import Pipeline, load_pipeline
from ..locate import find_config
from ..manifest import Manifest, StageRecord
from ..stages import ConfigStage, GenerateStage, Stage, TestStage, TrainStage
from .methods import METHODS, pipeline_settings, write_pipeline
from .plan import Plan, Run

# A stage starts Python and loads MMDetection, labels and weights.
_START = 15.0
# Seconds of one CPU thread: of an iteration of training, of an image of other stages.
# Measured once on 697 photographs (long side at most 600 pixels), OMP_NUM_THREADS=1;
# recorded times take their place as soon as there are any.
_SECONDS = {
    ('train', 'cam_efficientnet-lite0_small'): 5.0,
    ('train', 'wise_efficientnet-lite0_small'): 0.95,
    ('train', 'labeler_efficientnet-lite0_small'): 0.75,
    ('train', 'solov2_efficientnet-lite0_small'): 1.8,
    ('generate', 'built-in_coco'): 3.8,
    # Not measured: by the pixels of a batch, from the classifier and from WISE.
    ('train', 'irnet_efficientnet-lite0_small'): 4.0,
    ('train', 'pam_efficientnet-lite0_small'): 5.0,
    ('train', 'bestie_efficientnet-lite0_small'): 1.5,
    ('train', 'bestie_efficientnet-lite0_points_small'): 1.5,
}
# The same of everything else.
_USUAL = {
    'train': 1.5,
    'generate': 0.05,
    'test': 0.1,
    'quality': 0.01,
    'command': 0.005,
}


@dataclass(frozen=True)
class PlannedStage:
    """A stage of a run.

    Attributes:
        run: The run; None for mask proposals, which runs share.
        name: Of the stage.
        kind: Of the stage.
        what: Stem of its config, else its name: stages of the same kind and ``what``
            take the same time per unit.
        units: Iterations of training; images of another stage.
        status: ``'finished'``, ``'interrupted'``, ``'shared'`` (made by another run
            of its folder) or ``'to do'``.
        seconds: That it took, or will.
        source: Of ``seconds``: ``'measured'``, ``'recorded'`` (of finished stages of
            the same kind) or ``'estimate'``.
    """

    run: Run | None
    name: str
    kind: str
    what: str
    units: int
    status: str
    seconds: float
    source: str

    @property
    def is_left(self) -> bool:
        """Whether it still has to run."""
        return self.status in ('to do', 'interrupted')


class StageList:
    """All stages of a comparison, read once; their states, as often as one likes.

    Args:
        plan: The comparison.
        root: Its folder; need not exist.
        final_model: Config of the final model.
        options: Overrides of it.
        fast: Whether the pipelines run in their tiny form.
    """

    def __init__(
        self,
        plan: Plan,
        root: Path,
        final_model: str,
        options: dict[str, Any] | None = None,
        fast: bool = False,
    ) -> None:
        self.plan, self.root, self.fast = plan, root, fast
        self.final_model, self.options = final_model, dict(options or {})
        self._configs: dict[str, Config] = {}
        self._pipelines: dict[tuple[str, bool], Pipeline] = {}
        self._stages: list[tuple[Run | None, Stage]] = [
            *((None, stage) for stage in self._proposal_stages()),
            *((run, stage) for run in plan.runs for stage in self.pipeline(run)),
        ]
        # Here, because threads cannot read configs at the same time.
        self._counts = [self._units(run, stage) for run, stage in self._stages]

    @property
    def proposals(self) -> Path:
        """Folder in which the mask proposals of all images are made."""
        return self.root / 'proposals'

    def settings(self, run: Run) -> dict[str, Any]:
        """What the pipeline file of a run adds to its method's."""
        labels = f'data/pseudo_labels/adopted_{run.method.key}.json'
        return pipeline_settings(
            *(run.method, self.final_model, self.options),
            labels=labels if run.adopted else None,
        )

    def pipeline(self, run: Run) -> tuple[Stage, ...]:
        """Stages of a run; none where a final model was trained elsewhere."""
        if run.adopted and is_metrics(run.adopted):
            return ()
        key = run.method.key, run.adopted is not None
        if key not in self._pipelines:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, f'{run.method.key}.py')
                write_pipeline(file, run.method, self.settings(run))
                spec = self.plan.dataset.own_spec()
                self._pipelines[key] = load_pipeline(
                    file, spec, fast=self.fast, data=run.data
                )
        return self._pipelines[key].stages

    def _proposal_stages(self) -> Iterator[Stage]:
        if not any(run.method.proposals and not run.adopted for run in self.plan.runs):
            return
        file = find_config(METHODS['wise'].pipeline, Path())
        for stage in load_pipeline(file, self.plan.dataset.own_spec()).stages:
            if stage.name in ('weak_labels', 'proposals', 'val_proposals'):
                yield stage

    def now(self) -> list[PlannedStage]:
        """All stages as they are now, in the order in which they run."""
        records = self._records()
        found = [
            (run, stage, units, records.get((run, stage.name)))
            for (run, stage), units in zip(self._stages, self._counts, strict=True)
        ]
        rates = _rates(found)
        made: set[tuple[Path, str]] = set()
        planned = []
        for run, stage, units, record in found:
            shares = None if run is None else _shared_key(run, stage)
            status = _status(record)
            if shares is not None and shares in made:
                status = 'finished' if status == 'finished' else 'shared'
                record = None
            elif shares is not None:
                made.add(shares)
            planned.append(_planned(run, stage, units, status, record, rates))
        return planned

    def _records(self) -> dict[tuple[Run | None, str], StageRecord]:
        """Records of all manifests."""
        name = self.plan.dataset.name
        places: dict[Run | None, tuple[Path, str]] = {
            run: (self.root / run.work_dir, f'{run.method.key}_{name}')
            for run in self.plan.runs
        }
        places[None] = self.proposals / 'pipelines/wise', f'wise_small_{name}'
        return {
            (run, stage): record
            for run, (folder, pipeline) in places.items()
            for stage, record in Manifest(
                folder / 'manifest.json', pipeline
            ).stages.items()
        }

    def _units(self, run: Run | None, stage: Stage) -> int:
        dataset = self.plan.dataset
        images = len(dataset.objects) if run is None else run.num_images
        if isinstance(stage, TestStage) or stage.name.startswith('val_'):
            return dataset.num_val
        if not isinstance(stage, TrainStage):
            return images
        loop = self._config(stage).get('train_cfg') or {}
        options = stage.cfg_options
        iterations = options.get('train_cfg.max_iters', loop.get('max_iters'))
        if iterations:
            return int(iterations)
        epochs = options.get('train_cfg.max_epochs', loop.get('max_epochs')) or 1
        loader = self._config(stage).get('train_dataloader') or {}
        batch = options.get('train_dataloader.batch_size', loader.get('batch_size'))
        return int(epochs) * -(-images // (batch or 1))

    def _config(self, stage: ConfigStage) -> Config:
        if stage.config not in self._configs:
            file = find_config(stage.config, Path())
            self._configs[stage.config] = read_config(file)
        return self._configs[stage.config]


def _planned(
    run: Run | None,
    stage: Stage,
    units: int,
    status: str,
    record: StageRecord | None,
    rates: dict[tuple[str, str], float],
) -> PlannedStage:
    kind, what = stage.kind, _what(stage)
    fixed = run, stage.name, kind, what, units, status
    if status in ('finished', 'shared'):
        return PlannedStage(*fixed, record.seconds if record else 0.0, 'measured')
    rate = rates.get((kind, what))
    source = 'estimate' if rate is None else 'recorded'
    if rate is None:
        rate = _SECONDS.get((kind, what), _USUAL.get(kind, 0.0))
    seconds = _START + rate * units
    if status == 'interrupted' and isinstance(stage, (TrainStage, GenerateStage)):
        seconds = max(seconds - record.seconds, _START)
    return PlannedStage(*fixed, seconds, source)


def _rates(found: list[tuple]) -> dict[tuple[str, str], float]:
    """Seconds per unit of stages that have finished here."""
    seen: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _, stage, units, record in found:
        # What took no time was only looked at.
        if record is not None and record.status == 'finished' and record.seconds:
            rate = max(record.seconds - _START, 0.0) / max(units, 1)
            seen[stage.kind, _what(stage)].append(rate)
    return {key: mean(rates) for key, rates in seen.items()}


@lru_cache
def is_metrics(file: Path) -> bool:
    """Whether an adopted file holds metrics of ``tools/test.py``, not labels."""
    content = read_json(str(file))
    return isinstance(content, dict) and 'annotations' not in content


def _status(record: StageRecord | None) -> str:
    if record is None:
        return 'to do'
    return 'finished' if record.status == 'finished' else 'interrupted'


def _what(stage: Stage) -> str:
    if isinstance(stage, ConfigStage):
        return Path(stage.config.rpartition('::')[2]).stem
    return stage.name_in_file


def _shared_key(run: Run, stage: Stage) -> tuple[Path, str] | None:
    """What the methods of a family make once."""
    if isinstance(stage, TrainStage) and stage.name_in_file != 'final_model':
        where = f'{stage.config}{stage.round.number if stage.round else ""}'
        return run.folder, where
    return (run.folder, stage.out) if isinstance(stage, GenerateStage) else None
