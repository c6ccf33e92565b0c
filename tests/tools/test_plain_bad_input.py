"""Plain bad input of every kind, given to every tool: one message, no traceback."""

import json
import os
import runpy
import sys
import traceback
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / 'tests' / folder) for folder in ('faults', 'pseudo_labels')]

from broken_files import Files, write_config  # noqa: E402

SPEC = """
data_spec = dict(
    name='mine', data_root='data', classes=('bolt',),
    train=dict(ann_file='labels.json', img='', weak=dict(extreme_points='labels.json')),
    val=dict(ann_file='truth.json', img=''))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A directory with a small dataset, a config, a dataset file and weights."""
    import torch

    (tmp_path / 'data').mkdir()
    files = Files(tmp_path / 'data').write()
    config = write_config(files)
    config.rename(tmp_path / 'labeler.py')
    (tmp_path / 'spec.py').write_text(SPEC)
    (tmp_path / 'file').write_text('a file where a folder is needed')
    torch.save(dict(state_dict={'other.weight': torch.zeros(2)}), tmp_path / 'w.pth')
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a tool in this process; returns its exit code and what it says."""

    def run(tool, *arguments):
        path = ROOT / 'tools' / tool
        capsys.readouterr()
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        monkeypatch.setattr(sys, 'path', list(sys.path))
        text = ''
        try:
            runpy.run_path(str(path), run_name='__main__')
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
            text = end.code if isinstance(end.code, str) else ''
        except BaseException:
            code, text = 1, traceback.format_exc()
        said = capsys.readouterr()
        return code, f'{said.out}{said.err}{text}'

    return run


def check(result, *parts):
    """One message that names all parts, and a failure."""
    code, text = result
    assert 'Traceback' not in text, text
    assert code not in (0, None), text
    for part in parts:
        assert part in text, text


# Tools that read a config, its arguments besides.
WITH_CONFIG = {
    'train.py': (),
    'test.py': ('w.pth',),
    'generate_pseudo_labels.py': ('w.pth', '--out', 'out.json'),
    'run_pipeline.py': (),
    'analysis_tools/browse_dataset.py': ('--out-dir', 'out'),
    'analysis_tools/show_bestie.py': ('w.pth', '--out', 'out.png'),
    'analysis_tools/show_cues.py': ('w.pth', '--out', 'out.png'),
    'analysis_tools/show_grad_cam.py': ('w.pth', '--out', 'out.png'),
    'analysis_tools/show_irnet.py': ('w.pth', '--out', 'out.png'),
    'analysis_tools/show_retrieval.py': ('w.pth', '--out', 'out.png'),
    'analysis_tools/check_dataset.py': (),
}
CONFIGS = {
    'none.py': None,
    'folder.py': None,
    'syntax.py': 'model = dict(a=1\n',
    'name.py': 'a = 1\nb = nothing_of_this_name\n',
    'base.py': "_base_ = './no_such_base.py'\n",
    'syntax_of_base.py': "_base_ = './syntax.py'\n",
    'package.py': "_base_ = 'mmdet::solov2/no_such.py'\n",
    'module.py': "custom_imports = dict(imports=['no_such_module'])\n",
    'latin1.py': "a = 'caf\xe9'\n",
    'nul.py': 'a = 1\0\n',
    'loop.py': "_base_ = './loop.py'\n",
    'cut.json': '{"a": 1',
    'list.json': '[1]',
    'cut.yaml': 'a: [1\nb: }',
    'text.txt': 'a = 1',
    'mmdet::no_such.py': None,
    'no_such_package::a.py': None,
    'empty.py': '',
}


def write_configs(folder):
    for name, text in CONFIGS.items():
        if text is not None:
            (folder / name).write_text(text, encoding='latin-1')
    (folder / 'folder.py').mkdir()


# The tools of analysis read configs by the same function.
TOOLS = [
    pytest.param(tool, marks=[pytest.mark.slow] if 'analysis' in tool else [])
    for tool in WITH_CONFIG
]


@pytest.mark.parametrize('tool', TOOLS)
def test_config_that_cannot_be_read(folder, run, tool):
    write_configs(folder)
    before = sorted(folder.rglob('*'))
    for name in CONFIGS:
        first = ('data/labels.json', '--config') if 'check_dataset' in tool else ()
        if name == 'empty.py' and first:
            continue
        result = run(tool, *first, name, *WITH_CONFIG[tool])
        check(result, name.rpartition('::')[2])
    assert sorted(folder.rglob('*')) == before


# A dataset file with a fault, and what the message names besides the file.
SPECS = {
    'no_such_spec.py': None,
    'syntax.py': 'data_spec = dict(\n',
    'name.py': 'data_spec = dict(name=mine)\n',
    'none.py': 'a = 1\n',
    'list.py': 'data_spec = [1]\n',
    'text.py': "data_spec = 'x'\n",
    'keys.py': "data_spec = dict(name='x')\n",
    'latin1.py': "data_spec = 'caf\xe9'\n",
    'cut.json': '{"data_spec": ',
}


@pytest.mark.parametrize(
    'tool', [tool for tool in TOOLS if tool.values != ('run_pipeline.py',)]
)
def test_dataset_file_that_cannot_be_read(folder, run, tool):
    for name, text in SPECS.items():
        if text is not None:
            (folder / name).write_text(text, encoding='latin-1')
    for name in SPECS:
        first = ('data/labels.json', '--config') if 'check_dataset' in tool else ()
        arguments = (*first, 'labeler.py', *WITH_CONFIG[tool], '--dataset', name)
        check(run(tool, *arguments), name)


# Tools that read JSON files, with an argument for the bad one.
WITH_JSON = {
    'analysis_tools/check_dataset.py': ('BAD',),
    'analysis_tools/pseudo_label_quality.py': (
        'BAD',
        'data/truth.json',
        '--out-dir',
        'q',
    ),
    'analysis_tools/retention.py': ('BAD', 'BAD'),
    'dataset_converters/coco2weak.py': ('BAD', '--level', 'boxes', '--out', 'out.json'),
    'dataset_converters/annotation_budget.py': (
        *('BAD', '--hours', '1', '--out-dir', 'out'),
    ),
    'dataset_converters/mix_supervision.py': (
        *('BAD', '--masks', '10%', '--out', 'out.json'),
    ),
    'dataset_converters/separated_coco.py': ('BAD', '--out', 'out.json'),
    'dataset_converters/import_labels.py': (
        *('BAD', '--from', 'labelme', '--out', 'out.json'),
    ),
    'dataset_converters/apply_corrections.py': (
        *('data/truth.json', 'BAD', '--out', 'out.json'),
    ),
    'export_labels.py': ('BAD', '--to', 'coco', '--out', 'out'),
    'analysis_tools/review_list.py': ('BAD', '--out-dir', 'out'),
    'compare_supervision.py': ('--dataset', 'bad.py', '--root', 'out'),
}
JSON = {
    'no_such.json': None,
    'folder.json': None,
    'empty.json': b'',
    'cut.json': b'{"images": [',
    'list.json': b'[]',
    'number.json': b'3',
    'null.json': b'null',
    'text.json': b'hello',
    'binary.json': bytes(range(256)),
    'keys.json': b'{"images": 3, "annotations": {}, "categories": "x"}',
}


@pytest.mark.parametrize('tool', WITH_JSON)
def test_file_of_labels_that_cannot_be_read(folder, run, tool):
    for name, content in JSON.items():
        if content is not None:
            (folder / name).write_bytes(content)
    (folder / 'folder.json').mkdir()
    for name in JSON:
        if name == 'keys.json' and 'retention' in tool:
            continue  # numbers under names: metrics
        arguments = [name if word == 'BAD' else word for word in WITH_JSON[tool]]
        # Of a dataset file, its labels.
        spec = SPEC.replace('labels.json', 'truth.json')
        spec = spec.replace(
            "ann_file='truth.json', img='', weak", f"ann_file='../{name}', img='', weak"
        )
        (folder / 'bad.py').write_text(spec)
        check(run(tool, *arguments), name.partition('.')[0])


CHECKPOINTS = {
    'no_such.pth': None,
    'folder.pth': None,
    'empty.pth': b'',
    'text.pth': b'no checkpoint',
    'html.pth': b'<html><body>404</body></html>',
    'pickle.pth': b'\x80\x04K\x03.',
}


@pytest.mark.parametrize(
    'tool',
    [
        *('test.py', 'generate_pseudo_labels.py', 'analysis_tools/show_irnet.py'),
        'analysis_tools/show_bestie.py',
        *('analysis_tools/show_retrieval.py', 'model_converters/mae2mmwsis.py'),
        'analysis_tools/show_cues.py',
    ],
)
def test_checkpoint_that_is_none(folder, run, tool):
    for name, content in CHECKPOINTS.items():
        if content is not None:
            (folder / name).write_bytes(content)
    (folder / 'folder.pth').mkdir()
    for name in CHECKPOINTS:
        if tool.startswith('model'):
            arguments = (name, 'out.pth')
        else:
            arguments = ('labeler.py', *WITH_CONFIG[tool])
            arguments = [name if word == 'w.pth' else word for word in arguments]
        check(run(tool, *arguments), name)


OPTIONS = (
    'no_equal_sign',
    'model=3',
    'model.test_cfg.mask_thr.x=1',
    'train_dataloader.batchsize=2',
    'train_dataloader.dataset.pipeline.77.type=X',
    '=3',
)


@pytest.mark.parametrize(
    'tool',
    [
        *('train.py', 'test.py', 'generate_pseudo_labels.py'),
        *('analysis_tools/browse_dataset.py', 'analysis_tools/show_irnet.py'),
        *('analysis_tools/show_retrieval.py', 'analysis_tools/show_cues.py'),
    ],
)
@pytest.mark.parametrize('option', OPTIONS)
def test_option_that_leads_nowhere(folder, run, tool, option):
    arguments = ('labeler.py', *WITH_CONFIG[tool], '--cfg-options', option)
    check(run(tool, *arguments))


BLOCKED = {
    'train.py': ('labeler.py', '--work-dir', 'file/work'),
    'generate_pseudo_labels.py': ('labeler.py', 'w.pth', '--out', 'file/out.json'),
    'analysis_tools/retention.py': ('m.json', 'm.json', '--out', 'file/out.json'),
    'analysis_tools/check_dataset.py': (
        *('data/labels.json', '--json', 'file/report.json'),
    ),
    'analysis_tools/pseudo_label_quality.py': (
        *('data/labels.json', 'data/truth.json', '--out-dir', 'file/quality'),
    ),
    'analysis_tools/browse_dataset.py': ('labeler.py', '--out-dir', 'file/out'),
    'dataset_converters/coco2weak.py': (
        *('data/labels.json', '--level', 'boxes', '--out', 'file/out.json'),
    ),
    'dataset_converters/annotation_budget.py': (
        *('data/labels.json', '--hours', '1', '--out-dir', 'file/out'),
    ),
    'dataset_converters/separated_coco.py': (
        *('data/labels.json', '--out', 'file/out.json'),
    ),
    'dataset_converters/make_synthetic.py': (
        *('--out', 'file/out', '--train', '1', '--val', '1'),
    ),
    'dataset_converters/mix_supervision.py': (
        *('data/labels.json', '--out', 'file/out.json'),
    ),
    'dataset_converters/apply_corrections.py': (
        *('data/truth.json', 'data/truth.json', '--out', 'file/out.json'),
    ),
    'export_labels.py': ('data/truth.json', '--to', 'coco', '--out', 'file/out'),
    'analysis_tools/review_list.py': ('data/truth.json', '--out-dir', 'file/out'),
    'model_converters/mae2mmwsis.py': ('w.pth', 'file/out.pth'),
    'compare_supervision.py': ('--dataset', 'masks.py', '--root', 'file/out'),
    'run_pipeline.py': ('mmwsis::mal/pipeline_synthetic.py', '--work-dir', 'file/work'),
}


@pytest.mark.parametrize('tool', BLOCKED)
def test_place_that_cannot_be_written(folder, run, tool):
    (folder / 'm.json').write_text(json.dumps({'coco/segm_mAP': 0.5}))
    (folder / 'masks.py').write_text(SPEC.replace('labels.json', 'truth.json'))
    check(run(tool, *BLOCKED[tool]))
    assert (folder / 'file').is_file()
    assert not os.path.exists('work_dirs')
