import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.dataset_converters.synthetic.records import CATEGORY_IDS
from mmwsis.ops.connected_components import is_separated

SETTINGS = SyntheticSettings(train=50, val=25)
TOOL = Path(__file__).parents[3] / 'tools/dataset_converters/make_synthetic.py'
LEVELS = ('image_tags', 'points', 'boxes', 'extreme_points')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    out = tmp_path_factory.mktemp('scenes') / 'synthetic'
    done = []
    manifest, is_new = make_synthetic(out, SETTINGS, progress=done.append)
    assert is_new
    assert sum(done) == 75
    assert manifest == json.loads((out / 'dataset.json').read_text())
    return out


def load(root, name):
    return json.loads((root / name).read_text())


def contents(root):
    files = sorted(p for p in root.rglob('*') if p.is_file())
    return {str(p.relative_to(root)): p.read_bytes() for p in files}


def test_two_workers_write_the_same_bytes(root, tmp_path):
    make_synthetic(tmp_path / 'again', SETTINGS, workers=2)
    first, second = contents(root), contents(tmp_path / 'again')
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    assert [p.name for p in tmp_path.iterdir()] == ['again']


def test_statistics_are_what_the_scenes_are_for(root):
    for split, images in (('train', 50), ('val', 25)):
        figures = load(root, 'dataset.json')['statistics'][split]
        assert figures['images'] == images
        assert figures['empty_images'] == images // 25
        assert set(figures['instances_by_class']) == set(list(CATEGORY_IDS)[:6])
        assert 2.0 <= figures['instances'] / images <= 3.2
        assert figures['separated_share'] >= 0.2
        assert figures['small_share'] <= 0.12
        assert 0.4 <= figures['filled_box_class_mean_iou'] <= 0.56


def test_instances_open_with_pycocotools_and_are_tight(root):
    separated = 0
    for split in ('train', 'val'):
        coco = COCO(root / f'annotations/instances_{split}.json')
        assert [c['id'] for c in coco.dataset['categories']] == [1, 2, 3, 4, 5, 6]
        ids = [a['id'] for a in coco.dataset['annotations']]
        assert ids == list(range(1, len(ids) + 1))
        for image in coco.dataset['images']:
            pixels = Image.open(root / split / image['file_name'])
            assert pixels.size == (image['width'], image['height'])
            assert pixels.mode == 'RGB'
        for annotation in coco.dataset['annotations']:
            mask = coco.annToMask(annotation)
            y, x = np.nonzero(mask)
            box = [x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1]
            assert annotation['bbox'] == box
            assert annotation['area'] == mask.sum()
            assert annotation['iscrowd'] == 0
            separated += is_separated(mask, 16)
    statistics = load(root, 'dataset.json')['statistics']
    expected = sum(s['separated_share'] * s['instances'] for s in statistics.values())
    assert separated == round(expected)


def test_panoptic_png_agrees_with_its_json_and_the_instances(root):
    for split in ('train', 'val'):
        panoptic = load(root, f'annotations/panoptic_{split}.json')
        is_thing = {c['id']: c['isthing'] for c in panoptic['categories']}
        assert sorted(is_thing) == list(range(1, 10))
        coco = COCO(root / f'annotations/instances_{split}.json')
        assert [i['id'] for i in panoptic['images']] == coco.getImgIds()
        for entry in panoptic['annotations']:
            path = root / f'annotations/panoptic_{split}' / entry['file_name']
            pixels = np.asarray(Image.open(path)).astype(int)
            ids = pixels @ [1, 256, 256 * 256]
            found, areas = np.unique(ids, return_counts=True)
            segments = {s['id']: s for s in entry['segments_info']}
            assert dict(zip(found, areas)) == {
                key: segment['area'] for key, segment in segments.items()
            }
            things = [s for s in entry['segments_info'] if is_thing[s['category_id']]]
            annotations = coco.imgToAnns[entry['image_id']]
            for segment, annotation in zip(things, annotations, strict=True):
                assert segment['category_id'] == annotation['category_id']
                assert segment['bbox'] == annotation['bbox']
                mask = coco.annToMask(annotation).astype(bool)
                np.testing.assert_array_equal(ids == segment['id'], mask)


def test_voc_agrees_with_coco(root):
    for split in ('train', 'val'):
        coco = COCO(root / f'annotations/instances_{split}.json')
        listed = (root / f'voc/ImageSets/Segmentation/{split}.txt').read_text().split()
        assert [f'{name}.png' for name in listed] == [
            image['file_name'] for image in coco.dataset['images']
        ]
        for image in coco.dataset['images']:
            stem = Path(image['file_name']).stem
            labels = {}
            for kind in ('Class', 'Object'):
                with Image.open(root / f'voc/Segmentation{kind}/{stem}.png') as file:
                    assert file.mode == 'P'
                    assert file.getpalette()[3:9] == [128, 0, 0, 0, 128, 0]
                    labels[kind] = np.asarray(file)
            assert labels['Class'].max() <= 6
            annotations = coco.imgToAnns[image['id']]
            for k, annotation in enumerate(annotations, start=1):
                mask = coco.annToMask(annotation).astype(bool)
                np.testing.assert_array_equal(labels['Object'] == k, mask)
                assert (labels['Class'][mask] == annotation['category_id']).all()
            np.testing.assert_array_equal(labels['Object'] > 0, labels['Class'] > 0)
            exact = np.asarray(Image.open(root / split / image['file_name']))
            jpeg = np.asarray(Image.open(root / f'voc/JPEGImages/{stem}.jpg'))
            assert np.abs(exact.astype(int) - jpeg).mean() < 4


def test_weak_files_of_every_level(root):
    for split in ('train', 'val'):
        instances = load(root, f'annotations/instances_{split}.json')
        for level in LEVELS:
            weak = load(root, f'weak/{level}_{split}.json')
            assert weak['info']['mmwsis']['supervision'] == level
            assert 'segmentation' not in json.dumps(weak)
            assert len(weak['images']) == len(instances['images'])
            if level != 'image_tags':
                assert [a['id'] for a in weak['annotations']] == [
                    a['id'] for a in instances['annotations']
                ]


def test_an_equal_dataset_is_kept_and_another_is_refused(root, tmp_path, capsys):
    before = contents(root)
    manifest, is_new = make_synthetic(root, SETTINGS)
    assert not is_new
    assert manifest['statistics']['train']['images'] == 50
    with pytest.raises(FileExistsError, match='another synthetic dataset'):
        make_synthetic(root, SyntheticSettings(train=50, val=25, seed=1))
    assert contents(root) == before
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/photo.txt').write_text('dear')
    with pytest.raises(FileExistsError, match='is no synthetic dataset'):
        make_synthetic(tmp_path / 'mine', SETTINGS)
    assert (tmp_path / 'mine/photo.txt').read_text() == 'dear'


def test_overwrite_replaces_everything(tmp_path):
    out = tmp_path / 'set'
    make_synthetic(out, SyntheticSettings(train=2, val=1))
    (out / 'pseudo_labels').mkdir()
    _, is_new = make_synthetic(
        out, SyntheticSettings(train=1, val=1, size=96), overwrite=True
    )
    assert is_new
    assert not (out / 'pseudo_labels').exists()
    assert Image.open(out / 'train/000001.png').size == (96, 96)
    assert [p.name for p in tmp_path.iterdir()] == ['set']


def test_an_interrupted_run_leaves_nothing(tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_synthetic(tmp_path / 'set', SETTINGS, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_settings_are_checked():
    with pytest.raises(ValueError, match='must not be negative'):
        SyntheticSettings(train=-1)
    with pytest.raises(ValueError, match='there must be a scene'):
        SyntheticSettings(train=0, val=0)
    with pytest.raises(ValueError, match='at least 64'):
        SyntheticSettings(size=8)


def test_the_tool_prints_the_statistics(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location('make_synthetic_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    command = ['--out', str(tmp_path / 'few'), '--train', '3', '--val', '1']
    tool.main(command)
    assert 'separated' in capsys.readouterr().out
    tool.main(command)
    assert 'already there' in capsys.readouterr().out
    with pytest.raises(SystemExit, match='--overwrite'):
        tool.main([*command, '--seed', '9'])
