"""The benchmark scripts run at tiny sizes, and both sides of each agree."""

import argparse
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from pycocotools import mask as coco_mask
from torch.utils._pytree import tree_leaves

from mmwsis.formats.coco_masks import encode_mask
from mmwsis.structures import Proposals
from mmwsis.utils.fileio import atomic_write_json

ROOT = Path(__file__).parents[2]
SCRIPTS = (
    'ablation_study',
    'bench_bestie_ops',
    'bench_bestie_step',
    'bench_exits_ops',
    'bench_export',
    'bench_instance_network',
    'bench_grabcut_boxes',
    'bench_instance_ops',
    'bench_label_refinement',
    'bench_labeler_loader',
    'bench_labeler_step',
    'bench_proposal_generator',
    'bench_proposals',
    'bench_wise_ops',
    'correction_study',
    'gpu_check',
    'label_switches',
    'photograph_study',
    'proposal_background',
    'review_calibration',
)


@pytest.fixture
def load(monkeypatch):
    """Import a script as ``python benchmarks/NAME.py`` would."""
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))
    threads = torch.get_num_threads()
    yield importlib.import_module
    torch.set_num_threads(threads)


@pytest.fixture
def scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


@pytest.mark.parametrize('name', SCRIPTS)
def test_help_shows_examples(name, load, monkeypatch, capsys):
    script = load(name)
    monkeypatch.setattr(sys, 'argv', [f'{name}.py', '--help'])
    with pytest.raises(SystemExit, match='0'):
        script.main()
    assert f'python benchmarks/{name}.py' in capsys.readouterr().out


def test_ops_agree_with_the_usual_way(load):
    rows = load('bench_exits_ops').build_rows('cpu', batch=2, grid=6, crop_side=24)
    assert len(rows) == 4
    for row in rows:
        ours, theirs = row.ours(), row.baseline()
        if row.name.startswith('mean field'):
            assert torch.equal(ours[0], theirs[0])
            assert 0 < ours[0].sum() < ours[0].numel()
        elif row.name.startswith('Sinkhorn'):
            assert 'largest difference' in row.agree(ours, theirs)
        else:
            torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_a_rule_is_fitted_to_several_files(load, monkeypatch, tmp_path, capsys):
    """Of two files whose bad labels have low scores, and a third to measure it on."""

    def square(side, width):
        mask = np.zeros((40, 60), np.uint8)
        mask[5 : 5 + side, 5 : 5 + width] = 1
        return encode_mask(mask)

    images = [dict(id=n, file_name=f'{n}.png', width=60, height=40) for n in range(8)]
    head = dict(images=images, categories=[dict(id=1, name='nut')])
    truth, labels = [], []
    for n in range(8):
        one = dict(id=n, image_id=n, category_id=1, iscrowd=0, bbox=[5, 5, 20, 20])
        one['area'] = 400
        truth.append(dict(one, segmentation=square(20, 20)))
        bad = n % 2
        own = dict(segmentation=square(20, 8 if bad else 20), score=0.3 if bad else 0.8)
        labels.append(dict(one, **own))
    for name, content in dict(truth=truth, a=labels, b=labels, c=labels).items():
        atomic_write_json(tmp_path / f'{name}.json', dict(head, annotations=content))
    monkeypatch.chdir(tmp_path)
    words = ['--fit', 'a.json', 'truth.json', '-', '--fit', 'b.json', 'truth.json', '-']
    words += ['--held-out', 'c.json', 'truth.json', '-']
    words += ['--out-dir', 'out', '--workers', '1']
    monkeypatch.setattr(sys, 'argv', ['review_calibration.py', *words])
    load('review_calibration').main()
    made = json.loads((tmp_path / 'out/rule.json').read_text())
    assert made['fitted']['score'] > 0 and len(made['fitted_to']) == 2
    assert '| confidence | 1.000' in (tmp_path / 'out/3_c.md').read_text()
    assert '3_c (held out)' in capsys.readouterr().out


def test_refinement_has_a_share_of_the_step(load, scope):
    script = load('bench_bestie_step')
    found = script.shares('bestie/bestie_r18_synthetic.py', 1, 2, tiny=True)
    assert all(0 < share < 1 for share in found)


def test_instances_agree_with_the_usual_way(load):
    script = load('bench_instance_ops')
    rows = [row for name in script.NAMES for row in script.build_rows(name, shrink=4)]
    assert len(rows) == 19
    for row in rows:
        agreement = row.agree(row.ours(), row.baseline())
        found = ('0e+00', 'e-08', 'equal: True', '0 pixels differ')
        assert agreement.endswith(found), (row.name, agreement)


def test_instances_agree_with_the_full_image_form(load):
    script = load('bench_bestie_ops')
    rows = [row for name in script.NAMES for row in script.build_rows(name, shrink=4)]
    assert len(rows) == 7
    for row in rows:
        agreement = row.agree(row.ours(), row.baseline())
        found = ('0e+00', 'e-08', 'e-07', 'equal: True')
        assert agreement.endswith(found), (row.name, agreement)
        assert not agreement.startswith('0 '), row.name


def test_localization_agrees_with_the_blob_by_blob_form(load):
    rows = load('bench_wise_ops').build_rows('localization', shrink=4)
    assert len(rows) == 4
    for row in rows:
        agreement = row.agree(row.ours(), row.baseline())
        assert 'terms within' in agreement
        assert agreement.endswith(('0e+00', 'e-08', 'e-07')), (row.name, agreement)


def test_embeddings_and_masks_agree_with_the_full_image_form(load):
    script = load('bench_wise_ops')
    (row,) = script.build_rows('embedding', shrink=8)
    assert row.agree(row.ours(), row.baseline()).endswith(('e-06', 'e-07'))
    (row,) = script.build_rows('objects', shrink=3)
    agreement = row.agree(row.ours(), row.baseline())
    assert agreement.startswith('10 objects, IoU ')
    assert float(agreement.split()[3]) > 0.8  # two starts of k-means


def test_refinement_agrees_with_masks_of_the_image(load):
    script = load('bench_label_refinement')
    row = script.refinement_row((96, 160), (40, 50))
    agreement = row.agree(row.ours(), row.baseline())
    assert agreement.startswith('0 pixels differ, ')
    assert 10 < int(agreement.split()[3]) < 95
    assert script.crf_line((40, 48), num_iters=1).startswith('| dense CRF, 1 iteration')


def test_background_is_counted_for_every_limit(load):
    masks = np.zeros((1, 4, 5), bool)
    masks[0, :2, :2] = True
    row = np.ones((1, 4, 5), bool)
    row[0, 2:] = False
    stack = np.asfortranarray(np.concatenate([row, masks]).transpose(1, 2, 0), np.uint8)
    proposals = Proposals(coco_mask.encode(stack), [0.55, 0.25], (4, 5))
    script = load('proposal_background')
    found = dict(zip(script.LIMITS, script.image_shares(proposals, masks, 0).tolist()))
    assert found[0.0] == found[0.5] == [0.5, 1.0, 0.0, 1.0]
    assert found[0.6] == [1.0, 0.8, 1.0, 1.0]


def test_ops_table_has_a_line_a_row(load):
    script = load('bench_exits_ops')
    row = script.build_rows('cpu', batch=1, grid=4, crop_side=16)[0]
    line = script.measure(row, rounds=2, device='cpu')
    cells = [cell.strip() for cell in line.strip('|').split('|')]
    assert cells[0] == 'propagation, N=4, batch 1, 3 hops'
    assert '×** (' in cells[4] and float(cells[6]) >= 0


@pytest.mark.parametrize('crops', [False, True])
def test_export_gives_the_same_masks(crops, load, tmp_path):
    script = load('bench_export')
    photographs = load('photograph_like')
    size = (90, 70)
    ann_file = photographs.write_photographs(tmp_path, 5, [size], objects=3)
    result = script.compare(tmp_path, ann_file, crops, rounds=1)
    assert result.objects == 15
    assert result.differing == (0, 0)
    assert result.same_crops is (True if crops else None)
    assert result.ratio.ratios[0] > 0
    line = script.comparison_row('tiny', result, '≥ 3×')
    assert '0 of 15 masks differ' in line and 'DIFFER' not in line


def test_export_notices_a_difference(load):
    script = load('bench_export')
    full, none = (
        coco_mask.encode(np.full((4, 5), value, np.uint8, order='F'))
        for value in (1, 0)
    )
    first, second = ([dict(id=1, segmentation=rle)] for rle in (full, none))
    assert script.differing_pixels(first, second) == (1, 20)
    with pytest.raises(AssertionError, match='other annotations'):
        script.differing_pixels(first, [dict(id=2, segmentation=full)])


def test_labeler_step_trains_both_and_accounts_for_the_time(load, scope, tmp_path):
    script = load('bench_labeler_step')
    exits_cfg, mal_cfg = (
        Config.fromfile(str(ROOT / f'configs/{method}/labeler_vit-tiny_synthetic.py'))
        for method in ('exits', 'mal')
    )
    data = script.training_batch(exits_cfg, tmp_path, size=2)
    args = argparse.Namespace(device='cpu', amp=False, rounds=1, breakdown_rounds=1)
    ratio, memory, (mal, exits) = script.measure(exits_cfg, mal_cfg, data, args)
    assert ratio.ratios[0] > 0 and min(memory) > 1
    for parts in (mal, exits):
        listed = sum(value for name, value in parts.items() if name != 'whole step')
        assert listed == pytest.approx(parts['whole step'])
        assert parts['teacher'] > 0 and parts['backward and optimizer'] > 0
    assert exits['similarity extractor'] > 0 and 'projection loss' not in exits
    assert mal['projection loss'] > 0 and 'Sinkhorn' not in mal


def test_labeler_step_is_a_training_iteration(load, scope, tmp_path):
    script = load('bench_labeler_step')
    cfg = Config.fromfile(str(ROOT / 'configs/mal/labeler_vit-tiny_synthetic.py'))
    cfg.train_dataloader.dataset.supervision = 'extreme_points'
    data = script.training_batch(cfg, tmp_path, size=2)
    trainee = script.build(cfg, data, 'cpu', amp=False)
    student, teacher = (
        [p.detach().clone() for p in part.parameters()]
        for part in (trainee.model.student, trainee.model.teacher)
    )
    trainee.step()
    for before, part in (
        (student, trainee.model.student),
        (teacher, trainee.model.teacher),
    ):
        after = list(part.parameters())
        assert any(not torch.equal(a, b) for a, b in zip(before, after))
    assert all(p.grad is None for p in trainee.model.teacher.parameters())


def test_loader_accounts_for_every_transform(load, scope, tmp_path, capsys):
    script = load('bench_labeler_loader')
    dataset = script.build_dataset(tmp_path, 2, (320, 240))
    parts = script.measure(dataset, samples=3)
    assert list(parts) == [
        script.READING,
        'LoadCachedImage',
        'ObjectCrop',
        'ObjectCropFlip',
        'TeacherStudentViews',
        'PackObjectCrop',
    ]
    script.report([parts])
    rate = float(capsys.readouterr().out.splitlines()[-1].split()[0])
    assert rate == pytest.approx(1 / sum(parts.values()), abs=0.5)


def test_table_of_irnet_holds_every_seed(load, tmp_path):
    study = load('irnet_study')
    runs = [study.Study(tmp_path / f'seed_{seed}', seed) for seed in (0, 1)]
    folder = 'work_dirs/pipelines/irnet_synthetic/quality'
    places = {
        f'{folder}/cam_quality': 0.5,
        f'{folder}/quality': 0.6,
        'held_out/quality/Mask_R-CNN_on_IRNet': 0.4,
        'held_out/quality/Mask_R-CNN_on_full_masks': 0.8,
    }
    for run in runs:
        for place, value in places.items():
            file = run.root / place / 'quality.json'
            file.parent.mkdir(parents=True)
            found = dict(AP50=value + run.seed / 10, AP70=value / 2)
            report = dict(average_precision=found)
            file.write_text(json.dumps(report))
    table = study.table(runs)
    assert '| CAM components | 0.550 (0.500–0.600) | 0.250 (0.250–0.250) |  |' in table
    assert '| IRNet | 0.650 (0.600–0.700) | 0.300 (0.300–0.300) |  |' in table
    # .45 of .85, whose seeds are .1 apart.
    assert 'retention of AP50 53 %, while the seeds of the baseline span 94.1' in table


def test_photograph_study_keeps_chains_apart_and_goes_on(
    load, monkeypatch, tmp_path, capsys
):
    study = load('photograph_study')
    monkeypatch.setattr(study.time, 'sleep', lambda seconds: None)
    (tmp_path / 'images').mkdir()
    for name in ('train', 'val'):
        content = dict(images=[], annotations=[], categories=[dict(id=1, name='nut')])
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    spec = tmp_path / 'nuts.py'
    part = "dict(img='images', ann_file='{}.json')"
    spec.write_text(
        f"data_spec = dict(name='nuts', data_root='{tmp_path}', "
        f'train={part.format("train")}, val={part.format("val")})'
    )
    calls = []

    def record(chain, config, *options):
        monkeypatch.chdir(chain.root)
        assert study.load_data_spec(options[1])['classes'] == ('nut',)
        calls.append((chain.name, *options[3:]))
        if chain.name == 'MAL':
            raise SystemExit('no.')
        stage = 'full_test' if chain.name == 'full masks' else 'final_test'
        value = 0.4 + 0.1 * chain.seed + 0.08 * (stage == 'full_test')
        quality = dict(filled_boxes=dict(all=0.5), class_mean_iou=dict(all=0.7))
        for place, content in (
            (f'{options[3]}/quality/quality/quality.json', quality),
            (f'train/metrics/{stage}.json', {'coco/segm_mAP': value}),
        ):
            atomic_write_json(chain.root / place, content)

    monkeypatch.setattr(study.Chain, 'pipeline', record)
    arguments = ['--root', str(tmp_path / 'runs'), '--seeds', '0', '1']
    arguments += ['--only', 'EXITS', 'MAL', 'full masks']
    monkeypatch.setattr(sys, 'argv', ['x', str(spec), *arguments])
    assert study.main() == 1
    printed = capsys.readouterr().out
    assert 'seed 1, MAL: FAILED: no. Its log: ' in printed
    assert 'seed 1, EXITS: labels, val: 0.700' in printed
    labeling = ('EXITS', 'val', '--only', *study.LABELING['EXITS'])
    assert labeling in [call[: len(labeling)] for call in calls]
    assert '| EXITS | 0.700 (0.700–0.700) | 0.700 (0.700–0.700) |' in printed
    assert '| EXITS | 0.450 (0.400–0.500) |  |  | 85 %' in printed
    assert '(within the noise floor) | 90.6–109.4 % |' in printed
    weak = tmp_path / 'runs/seed_1/exits/data/train'
    assert (weak / 'images').resolve() == tmp_path / 'images'


def test_a_study_that_is_out_of_time_stops(load, tmp_path):
    runs = load('study_runs').SeedRuns(tmp_path, 0, log=tmp_path / 'log.txt')
    runs.deadline = 0.0
    with pytest.raises(RuntimeError, match='No time is left'):
        runs.tool('tools/train.py', '--help')
    assert 'usage' not in runs.log.read_text()


def test_gpu_check_goes_on_after_a_failing_part_and_a_failing_case(
    load, monkeypatch, tmp_path, capsys
):
    script, cases = load('gpu_check'), load('parity_cases')

    def broken(*_):
        raise RuntimeError('no such kernel')
        yield

    def unlucky(*_):
        raise RuntimeError('expected all tensors on one device')

    monkeypatch.setitem(script.PARTS, 'crf', broken)
    listed = cases.parity_cases(True)
    bad = listed[0]._replace(function=unlucky)
    monkeypatch.setattr(script, 'parity_cases', lambda tiny: [bad, *listed[1:]])
    rows = tmp_path / 'rows.md'
    arguments = ['--device', 'cpu', '--tiny', '--only', 'crf', 'parity', 'autocast']
    monkeypatch.setattr(sys, 'argv', ['x', *arguments, '--markdown', str(rows)])
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert script.main() == 1
    text = rows.read_text()
    assert 'FAILED crf: no such kernel' in text
    assert 'FAILED parity: CPU and cpu differ: Sinkhorn: RuntimeError: expected' in text
    assert 'FAILED autocast: ' in text
    assert text.count('| 0e+00 |') == len(listed) - 1  # the CPU equals itself
    calls = [case.name for case in cases.table_cases()[0]]
    assert f'Equal: {len(calls)} of {len(calls)}.' in text
    assert 'Called: `DenseCRF`, ' in text
    # Autocast: what fails is left out, and so are heads, whose layers it is for.
    count = len(listed) + sum('Head' not in name for name in calls)
    assert f'Equal: {count - 1} of {count}.' in text
    assert 'no such kernel' in capsys.readouterr().err


def test_gpu_check_calls_everything_that_takes_tensors(load):
    cases, others = load('parity_cases').table_cases()
    table = sys.modules['all_cases'].CASES
    assert {*(case.name for case in cases), *others} == set(table)
    for name in others:
        leaves = tree_leaves(table[name].call())
        assert not any(isinstance(leaf, torch.Tensor) for leaf in leaves)


def test_gpu_check_sees_a_difference(load):
    script, cases = load('gpu_check'), load('parity_cases')
    case = next(c for c in cases.table_cases()[0] if c.name == 'dice_loss')
    found = cases.run_case(case, 'cpu').values
    assert len(found) == 3  # the loss and both gradients
    assert script.compare(case, found, found) == (0, True)
    assert not script.compare(case, [1.1 * value for value in found], found)[1]
    assert not script.compare(case, [value * torch.nan for value in found], found)[1]


@pytest.mark.slow
def test_labelers_train_on_another_device(load, scope, monkeypatch):
    """Forward and backward of every labeler mix no tensors of two devices."""
    monkeypatch.syspath_prepend(str(ROOT / 'tests/ops'))
    steps, there = load('gpu_steps'), load('other_device')
    for name, cfg, make in steps.trained(True):
        if not cfg.model.type.startswith('mmwsis.'):
            continue
        model = steps.built(cfg, 'cpu').train()
        with there.other_device():
            model.to(there.NAME)
            data = model.data_preprocessor(make(cfg, True), training=True)
            loss, _ = model.parse_losses(model(**data, mode='loss'))
            loss.backward()
            assert there.back(loss).isfinite(), name


@pytest.mark.slow
def test_gpu_check_runs_every_part(load, monkeypatch, tmp_path):
    script = load('gpu_check')
    rows = tmp_path / 'rows.md'
    arguments = ['--device', 'cpu', '--tiny', '--training-seconds', '10']
    monkeypatch.setattr(sys, 'argv', ['x', *arguments, '--markdown', str(rows)])
    with DefaultScope.overwrite_default_scope('mmdet'):
        assert script.main() == 0
    text = rows.read_text()
    for part in script.PARTS:
        assert f'### {part}' in text
    for row in ('EXITS', 'MAL', 'similarity extractor', 'MAE', 'IRNet', 'Mask R-CNN'):
        assert f'| {row}' in text
    assert 'failed' not in text.lower()


def test_proposals_agree_with_decoded_ones(load):
    rows = load('bench_proposals').build_rows(30, 5, (40, 50))
    assert len(rows) == 6
    for row in rows:
        np.testing.assert_allclose(row.ours(), row.decoding(), rtol=1e-5)


def test_proposals_are_compared_with_the_other_side(
    load, monkeypatch, tmp_path, capsys
):
    script = load('bench_proposal_generator')
    photographs = load('photograph_like')
    ann_file = Path(photographs.write_photographs(tmp_path, 2, [(90, 70)], objects=3))
    content = json.loads(ann_file.read_text())
    for annotation in content['annotations']:
        x, y, w, h = annotation['bbox']
        annotation['segmentation'] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    ann_file.write_text(json.dumps(content))

    class Boxes:
        """Stands for the process of the other library."""

        def __init__(self, python, threads):
            assert (python, threads) == ('other', 1)

        def __call__(self, path):
            return np.array([[0.0, 0.0, 90.0, 70.0]] * 9), [2.0, 2.0]

        def close(self):
            pass

    monkeypatch.setattr(script, 'SelectiveSearch', Boxes)
    command = ['x', str(ann_file), str(tmp_path), '--light', '--contrib', 'other']
    monkeypatch.setattr(sys, 'argv', command)
    script.main()
    printed = capsys.readouterr().out
    assert '6 objects on 2 images' in printed
    assert '| selective search, all | ' in printed
    assert 'theirs: 2.00 CPU seconds per image' in printed


def test_instance_network_trains_both_parts(load):
    script = load('bench_instance_network')
    steps = script.Steps(script.build(18, 'cpu'), 33, 'cpu')
    head, seen = steps.model.instance_head, []
    steps.model.zero_grad = lambda: seen.append(
        {
            name
            for name, weight in steps.model.named_parameters()
            if weight.grad is not None
        }
    )
    steps.instances(3)
    assert seen.pop() == {
        f'instance_head.{name}' for name, _ in head.named_parameters()
    }
    steps.semantic()
    assert 'decode_head.conv_seg.weight' in seen[0]
    assert steps.model.instance_head is head


def test_grab_cut_with_contexts_and_processes(load, monkeypatch, tmp_path, capsys):
    script = load('bench_grabcut_boxes')
    photographs = load('photograph_like')
    ann_file = Path(photographs.write_photographs(tmp_path, 2, [(60, 50)], objects=2))
    content = json.loads(ann_file.read_text())
    for annotation in content['annotations']:
        x, y, w, h = annotation['bbox']
        annotation['segmentation'] = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    ann_file.write_text(json.dumps(content))
    command = ['x', str(ann_file), str(tmp_path), '--contexts', '1', '--rounds', '1']
    monkeypatch.setattr(sys, 'argv', [*command, '--processes', '0', '--scale', '1.5'])
    script.main()
    printed = capsys.readouterr().out
    assert '4 boxes on 2 images, the last (75, 90, 3)' in printed
    assert '| none | ' in printed and '| 1.0 | ' in printed
    assert 'label generation without proposals' in printed
    assert '0 processes: ' in printed and 'peak memory in one process: ' in printed
    cfg = script.config('boxes.json', 'images', ['cat'], 1, 'proposals')
    step = cfg.pseudo_label_dataloader.dataset.pipeline[1]
    assert step.type == 'mmwsis.LoadProposals' and step.path == 'proposals'
    entry = dict(image_id=content['images'][0]['id'], score=0.5, category_id=1)
    entry['segmentation'] = dict(size=[50, 60], counts=[0, 1000, 2000])
    (tmp_path / 'proposals.json').write_text(json.dumps([entry]))
    command += ['--processes', '0', '--proposals', str(tmp_path / 'proposals.json')]
    monkeypatch.setattr(sys, 'argv', command)
    script.main()
    assert 'label generation with proposals' in capsys.readouterr().out


def test_label_switches_know_every_switch_of_the_refinement(load):
    script = load('label_switches')
    config = ROOT / 'configs/weak_panoptic/semantic_pspnet-r101_cityscapes.py'
    known = Config.fromfile(config).model.test_cfg.refinement
    changed = {
        option.partition('=')[0] for own in script.VARIANTS.values() for option in own
    }
    assert changed == set(known) - {'image_level'}


def test_correction_study_sums_up_what_is_finished(load, tmp_path, capsys, monkeypatch):
    script = load('correction_study')
    words = ['data.py', str(tmp_path / 'exits{seed}.json'), '--masks', '50', '20']
    words += ['--seeds', '0', '1', '--root', str(tmp_path)]
    args = script.parse_args(words)
    runs = script.all_runs(args)
    assert len(runs) == 2 * (2 + 2 * 2)
    assert (
        runs[1].labels.name == 'exits0.json' and runs[-1].labels.name == 'exits1.json'
    )
    assert 'no' not in script.write_results(runs, tmp_path)  # nothing to draw yet
    assert not (tmp_path / 'corrections.png').exists()
    for run in runs[:-1]:
        result = dict(
            AP=0.3 + 0.001 * run.count + 0.01 * run.seed,
            AP50=0.6,
            AP75=0.2,
            minutes=80 * run.count / 60,
            replaced_iou=0.5 if run.count else None,
            training_seconds=600,
        )
        atomic_write_json(run.folder / 'result.json', result)
    text = script.write_results(runs, tmp_path)
    assert '| worst | 50 | 67 | 0.500 (0.500–0.500) | 0.355 (0.350–0.360) |' in text
    assert '| full masks | – | 0 | – | 0.305 (0.300–0.310) |' in text
    assert (tmp_path / 'corrections.png').stat().st_size > 5000
    assert len(json.loads((tmp_path / 'results.json').read_text())) == 11
    monkeypatch.setattr(sys, 'argv', ['correction_study.py', *words, '--plan'])
    script.main()
    said = capsys.readouterr().out
    assert '1 of 12 trainings are left, 10 minutes each so far' in said
    assert '  seed 1, random, 50 masks' in said


def test_ablation_study_trains_every_variant_of_every_seed(
    load, tmp_path, capsys, monkeypatch
):
    script = load('ablation_study')
    words = ['configs/a.py', '--root', str(tmp_path), '--seeds', '0', '1']
    words += ['--metrics', 'segm_mAP', '-o', 'train_cfg.max_iters=4']
    words += ['--variant', 'full', '--variant', 'no loss', 'model.loss=None']
    calls = []

    def train(run, name, config, *options):
        calls.append(options)
        folder = Path(options[1], 'first/vis_data')
        folder.mkdir(parents=True)
        value = 0.5 - 0.1 * ('model.loss=None' in options) + 0.02 * run.seed
        lines = [dict(step=2, **{'coco/segm_mAP': 0.1}), dict(step=4)]
        lines[1] |= {'coco/segm_mAP': value, 'coco/segm_mAP_50': 0.9}
        text = '\n'.join(map(json.dumps, lines))
        (folder / 'scalars.json').write_text(text)

    monkeypatch.setattr(script.Run, 'tool', train)
    monkeypatch.setattr(sys, 'argv', ['ablation_study.py', *words])
    script.main()
    text = (tmp_path / 'results.md').read_text()
    assert '| full | 0.510 (0.500–0.520) | 2 |' in text
    assert '| no loss | 0.410 (0.400–0.420) | 2 |' in text
    assert len(calls) == 4
    seed, *options = calls[1][calls[1].index('--cfg-options') + 1 :]
    assert seed == 'randomness.seed=0'
    assert options == ['train_cfg.max_iters=4', 'model.loss=None']
    (tmp_path / 'seed_1/no_loss/result.json').unlink()
    monkeypatch.setattr(sys, 'argv', ['ablation_study.py', *words, '--plan'])
    script.main()
    said = capsys.readouterr().out
    assert '1 of 4 trainings are left' in said and '  seed 1, no loss' in said
    assert len(calls) == 4
    with pytest.raises(ValueError, match=r"no 'PQ' was measured; there is \['a'\]"):
        script.metric(dict(a=1.0), 'PQ')


def test_ablation_study_wants_a_name_for_every_variant(load, capsys):
    script = load('ablation_study')
    with pytest.raises(SystemExit):
        script.parse_args(['a.py', '--variant', 'model.loss=None'])
    assert 'every --variant begins with a name' in capsys.readouterr().err
