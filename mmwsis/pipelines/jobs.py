"""From a stage to what it means here: command, inputs, outputs, settings."""

import sys
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmwsis.formats.map_index import INDEX_NAME
from mmwsis.utils.config_files import default_work_dir, files_named_in, read_config
from mmwsis.utils.hashing import flatten_settings

from .correction_job import export_job, refuse_other_artifact
from .data_paths import fit_to_data_root
from .definition import Pipeline
from .evaluator_options import evaluator_options
from .job import Job
from .launch import Launch, option_arguments
from .locate import PACKAGE_DIR, find_config, find_tool
from .placeholders import fill_placeholders
from .stages import (
    CommandStage,
    ConfigStage,
    CorrectionStage,
    GenerateStage,
    QualityStage,
    ReportStage,
    Stage,
    TestStage,
    TrainStage,
)


class JobFactory:
    """Makes a job of each stage of a pipeline.

    Args:
        pipeline: The pipeline.
        root: Directory that relative paths start from.
        launch: How parallel stages are started.
        dataset: Dataset file given by the user.
        train_args: Further arguments of ``tools/train.py``, such as ``--amp``.
        seed: Random seed of every training instead of the configs' own.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        root: Path,
        launch: Launch | None = None,
        dataset: Path | None = None,
        train_args: tuple[str, ...] = (),
        seed: int | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.root = root
        self.launch = launch or Launch()
        self.dataset = dataset
        self.train_args = train_args
        self.seed = seed
        self._configs: dict[str, Config] = {}

    def work_path(self, *parts: str) -> Path:
        """Return a path in the pipeline's own work dir, relative to the root."""
        return Path(self.pipeline.work_dir, *parts)

    def config_of(self, stage: ConfigStage) -> Config:
        """Return a stage's config with dataset and overrides applied."""
        cfg = self._plain_config(stage)
        options = self.options_of(stage)
        if options:
            cfg = Config(cfg.to_dict(), filename=cfg.filename)
            cfg.merge_from_dict(options)
        return cfg

    def artifact_of(self, stage: GenerateStage) -> str:
        """Return the kind of artifact that a stage makes."""
        settings = stage.artifact or self.config_of(stage).get('artifact')
        settings = settings or 'object_masks'
        return settings if isinstance(settings, str) else settings['type']

    def _plain_config(self, stage: ConfigStage) -> Config:
        """A stage's config without its own overrides."""
        if stage.config not in self._configs:
            cfg = read_config(find_config(stage.config, self.pipeline.file.parent))
            if self.dataset is not None:
                # Here, because it imports MMDetection: `--list` should not wait for it.
                from mmwsis.engine.data_spec import apply_data_spec

                cfg = apply_data_spec(cfg, self.pipeline.data_spec)
            self._configs[stage.config] = cfg
        return self._configs[stage.config]

    def options_of(self, stage: ConfigStage) -> dict[str, Any]:
        """Return a stage's overrides with checkpoints filled in."""
        where = str(self.pipeline.file)
        options = fill_placeholders(stage.cfg_options, self._checkpoint_text, where)
        if isinstance(stage, TrainStage) and stage.labels is not None:
            options = {**options, self._labels_key(stage): stage.labels}
        if options:
            # There is nothing to override in a loader that a config has not, nor in the
            # evaluation on a dataset without `val`.
            plain = self._plain_config(stage)
            options = {
                key: value
                for key, value in options.items()
                if '.' not in key or _has(plain, key.partition('.')[0])
            }
            made = {out for one in self.pipeline.stages for out in one.makes}
            options = fit_to_data_root(options, plain.to_dict(), self.root, made)
        if isinstance(stage, TrainStage) and (self.seed is not None or stage.run > 1):
            options = {**options, 'randomness.seed': self._seed_of(stage)}
        return options

    def _labels_key(self, stage: TrainStage) -> str:
        """Dotted key of the label file that a config trains on."""
        key = 'train_dataloader.dataset'
        dataset = self._plain_config(stage).get('train_dataloader', {}).get('dataset')
        while dataset and 'dataset' in dataset:  # a wrapper, such as RepeatDataset
            key, dataset = f'{key}.dataset', dataset['dataset']
        return f'{key}.ann_file'

    def _seed_of(self, stage: TrainStage) -> int:
        """Random seed of a training run that does not have the config's own."""
        seed = self.seed
        if seed is None:
            seed = (self._plain_config(stage).get('randomness') or {}).get('seed')
        return (seed or 0) + stage.run - 1

    def train_dir(self, stage: ConfigStage) -> Path:
        """Return the work dir of a stage's training run, relative to the root."""
        trained = stage
        for other in self.pipeline.stages:
            if isinstance(stage, TrainStage) or other.name == stage.name:
                break
            if isinstance(other, TrainStage) and other.config == stage.config:
                trained = other
        work_dir = stage.work_dir or trained.work_dir
        folder = Path(work_dir) if work_dir is not None else self._own_dir(stage)
        if not isinstance(trained, TrainStage):
            return folder
        if trained.labels is not None:
            return folder.with_name(f'{folder.name}_corrected')
        if trained.run > 1:
            # Beside the first: a new start of that one moves its folder away.
            return folder.with_name(f'{folder.name}_run{trained.run}')
        repeated = trained.round is not None and work_dir is None
        return folder / f'round{trained.round.number}' if repeated else folder

    def _own_dir(self, stage: ConfigStage) -> Path:
        """Work dir that the tools choose for a stage's config."""
        cfg = self._plain_config(stage)
        name = None if self.dataset is None else str(self.pipeline.data_spec['name'])
        return Path(cfg.get('work_dir') or default_work_dir(cfg, stage.config, name))

    def checkpoint(self, stage: ConfigStage) -> Path:
        """Return the last checkpoint of a stage's training run.

        Args:
            stage: Train, generate or test stage.

        Returns:
            Path relative to the root. Before training it is a name that says so.
        """
        folder = self.train_dir(stage)
        pointer = self.root / folder / 'last_checkpoint'
        if not pointer.is_file():
            return folder / '<last checkpoint>'
        # The pointer holds an absolute path; the folder may have moved since.
        return folder / Path(pointer.read_text(encoding='utf-8').strip()).name

    def _checkpoint_text(self, key: str) -> str:
        kind, _, name = key.partition(':')
        trained = {s.name: s for s in self.pipeline.stages if isinstance(s, TrainStage)}
        if kind != 'checkpoint' or name not in trained:
            raise KeyError(f'the train stages are {sorted(trained)}')
        return str(self.checkpoint(trained[name]))

    def make(self, stage: Stage) -> Job:
        """Make the job of one stage.

        Args:
            stage: A stage of the pipeline.

        Returns:
            The job as it stands now: outputs of earlier stages that do not exist
            yet are not among the inputs that a config names.

        Raises:
            FileNotFoundError: A tool or config does not exist.
            ValueError: A setting that cannot be used.
        """
        job = getattr(self, f'_{stage.kind}_job')(stage)
        job.inputs = _unique([*map(Path, stage.inputs), *job.inputs])
        job.outputs = _unique([*map(Path, stage.outputs), *job.outputs])
        return job

    def _command_job(self, stage: CommandStage) -> Job:
        words = [
            fill_placeholders(word, self._checkpoint_text, str(self.pipeline.file))
            for word in stage.command
        ]
        # The words are the settings; where the program lies is not.
        settings = flatten_settings({'command': words})
        scripts = []
        if words and words[0] in ('python', 'python3'):
            words[:1] = [sys.executable]
        elif words and words[0].endswith('.py'):
            scripts = [find_tool(words[0])]
            words[:1] = [sys.executable, str(self.shown_path(scripts[0]))]
        return Job(command=words, settings=settings, scripts=scripts)

    def _train_job(self, stage: TrainStage) -> Job:
        folder = self.train_dir(stage)
        script = find_tool('tools/train.py')
        arguments = [self._config_argument(stage), *self._dataset_arguments(stage)]
        arguments += [*self.train_args, *option_arguments(self.options_of(stage))]
        job = self._config_job(stage, script, arguments)
        job.train_dir = folder
        job.resumable = [folder]
        checkpoint = self.checkpoint(stage)
        job.outputs = [folder / 'last_checkpoint', checkpoint]
        # What a run writes must not make it run again.
        job.inputs = [path for path in job.inputs if folder not in path.parents]
        job.inputs += [Path(stage.labels)] if stage.labels is not None else []
        job.settings.update(flatten_settings({'train_args': list(self.train_args)}))
        return job

    def _generate_job(self, stage: GenerateStage) -> Job:
        out = Path(stage.out)
        checkpoints = [self._checkpoint_argument(stage)] if stage.has_weights else []
        arguments = [self._config_argument(stage), *checkpoints]
        arguments += ['--out', stage.out, *stage.args, *self._data_option()]
        if stage.artifact is not None:
            arguments += ['--artifact', stage.artifact]
        arguments += option_arguments(self.options_of(stage))
        script = find_tool('tools/generate_pseudo_labels.py')
        job = self._config_job(stage, script, arguments)
        job.inputs = [path for path in job.inputs if path != stage.result]
        job.inputs += map(Path, checkpoints)
        job.outputs = [stage.result]
        job.resumable = [out, out.with_name(out.name + '.parts')]
        if self.artifact_of(stage) == 'panoptic_maps':
            job.resumable.append(out.with_suffix(''))  # the PNGs of the JSON
        job.settings.update(flatten_settings({'args': [*stage.args, stage.out]}))
        if stage.artifact is not None:
            job.settings.update(flatten_settings({'artifact': stage.artifact}))
        return job

    def _test_job(self, stage: TestStage) -> Job:
        metrics = self.metrics_file(stage.name)
        arguments = [self._config_argument(stage), self._checkpoint_argument(stage)]
        arguments += ['--metrics-out', str(metrics), *stage.args]
        arguments += self._dataset_arguments(stage)
        outputs = [metrics]
        options = dict(self.options_of(stage))
        more, keeps_masks = evaluator_options(
            self.config_of(stage).get('test_evaluator'),
            str(self.work_path('predictions', stage.name)),
        )
        if keeps_masks:
            outputs.append(self.predictions_file(stage.name))
        options.update(more)
        arguments += option_arguments(options)
        job = self._config_job(stage, find_tool('tools/test.py'), arguments)
        job.inputs.append(Path(self._checkpoint_argument(stage)))
        job.outputs = outputs
        job.settings.update(flatten_settings({'args': list(stage.args)}))
        return job

    def _quality_job(self, stage: QualityStage) -> Job:
        out_dir = self.quality_dir(stage.name)
        script = find_tool('tools/analysis_tools/pseudo_label_quality.py')
        arguments = [stage.pseudo, stage.gt, '--out-dir', str(out_dir)]
        if stage.img_dir is not None:
            arguments += ['--img-dir', stage.img_dir]
        if stage.gt_seg_dir is not None:
            arguments += ['--gt-seg-dir', stage.gt_seg_dir]
        return Job(
            command=[
                *(sys.executable, str(self.shown_path(script))),
                *(*arguments, *stage.args),
            ],
            inputs=[Path(stage.pseudo), Path(stage.gt)],
            outputs=[out_dir / 'quality.json', out_dir / 'quality.md'],
            settings=flatten_settings({'args': [*arguments, *stage.args]}),
            scripts=[script],
        )

    def _correction_job(self, stage: CorrectionStage) -> Job:
        for made in self.pipeline.stages:
            if isinstance(made, GenerateStage) and made.out == stage.pseudo:
                refuse_other_artifact(stage.pseudo, self.artifact_of(made))
        script = find_tool('tools/analysis_tools/review_list.py')
        return export_job(stage, script, self.shown_path(script))

    def _report_job(self, stage: ReportStage) -> Job:
        tests = (stage.weak, stage.full, *stage.full_runs, stage.corrected)
        inputs = [self.metrics_file(name) for name in tests if name]
        if stage.quality:
            inputs.append(self.quality_dir(stage.quality) / 'quality.json')
        for other in self.pipeline.stages:
            if isinstance(other, TrainStage):
                inputs.append(self.train_dir(other) / 'last_checkpoint')
            elif other.round is not None and isinstance(other, QualityStage):
                inputs.append(self.quality_dir(other.name) / 'quality.json')
            elif other.round is not None and isinstance(other, TestStage):
                inputs.append(self.metrics_file(other.name))
        drawing = [
            *(PACKAGE_DIR / 'visualization').glob('*.py'),
            *(PACKAGE_DIR / 'pipelines').glob('*report*.py'),
        ]
        return Job(
            inputs=inputs,
            outputs=[
                self.work_path(f'report.{kind}') for kind in ('md', 'html', 'json')
            ],
            settings=flatten_settings(
                {k: v for k, v in vars(stage).items() if k not in ('name', 'round')}
            ),
            scripts=sorted(drawing),
        )

    def metrics_file(self, stage: str) -> Path:
        """Return the file of a test stage's metrics."""
        return self.work_path('metrics', f'{stage}.json')

    def predictions_file(self, stage: str) -> Path:
        """Return the COCO results file of a test stage's masks."""
        return self.work_path('predictions', f'{stage}.segm.json')

    def quality_dir(self, stage: str) -> Path:
        """Return the folder of a quality stage's report."""
        return self.work_path('quality', stage)

    def _config_job(
        self, stage: ConfigStage, script: Path, arguments: list[str]
    ) -> Job:
        """What all stages with a config have in common."""
        cfg = self.config_of(stage)
        return Job(
            command=self.launch.wrap(self.shown_path(script), arguments),
            inputs=[
                self.shown_path(path)
                for path in files_named_in(_read(cfg), self.root, INDEX_NAME)
            ],
            settings=flatten_settings({'config': cfg.to_dict()}),
            scripts=[script],
        )

    def _config_argument(self, stage: ConfigStage) -> str:
        file = find_config(stage.config, self.pipeline.file.parent)
        return str(self.shown_path(file))

    def _checkpoint_argument(self, stage: GenerateStage | TestStage) -> str:
        if stage.checkpoint is not None:
            where = str(self.pipeline.file)
            return fill_placeholders(stage.checkpoint, self._checkpoint_text, where)
        return str(self.checkpoint(stage))

    def _data_option(self) -> list[str]:
        return [] if self.dataset is None else ['--dataset', str(self.dataset)]

    def _dataset_arguments(self, stage: ConfigStage) -> list[str]:
        """Dataset and work dir, where they are not the tools' own defaults."""
        arguments = self._data_option()
        folder = self.train_dir(stage)
        if self.dataset is not None or folder != self._own_dir(stage):
            arguments += ['--work-dir', str(folder)]
        return arguments

    def shown_path(self, path: Path) -> Path:
        """Return a path as short as it can be typed in the root."""
        try:
            return path.relative_to(self.root)
        except ValueError:
            return path


def _has(cfg: Config, key: str) -> bool:
    """Whether a config has a part, or may be given it."""
    return cfg.get(key, None if key.endswith('_dataloader') else '') is not None


def _read(cfg: Config) -> dict[str, Any]:
    """A config without variables, which name what an override has replaced, too."""
    return {
        key: value
        for key, value in cfg.to_dict().items()
        if key == 'load_from' or not (isinstance(value, str) or '_pipeline' in key)
    }


def _unique(paths: list[Path]) -> list[Path]:
    return list(dict.fromkeys(paths))
