"""Runs a comparison: every run a pipeline in a folder of its own."""

import shutil
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ..durations import format_duration
from ..linked_data import link_files
from ..run_folder import RunFolder
from ..selection import Selection
from ..session import PipelineOptions, make_runner
from ..stages import GenerateStage
from .methods import METHODS, write_pipeline
from .plan import Run, run_ids
from .stages import PlannedStage, StageList, is_metrics

Say = Callable[[str], None]
_PROPOSAL_STAGES = ('weak_labels', 'proposals', 'val_proposals')
_LOOK_EVERY = 2.0  # seconds


class Executor:
    """Runs what is missing of a comparison.

    Args:
        stages: The comparison's stages.
        jobs: How many runs at once.
        train_args: Further arguments of ``tools/run_pipeline.py``, such as ``--amp``.
        say: Receives the lines for the console.
        drawn: Called when a run has ended, to bring table and figure up to date.
    """

    def __init__(
        self,
        stages: StageList,
        jobs: int,
        train_args: tuple[str, ...] = (),
        say: Say = print,
        drawn: Callable[[], None] = lambda: None,
    ) -> None:
        self.stages, self.plan, self.root = stages, stages.plan, stages.root
        self.jobs, self.train_args = jobs, train_args
        self.say, self.drawn = say, drawn
        self._making_proposals = threading.Lock()
        self._folders: list[RunFolder] = []
        self._ended = 0  # runs, failed ones among them

    def prepare(self) -> list[Run]:
        """Make the folders of all runs, and check what can be checked.

        Returns:
            The runs that have something left to do, in their order.

        Raises:
            ValueError: Something would stop a run; all such things are named.
        """
        self.say(f'Checking {len(self.plan.runs)} runs before the first starts.')
        problems: dict[str, list[str]] = {}
        left = []
        needs_proposals = False
        for run in self.plan.runs:
            if run.adopted and is_metrics(run.adopted):
                continue
            self._make_folder(run)
            planned = [one for one in self.stages.now() if one.run is None]
            waits = run.method.proposals and any(one.is_left for one in planned)
            if waits and not run.adopted:
                needs_proposals = True
                left.append(run)  # checked when its proposals are there
                continue
            runner = make_runner(self._options(run), say=lambda text: None)
            for text in runner.check().errors:
                problems.setdefault(text, []).append(run.title)
            if any(decision.action != 'skip' for *_, decision in runner.plan()):
                left.append(run)
        if needs_proposals:
            self.plan.dataset.link(self.stages.proposals)
        if problems:
            texts = [f'{"; ".join(runs)}: {text}' for text, runs in problems.items()]
            raise ValueError('\n'.join([*texts, 'Nothing was started.']))
        return left

    def _make_folder(self, run: Run) -> None:
        folder = self.root / run.folder
        self.plan.dataset.link(folder, run_ids(self.plan.dataset, run))
        if run.method.proposals and not run.adopted:
            made = self.stages.proposals / 'data/proposals'
            link_files(folder / 'data', {'proposals': made})
        settings = self.stages.settings(run)
        write_pipeline(self._pipeline_file(run), run.method, settings)
        if run.adopted:
            labels = folder / f'data/pseudo_labels/adopted_{run.method.key}.json'
            labels.parent.mkdir(exist_ok=True)
            if not labels.is_file() or labels.read_bytes() != run.adopted.read_bytes():
                shutil.copyfile(run.adopted, labels)

    def _pipeline_file(self, run: Run) -> Path:
        return self.root / run.folder / f'{run.method.key}.py'

    def _options(self, run: Run) -> PipelineOptions:
        """The options of ``run_pipeline.py``, to look at a run without starting it."""
        folder = self.root / run.folder
        return PipelineOptions(
            config=str(self._pipeline_file(run)),
            fast=self.stages.fast,
            dataset=str(folder / 'dataset.py'),
            data=run.data,
            selection=Selection(),
            work_dir=str(self.root / run.work_dir),
            root=str(folder),
            seed=run.seed,
        )

    def run(self, left: Iterable[Run]) -> dict[str, str]:
        """Run what is missing.

        Args:
            left: Of :meth:`prepare`.

        Returns:
            Title of each run that failed -> why.
        """
        groups: dict[Path, list[Run]] = {}
        for run in left:  # those of a folder share stages: one after the other
            groups.setdefault(run.folder, []).append(run)
        failed: dict[str, str] = {}
        pool = ThreadPoolExecutor(self.jobs)
        try:
            futures = [
                pool.submit(self._run_group, runs, failed) for runs in groups.values()
            ]
            self._watch(futures)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for folder in self._folders:
                folder.stop()
            raise
        pool.shutdown()
        return failed

    def _run_group(self, runs: list[Run], failed: dict[str, str]) -> None:
        for run in runs:
            try:
                self._run(run)
            except (OSError, RuntimeError, ValueError) as error:
                failed[run.title] = str(error)
                self.say(f'{run.title}: FAILED. {error}')
            self._ended += 1

    def _run(self, run: Run) -> None:
        if run.method.proposals and not run.adopted:
            with self._making_proposals:
                self._make_proposals()
        adopt = self._made_by_others(run)
        self._start(
            *(run.folder, self.root / run.work_dir, self._pipeline_file(run)),
            *('--seed', run.seed),
            *(('--data', run.data) if run.data else ()),
            *(('--adopt', *adopt) if adopt else ()),
            *(('--fast',) if self.stages.fast else ()),
            *self.train_args,
        )

    def _make_proposals(self) -> None:
        if any(one.run is None and one.is_left for one in self.stages.now()):
            folder = self.stages.proposals
            self._start(
                *(Path('proposals'), folder / 'pipelines/wise'),
                METHODS['wise'].pipeline,
                *('--only', *_PROPOSAL_STAGES),
                *(('--fast',) if self.stages.fast else ()),
            )

    def _start(
        self, place: Path, work_dir: Path, config: str | Path, *options: str | int
    ) -> None:
        """Run a pipeline in a folder of the comparison."""
        work_dir.mkdir(parents=True, exist_ok=True)
        folder = RunFolder(self.root / place, work_dir / 'log.txt')
        self._folders.append(folder)
        dataset = ('--dataset', folder.root / 'dataset.py')
        folder.pipeline(config, *dataset, '--work-dir', work_dir, *options)

    def _made_by_others(self, run: Run) -> list[str]:
        """Stages whose results another method of the family has made here.

        Trainings are shared by the pipelines themselves.
        """
        stages = self.stages.now()
        finished = {(one.run, one.name) for one in stages if one.status == 'finished'}
        made = {
            stage.out
            for other in self.plan.runs
            if other.folder == run.folder and other != run
            for stage in self.stages.pipeline(other)
            if isinstance(stage, GenerateStage) and (other, stage.name) in finished
        }
        return [
            stage.name
            for stage in self.stages.pipeline(run)
            if isinstance(stage, GenerateStage) and stage.out in made
        ]

    def _watch(self, futures: list[Future]) -> None:
        """Say which stages have ended and how long the rest takes, until all have."""
        before = {(one.run, one.name): one.status for one in self.stages.now()}
        drawn = 0
        while True:
            is_over = all(future.done() for future in futures)
            planned = self.stages.now()
            for one in planned:
                was = before.get((one.run, one.name))
                if one.status == 'finished' and was in ('to do', 'interrupted'):
                    self.say(self._progress(one, planned))
                before[one.run, one.name] = one.status
            if self._ended > drawn:
                drawn = self._ended
                self.drawn()
            if is_over:
                break
            time.sleep(_LOOK_EVERY)
        for future in futures:
            future.result()  # raises what nobody foresaw

    def _progress(self, one: PlannedStage, planned: list[PlannedStage]) -> str:
        title = one.run.title if one.run else 'mask proposals'
        took = format_duration(one.seconds)
        done = sum(not other.is_left for other in planned)
        left = sum(other.seconds for other in planned if other.is_left) / self.jobs
        rest = f'about {format_duration(left)} left' if left else 'nothing left'
        count = f'[{done}/{len(planned)}]'
        return f'{count} {title}: {one.name} took {took}; {rest}'
