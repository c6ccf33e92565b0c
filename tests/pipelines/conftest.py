"""A tiny project: fake tools that leave traces, and a pipeline over them."""

import textwrap
from pathlib import Path

import pytest

from mmwsis.pipelines import Selection, jobs, runner
from mmwsis.pipelines.session import PipelineOptions, run_pipeline

# Writes "epochs" one by one, as a training run does, and dies by SIGKILL when asked.
FAKE_TRAIN = """
import json, os, signal, sys, time
from pathlib import Path
config = Path(sys.argv[1])
work = Path('work_dirs', config.stem)
if '--work-dir' in sys.argv:
    work = Path(sys.argv[sys.argv.index('--work-dir') + 1])
work.mkdir(parents=True, exist_ok=True)
resume = '--resume' in sys.argv
epochs = int(config.read_text().split('epochs=')[1].split()[0].strip(')'))
done = len(list(work.glob('epoch_*.pth'))) if resume else 0
Path('calls.txt').open('a').write(f'train {config.stem} from {done}\\n')
vis = work / f'run{done}' / 'vis_data'
vis.mkdir(parents=True, exist_ok=True)
for epoch in range(done + 1, epochs + 1):
    (work / f'epoch_{epoch}.pth').write_text(f'weights {config.read_text()} {epoch}')
    (work / 'last_checkpoint').write_text(str((work / f'epoch_{epoch}.pth').resolve()))
    with (vis / 'scalars.json').open('a') as file:
        entry = {'loss': 1 / epoch, 'iter': epoch, 'step': epoch}
        file.write(json.dumps(entry) + '\\n')
    print('epoch', epoch, flush=True)
    if Path('die').exists():
        Path('die').unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    while Path('hang').exists():
        time.sleep(0.02)
"""
FAKE_GENERATE = """
import json, sys
from pathlib import Path
out = Path(sys.argv[sys.argv.index('--out') + 1])
Path('calls.txt').open('a').write(f'generate from {Path(sys.argv[2]).name}\\n')
out.parent.mkdir(parents=True, exist_ok=True)
body = {'annotations': [{'weights': open(sys.argv[2]).read()}]}
out.write_text(json.dumps(body))
"""
FAKE_TEST = """
import json, sys
from pathlib import Path
out = Path(sys.argv[sys.argv.index('--metrics-out') + 1])
Path('calls.txt').open('a').write('test\\n')
out.parent.mkdir(parents=True, exist_ok=True)
found = 0.3 if 'final' in sys.argv[1] else 0.5 if '_run2/' in sys.argv[2] else 0.4
out.write_text(json.dumps({'coco/segm_mAP': found}))
"""
FAKE_QUALITY = """
import json, sys
from pathlib import Path
out = Path(sys.argv[sys.argv.index('--out-dir') + 1])
Path('calls.txt').open('a').write('quality\\n')
out.mkdir(parents=True, exist_ok=True)
(out / 'quality.json').write_text(json.dumps({'class_mean_iou': {'all': 0.8}}))
(out / 'quality.md').write_text('fine')
"""
FAKE_CONVERT = """
import sys
from pathlib import Path
Path('calls.txt').open('a').write('convert\\n')
Path(sys.argv[2]).parent.mkdir(parents=True, exist_ok=True)
Path(sys.argv[2]).write_text(Path(sys.argv[1]).read_text().split()[0])
"""
PIPELINE = """
pipeline = dict(
    name='toy', title='A toy', work_dir='work_dirs/pipelines/toy',
    stages=[
        dict(name='weak', type='command',
             command=['tools/convert.py', 'data/gt.txt', 'data/weak.txt'],
             inputs=['data/gt.txt'], outputs=['data/weak.txt']),
        dict(name='labeler', type='train', config='labeler.py'),
        dict(name='labels', type='generate', config='labeler.py',
             out='data/pseudo.json'),
        dict(name='quality', type='quality', pseudo='data/pseudo.json',
             gt='data/gt.txt'),
        dict(name='final', type='train', config='final.py'),
        dict(name='final_test', type='test', config='final.py'),
        dict(name='full', type='train', config='full.py'),
        dict(name='full_test', type='test', config='full.py'),
        dict(name='report', type='report', weak='final_test', full='full_test',
             quality='quality'),
    ],
    fast=dict(labeler={'train_cfg.epochs': 1}, weak=dict(inputs=[])),
)
"""


class ToyProject:
    """A directory with data, configs and fake tools, and a way to run them."""

    def __init__(self, root: Path):
        self.root = root
        (root / 'data').mkdir()
        (root / 'data/gt.txt').write_text('one two')
        self.tools = root / 'tools'
        for name, body in {
            'train.py': FAKE_TRAIN,
            'generate_pseudo_labels.py': FAKE_GENERATE,
            'test.py': FAKE_TEST,
            'analysis_tools/pseudo_label_quality.py': FAKE_QUALITY,
            'convert.py': FAKE_CONVERT,
        }.items():
            file = self.tools / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(body))
        self.config('labeler', 2, ann_file='data/weak.txt')
        self.config('final', 2, ann_file='data/pseudo.json')
        self.config('full', 1, ann_file='data/gt.txt')
        (root / 'pipeline.py').write_text(PIPELINE)
        self.lines = []

    def config(self, name: str, epochs: int, **settings: object):
        keys = ', '.join(f'{key}={value!r}' for key, value in settings.items())
        text = f'model = dict(type="toy")\ntrain = dict({keys}, epochs={epochs} )\n'
        (self.root / f'{name}.py').write_text(text)

    def find_tool(self, name: str) -> Path:
        file = self.tools / name.removeprefix('tools/')
        if not file.is_file():
            raise FileNotFoundError(name)
        return file

    def run(self, **options: object):
        self.lines.clear()
        selection = Selection(
            options.pop('first', None),
            options.pop('last', None),
            tuple(options.pop('only', ())),
            tuple(options.pop('forced', ())),
        )
        request = PipelineOptions('pipeline.py', selection=selection, **options)
        done = run_pipeline(request, self.lines.append)
        return {outcome.stage.name: outcome for outcome in done.outcomes}

    @property
    def said(self) -> str:
        return '\n'.join(self.lines)

    def calls(self) -> list[str]:
        """What the fake tools did since the last time this was asked."""
        file = self.root / 'calls.txt'
        lines = file.read_text().splitlines() if file.exists() else []
        file.write_text('')
        return lines


def scripts_only(scripts, hasher):
    return {f'tools/{script.name}': hasher(script) for script in scripts}


@pytest.fixture
def toy(tmp_path, monkeypatch):
    project = ToyProject(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jobs, 'find_tool', project.find_tool)
    # The package itself may be edited while the tests run; the tools are ours.
    monkeypatch.setattr(runner, 'code_version', scripts_only)
    return project
