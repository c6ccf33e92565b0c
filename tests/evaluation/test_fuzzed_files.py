"""One changed value in a file that evaluation reads: a result or one message.

No tool may print a traceback, and no figure may leave its range.
"""

import contextlib
import copy
import io
import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmwsis.formats.class_maps import encode_class_maps
from mmwsis.registry import METRICS

sys.path.insert(0, str(Path(__file__).parent))
import metric_ranks
from metric_ranks import CLASSES, IMAGES, SHAPE

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'
JUNK = [None, True, -1, 0, 1, 7, 2.5, 1e30, float('nan'), '', 'x', '1', [], [1], {}]
JUNK += [
    [[1, 2, 3]],
    {'id': 1},
    2**40,
    -(2**70),
    '../x',
    '\ud800'.encode('utf-8', 'replace').decode(),
]
FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def places(value, path=()):
    """Paths to every value of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*path, key))


def changed(document, data):
    """The document with one value replaced or removed."""
    document = copy.deepcopy(document)
    *way, last = data.draw(st.sampled_from(list(places(document))))
    inner = document
    for key in way:
        inner = inner[key]
    if data.draw(st.booleans()) and data.draw(st.booleans()):
        del inner[last]
    else:
        inner[last] = data.draw(st.sampled_from(JUNK))
    return document


def run_tool(name, *arguments):
    """Exit code, or message, of a tool; whatever else it raises is a traceback."""
    shown = io.StringIO()
    old = sys.argv
    sys.argv = [str(TOOLS / name), *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            runpy.run_path(sys.argv[0], run_name='__main__')
    except SystemExit as end:
        return end.code, shown.getvalue()
    finally:
        sys.argv = old
    return 0, shown.getvalue()


def check(folder, code, shown):
    if code not in (0, None):
        text = code if isinstance(code, str) else shown
        assert text.startswith('error: ') and len(text.strip().splitlines()) < 8, text
        return
    path = folder / 'out' / 'quality.json'
    report = json.loads(path.read_text())
    for name, value in report.items():
        if isinstance(value, float):
            assert 0 <= value <= 1, (name, value)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Files of every kind, ground truth and labels."""
    folder = tmp_path_factory.mktemp('files')
    metric_ranks.write_truth(folder)
    index = []
    for kind, suffix in (('semantic', 'png'), ('maps', 'npz')):
        (folder / kind).mkdir()
        for number in range(IMAGES):
            values = metric_ranks.scene(number)[0]
            path = folder / kind / f'{number}.{suffix}'
            if kind == 'semantic':
                cv2.imwrite(str(path), values[0] + 2 * values[1])
                continue
            maps = dict(high_res=values.astype(np.float32))
            content = encode_class_maps(np.arange(2), SHAPE, maps)
            path.write_bytes(content)
            index.append(dict(id=number, file=path.name, labels=[0, 1]))
    content = dict(type='class_maps', classes=list(CLASSES), images=index)
    (folder / 'maps' / 'index.json').write_text(json.dumps(content))
    return folder


@FUZZ
@given(data=st.data())
@pytest.mark.parametrize('side', ['pseudo', 'gt', 'alone'])
@pytest.mark.parametrize('kind', ['coco', 'panoptic'])
def test_two_files(folder, kind, side, data):
    right = folder / f'{kind}.json'
    document = json.loads(right.read_text())
    broken = folder / 'broken.json'
    broken.write_text(json.dumps(changed(document, data)))
    files = dict(pseudo=[broken, right], gt=[right, broken], alone=[broken])[side]
    seg = ['--pseudo-seg-dir', folder / 'png', '--gt-seg-dir', folder / 'png']
    out = ['--out-dir', folder / 'out', '--workers', 1, '--worst', 1]
    check(folder, *run_tool('pseudo_label_quality.py', *files, *seg, *out))


@FUZZ
@given(data=st.data())
@pytest.mark.parametrize('alone', [False, True])
def test_index_of_maps(folder, alone, data):
    path = folder / 'maps' / 'index.json'
    text = path.read_text()
    try:
        path.write_text(json.dumps(changed(json.loads(text), data)))
        files = [path.parent] if alone else [path.parent, folder / 'coco.json']
        found = run_tool('pseudo_label_quality.py', *files, '--out-dir', folder / 'out')
    finally:
        path.write_text(text)
    check(folder, *found)


@FUZZ
@given(data=st.data(), size=st.sampled_from(['same', 'other']))
@pytest.mark.parametrize('kind', ['semantic', 'png', 'maps'])
def test_bytes_of_a_map(folder, kind, data, size):
    """A byte changed, or the end cut off."""
    path = sorted((folder / kind).glob('0.*'))[0]
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    broken = bytearray(content)
    if size == 'same':
        broken[place] ^= data.draw(st.integers(1, 255))
    else:
        del broken[place:]
    files = dict(
        semantic=[folder / kind, folder / kind, '--background', '--classes', *CLASSES],
        png=[folder / 'panoptic.json', folder / 'panoptic.json'],
        maps=[folder / kind, folder / 'coco.json'],
    )[kind]
    seg = ['--pseudo-seg-dir', folder / 'png', '--gt-seg-dir', folder / 'png']
    try:
        path.write_bytes(bytes(broken))
        found = run_tool(
            'pseudo_label_quality.py', *files, *seg, '--out-dir', folder / 'out'
        )
    finally:
        path.write_bytes(content)
    check(folder, *found)


@FUZZ
@given(data=st.data())
def test_metrics_of_two_models(folder, data):
    right = {'coco/segm_mAP': 0.3, 'coco/segm_mAP_s': -1.0, 'PQ': None, 'mIoU': 71.0}
    for name, document in (('weak', changed(right, data)), ('full', right)):
        (folder / f'{name}.json').write_text(json.dumps(document))
    code, shown = run_tool('retention.py', folder / 'weak.json', folder / 'full.json')
    assert code in (0, 1), shown
    assert code == 0 or shown.startswith('error: ')


@FUZZ
@given(data=st.data())
@pytest.mark.parametrize(
    'kind', ['CocoInstanceMetric', 'VOCInstanceMetric', 'PanopticQualityMetric']
)
def test_ground_truth_of_a_metric(folder, kind, data):
    name = 'panoptic' if kind.startswith('Panoptic') else 'coco'
    document = json.loads((folder / f'{name}.json').read_text())
    path = folder / 'truth.json'
    path.write_text(json.dumps(changed(document, data)))
    config, sample = metric_ranks.metrics(folder)[kind]
    config = dict(config, ann_file=str(path), type=f'mmwsis.{kind}')
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            metric = METRICS.build(config)
            metric.dataset_meta = dict(classes=CLASSES)
            for index in range(IMAGES):
                metric.process(None, [sample(index)])
            figures = metric.evaluate(IMAGES)
    except (ValueError, FileNotFoundError) as error:
        frame = error.__traceback__
        while frame.tb_next is not None:
            frame = frame.tb_next
        assert frame.tb_frame.f_globals['__name__'].startswith('mmwsis.'), error
        return
    for figure, value in figures.items():
        assert isinstance(value, str) or np.isnan(value) or 0 <= value <= 1, figure
