import json
import sys
from pathlib import Path

import pytest
from forked_tools import run_forked

from mmwsis.evaluation.retention import (
    format_retention,
    read_metrics,
    retention_table,
)

WEAK = {
    'coco/bbox_mAP': 0.3,
    'coco/segm_mAP': 0.361,
    'coco/segm_mAP_s': -1.0,
    'coco/segm_mAP_copypaste': '0.361 ...',
    'coco/only_weak': 1.0,
}
FULL = {
    'coco/segm_mAP': 0.375,
    'coco/segm_mAP_s': 0.2,
    'coco/bbox_mAP': 0.0,
    'coco/segm_mAP_copypaste': '0.375 ...',
}


def test_published_figure_of_the_paper():
    # EXITS, COCO val, SOLOv2 R50: 36.1 of 37.5.
    rows = retention_table(WEAK, FULL)
    assert rows[0].metric == 'coco/segm_mAP'
    assert rows[0].retention == pytest.approx(96.3, abs=0.05)


def test_only_shared_numbers_are_compared_and_masks_come_first():
    names = [row.metric for row in retention_table(WEAK, FULL)]
    assert names == ['coco/segm_mAP', 'coco/segm_mAP_s', 'coco/bbox_mAP']
    cat = {'coco/cat_precision': 0.2}
    rows = retention_table({**cat, **WEAK}, {**cat, **FULL})
    assert [row.metric for row in rows] == [*names, 'coco/cat_precision']


def test_undefined_ratios_are_not_invented():
    rows = {row.metric: row for row in retention_table(WEAK, FULL)}
    assert rows['coco/segm_mAP_s'].retention is None
    assert rows['coco/bbox_mAP'].retention is None


def test_panoptic_semantic_and_voc_metrics():
    weak = {
        'coco/bbox_mAP': 0.2,
        'panoptic/PQ': 0.59,
        'voc/AP50': 0.5,
        'mIoU': 74.3,
        'voc/AP50_gear': float('nan'),
    }
    full = {
        'panoptic/PQ': 0.627,
        'voc/AP50': 0.625,
        'mIoU': 77.3,
        'coco/bbox_mAP': 0.4,
        'voc/AP50_gear': float('nan'),
    }
    rows = retention_table(weak, full)
    assert [row.metric for row in rows] == [
        'panoptic/PQ',
        'voc/AP50',
        'mIoU',
        'coco/bbox_mAP',
    ]
    text = format_retention(rows)
    assert '59.0 |    62.7 |    94.1 %' in text
    # MMSegmentation's figures are percentages already.
    assert '74.3 |    77.3 |    96.1 %' in text


def test_nothing_shared_is_an_error():
    with pytest.raises(ValueError, match="'segm_mAP'.*'bbox_mAP'"):
        retention_table({'segm_mAP': 0.1}, {'bbox_mAP': 0.2})


def test_errors_of_counts_have_no_retention():
    """Less is better, and they are no shares of one."""
    weak, full = ({'counting/MAE': v, 'coco/segm_AP25': 0.4} for v in (1.25, 0.5))
    rows = {row.metric: row for row in retention_table(weak, full, full)}
    assert rows['counting/MAE'].retention is rows['counting/MAE'].noise_floor is None
    assert rows['coco/segm_AP25'].retention == 100
    text = format_retention(list(rows.values()))
    assert '|    1.25 |    0.50 |         - |' in text
    assert 'segm_AP25' in text.partition('Within the noise floor')[2]


def test_table_shows_percentages():
    text = format_retention(retention_table(WEAK, FULL))
    assert '36.1 |    37.5 |    96.3 %' in text


@pytest.mark.parametrize(
    ('content', 'message'), [('{', 'no valid JSON'), ('[1]', 'holds a list')]
)
def test_broken_files_are_named(tmp_path, content, message):
    path = tmp_path / 'weak.json'
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_metrics(path)
    assert 'weak.json' in str(caught.value)


def test_tool_prints_and_writes(tmp_path):
    weak, full, out = (tmp_path / name for name in ('w.json', 'f.json', 'o.json'))
    weak.write_text(json.dumps(WEAK))
    full.write_text(json.dumps(FULL))
    tool = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'retention.py'
    command = [sys.executable, str(tool), str(weak), str(full), '--out', str(out)]
    result = run_forked(command)
    assert result.returncode == 0, result.stderr
    assert '96.3 %' in result.stdout
    written = json.loads(out.read_text())
    assert written['coco/segm_mAP']['retention'] == pytest.approx(96.267, abs=1e-3)
    assert written['coco/segm_mAP_s']['retention'] is None
    full.unlink()
    result = run_forked(command)
    assert result.returncode == 1
    assert 'f.json does not exist' in result.stderr and '--metrics-out' in result.stderr


def test_a_metric_that_one_model_lacks_a_value_of_has_a_row(tmp_path):
    """NaN in Python is null in the files; both say "nothing to measure"."""
    weak = {'PQ': 0.3, 'PQ_st': None, 'PQ_th': 0.2, 'SQ': None, 'RQ': 0.1}
    full = {'PQ': 0.6, 'PQ_st': 0.5, 'PQ_th': float('nan'), 'SQ': None, 'RQ': 0.0}
    rows = {row.metric: row for row in retention_table(weak, full)}
    assert list(rows) == ['PQ', 'PQ_st', 'PQ_th', 'RQ']
    assert [row.retention for row in rows.values()] == [50.0, None, None, None]
    assert '|       - |    50.0 |         - |' in format_retention(list(rows.values()))
    assert rows['PQ_st'].as_json() == dict(
        metric='PQ_st',
        weak=None,
        full=0.5,
        retention=None,
        runs=[0.5],
        noise_floor=None,
        within_noise=False,
    )
    with pytest.raises(ValueError, match='share no metric'):
        retention_table({'PQ': None}, {'PQ': 0.5})


def test_several_runs_of_the_baseline_are_a_noise_floor():
    weak = {'AP': 0.40, 'AP50': 0.60, 'AP75': 0.2, 'AP_s': None}
    first = {'AP': 0.45, 'AP50': 0.60, 'AP75': 0.0, 'AP_s': 0.1}
    second = {'AP': 0.47, 'AP50': 0.64, 'AP75': 0.0, 'AP_s': 0.2}
    rows = {row.metric: row for row in retention_table(weak, first, second)}
    assert rows['AP'].full == pytest.approx(0.46)
    assert rows['AP'].retention == pytest.approx(100 * 0.40 / 0.46)
    assert rows['AP'].noise_floor == pytest.approx((97.826, 102.174), abs=1e-3)
    assert not rows['AP'].within_noise
    # .02 below the mean, and two runs of the same baseline are .04 apart.
    assert rows['AP50'].within_noise
    assert rows['AP75'].noise_floor is rows['AP_s'].noise_floor is None
    text = format_retention(list(rows.values()))
    assert '87.0 % |   97.8–102.2 %' in text
    assert text.endswith('two runs of the baseline: AP50')
    text = format_retention(retention_table(weak, first))
    assert 'baseline seeds' not in text and 'Noise floor not measured' in text


def test_runs_must_share_a_metric():
    with pytest.raises(ValueError, match=r"share no metric.*'a'.*'b'"):
        retention_table({'a': 0.1}, {'a': 0.2, 'b': 0.1}, {'b': 0.2})


def test_tool_takes_several_baselines(tmp_path):
    files = [tmp_path / f'{name}.json' for name in 'wab']
    for file, value in zip(files, (0.3, 0.4, 0.6), strict=True):
        file.write_text(json.dumps({'AP': value}))
    tool = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'retention.py'
    out = tmp_path / 'out.json'
    command = [sys.executable, str(tool), *map(str, files), '--out', str(out)]
    printed = run_forked(command).stdout
    assert '60.0 % |   80.0–120.0 %' in printed
    assert json.loads(out.read_text())['AP']['noise_floor'] == pytest.approx([80, 120])
