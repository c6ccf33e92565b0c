"""A panoptic model's output as a COCO panoptic file, and who reads that."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mmdet.models.seg_heads.panoptic_fusion_heads import (
    HeuristicFusionHead,
    MaskFormerFusionHead,
)
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.structures import InstanceData, PixelData

from mmwsis.datasets.transforms import LoadPanopticMap
from mmwsis.engine.label_check import check_dataset
from mmwsis.evaluation.label_map_report import report_of_maps
from mmwsis.evaluation.metrics import PanopticQualityMetric
from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.formats.segment_maps import decode_segment_map
from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels
from mmwsis.pseudo_labels.artifact import LabelSource
from mmwsis.pseudo_labels.panoptic_maps import PanopticMaps
from mmwsis.registry import DATASETS
from mmwsis.visualization.maps import map_sheet, panoptic_tiles

sys.path.insert(0, str(Path(__file__).parent))
import toy_panoptic_labeler
from toy_scenes import COLORS, CONFIG, draw_scenes

CLASSES = ('berry', 'leaf', 'pool')


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('toy')
    draw_scenes(folder)
    text = CONFIG.format(root=f'{folder}/')
    (folder / 'labeler.py').write_text(text)
    return folder


@pytest.fixture
def config(scenes):
    config = Config.fromfile(str(scenes / 'labeler.py'))
    config.model = dict(
        type='mmwsis.ToyPanopticLabeler',
        data_preprocessor=dict(
            type='ImgDataPreprocessor', bgr_to_rgb=True, pad_size_divisor=4
        ),
    )
    config.artifact = 'panoptic_maps'
    return config


def generate(config, out, **options):
    return generate_pseudo_labels(config, None, out, GenerationOptions(**options))


def content(folder):
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_file_is_coco_s(config, scenes, tmp_path):
    out = generate(config, tmp_path / 'panoptic.json')
    coco = json.loads(out.read_text())
    assert coco['info']['mmwsis']['artifact'] == dict(type='panoptic_maps')
    assert coco['info']['mmwsis']['supervision'] == 'image_tags'
    assert {c['name']: c['isthing'] for c in coco['categories']} == dict(
        leaf=1, pool=0, berry=1
    )
    assert not any('supervision' in image for image in coco['images'])
    assert len(coco['annotations']) == 12
    image, entry = coco['images'][7], coco['annotations'][7]
    assert entry['image_id'] == image['id'] and entry['file_name'] == 'part1/007.png'
    # Stuff has instance 0 and so comes first; then things, instance by instance.
    assert [one['category_id'] for one in entry['segments_info']] == [4, 11, 30, 11]
    assert [one['score'] for one in entry['segments_info']] == [0.8, 0.8, 0.8, 0.7]
    assert [one['id'] for one in entry['segments_info']] == [1, 2, 3, 4]
    assert entry['segments_info'][1]['bbox'] == [1, 2, 11, 13]
    assert {one['area'] for one in entry['segments_info']} == {143}
    assert {one['iscrowd'] for one in entry['segments_info']} == {0}
    assert content(tmp_path).keys() == {
        'panoptic.json',
        *(f'panoptic/{im["file_name"]}' for im in coco['images']),
    }


def test_who_reads_it(config, scenes, tmp_path):
    out = generate(config, tmp_path / 'panoptic.json')
    report = check_dataset(str(out), images=str(scenes / 'images'))
    assert not report.failed() and not report.log.counts
    assert report.summary['segments'] == 22
    assert report_of_maps(out, out, tmp_path / 'quality')['PQ'] == 1
    metainfo = dict(
        classes=CLASSES, thing_classes=CLASSES[:2], stuff_classes=CLASSES[2:]
    )
    dataset = DATASETS.build(
        dict(
            type='mmdet.CocoPanopticDataset',
            ann_file=str(out),
            data_prefix=dict(img=str(scenes / 'images'), seg=str(out.with_suffix(''))),
            metainfo=metainfo,
            test_mode=True,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='mmwsis.LoadPanopticAnnotations'),
                dict(type='mmdet.PackDetInputs'),
            ],
        )
    )
    metric = PanopticQualityMetric(str(out), str(out.with_suffix('')))
    metric.dataset_meta = metainfo
    for number in range(len(dataset)):
        packed = dataset[number]
        sample = packed['data_samples']
        pixels = packed['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
        codes, scores = toy_panoptic_labeler.panoptic_codes(pixels)
        semantic = np.where(codes == 3, 255, codes % 1000)
        # MMDetection numbers classes in the order of the file: leaf, pool, berry.
        of_mmdet = np.array([2, 0, 1] + 253 * [255])[semantic]
        np.testing.assert_array_equal(sample.gt_sem_seg.sem_seg[0], of_mmdet)
        assert len(sample.gt_instances) == sum(code >= 1000 for code in scores)
        pred = dict(sem_seg=torch.from_numpy(codes[None]))
        metric.process(None, [dict(img_id=sample.img_id, pred_panoptic_seg=pred)])
        loaded = LoadPanopticMap(str(out)).transform(given_sample(sample))
        np.testing.assert_array_equal(loaded['gt_seg_map'], semantic)
        expected = np.where(codes == 3, -1, np.searchsorted(sorted(scores), codes) + 1)
        np.testing.assert_array_equal(loaded['gt_instance_map'], expected)
    assert metric.evaluate(len(dataset))['panoptic/PQ'] == 1


def test_a_sheet_shows_it(config, scenes, tmp_path):
    out = generate(config, tmp_path / 'panoptic.json')
    images = json.loads(out.read_text())['images']
    names = {image['id']: image['file_name'] for image in images}
    file = PanopticFile(out, out.with_suffix(''))
    image = np.zeros((44, 54, 3), np.uint8)
    (tile,) = panoptic_tiles(file, 93, image)
    assert tile.caption == 'image 93: pool 1, berry 2, leaf 1'
    (tile,) = panoptic_tiles(file, 100, image)
    assert tile.caption == 'image 100: no segment'
    sheet = map_sheet(out, scenes / 'images', names, num=3)
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3


def given_sample(sample):
    height, width = sample.ori_shape
    return dict(img_id=sample.img_id, height=height, width=width, classes=CLASSES)


@pytest.mark.parametrize('encoding', ['rgb', 'grey16'])
def test_shards_and_interruptions_change_no_byte(
    config, tmp_path, monkeypatch, encoding
):
    import mmwsis.pseudo_labels.manifest as module

    class Clock(module.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(module, 'datetime', Clock)
    config.artifact = dict(type='panoptic_maps', encoding=encoding)
    generate(config, tmp_path / 'a' / 'p.json')
    out, calls = tmp_path / 'b' / 'p.json', []
    generate(config, out, shard=Shard(2, 2))
    forward = toy_panoptic_labeler.ToyPanopticLabeler.forward

    def dying(*args, **kwargs):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return forward(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(toy_panoptic_labeler.ToyPanopticLabeler, 'forward', dying)
        with pytest.raises(KeyboardInterrupt):
            generate(config, out, shard=Shard(1, 2))
    assert (out.with_suffix('')).is_dir() and not out.exists()
    generate(config, out, shard=Shard(1, 2))
    generate(config, out, merge=True)
    assert content(tmp_path / 'a') == content(tmp_path / 'b')
    other = dict(rgb='grey16', grey16='rgb')[encoding]
    config.artifact = dict(type='panoptic_maps', encoding=other)
    with pytest.raises(ValueError, match='artifact encoding: was '):
        generate(config, out)


def test_grey_files_are_ours_alone(config, scenes, tmp_path):
    config.artifact = dict(type='panoptic_maps', encoding='grey16')
    out = generate(config, tmp_path / 'grey.json')
    config.artifact = 'panoptic_maps'
    rgb = generate(config, tmp_path / 'rgb.json')
    report = check_dataset(str(out), images=str(scenes / 'images'))
    assert not report.failed() and set(report.log.counts) == {'panoptic-grey'}
    assert report_of_maps(out, rgb, tmp_path / 'quality')['PQ'] == 1
    for image_id in PanopticFile(out, out.with_suffix('')).image_ids:
        maps = [PanopticFile(p, p.with_suffix('')) for p in (out, rgb)]
        both = [one.segment_map(image_id) for one in maps]
        np.testing.assert_array_equal(*both)


def test_places_that_cannot_be(config, tmp_path):
    with pytest.raises(ValueError, match='give --out .*maps.json'):
        generate(config, tmp_path / 'maps')
    (tmp_path / 'p').mkdir()
    (tmp_path / 'p' / 'thesis.txt').touch()
    with pytest.raises(ValueError, match='p is not empty and has no p.json'):
        generate(config, tmp_path / 'p.json')
    generate(config, tmp_path / 'p.json', overwrite=True)
    (tmp_path / 'p' / 'part0' / '000.png').unlink()
    assert (tmp_path / 'p.json').exists()
    with pytest.raises(FileNotFoundError, match=r'part0.000.png'):
        LoadPanopticMap(str(tmp_path / 'p.json')).transform(
            dict(img_id=100, height=40, width=61, classes=CLASSES)
        )


SIZE = (6, 8)


def artifact(tmp_path, categories=None, classes=CLASSES, size=SIZE, **options):
    if categories is None:
        categories = [dict(id=10 + k, name=n) for k, n in enumerate(classes)]
    height, width = size
    image = dict(id=1, file_name='a.jpg', height=height, width=width)
    source = LabelSource(
        'weak.json',
        dict(images=[image], categories=categories),
        classes,
        tuple(category['id'] for category in categories),
        stuff_classes=('pool',),
    )
    return PanopticMaps(tmp_path / 'p.json', source, **options)


def predicted(codes, segments=None, **metainfo):
    sample = DetDataSample(metainfo=dict(img_id=1, img_path='x/a.jpg'))
    codes = torch.as_tensor(codes)
    sample.pred_panoptic_seg = PixelData(sem_seg=codes[None], metainfo=metainfo)
    if segments is not None:
        sample.pred_segments = InstanceData(**segments)
    return sample


@settings(max_examples=60, deadline=None)
@given(
    labels=hnp.arrays(np.int64, SIZE, elements=st.integers(0, 3)),
    instances=hnp.arrays(np.int64, SIZE, elements=st.integers(0, 3)),
    encoding=st.sampled_from(['rgb', 'grey16']),
    with_stuff=st.booleans(),
)
def test_semantic_and_instance_map_come_back(
    tmp_path_factory, labels, instances, encoding, with_stuff
):
    folder = tmp_path_factory.mktemp('round')
    made = artifact(folder, encoding=encoding)
    codes = np.where(labels == 3, 3, labels + 1000 * instances * (labels != 2))
    record = made.record(predicted(codes))
    made.finish({1: record}, {})
    load = LoadPanopticMap(str(folder / 'p.json'), with_stuff=with_stuff)
    found = load.transform(dict(img_id=1, height=6, width=8, classes=CLASSES))
    semantic, numbers = found['gt_seg_map'], found['gt_instance_map']
    assert semantic.dtype == np.uint8 and numbers.dtype == np.int32
    np.testing.assert_array_equal(semantic, np.where(labels == 3, 255, labels))
    unknown = (labels == 3) | ((labels < 2) & (codes < 1000))  # void and crowds
    np.testing.assert_array_equal(numbers == -1, unknown)
    stuff = (labels == 2) & (not with_stuff)
    np.testing.assert_array_equal(numbers == 0, stuff)
    pairs = {*zip(codes[numbers > 0].tolist(), numbers[numbers > 0].tolist())}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
    assert {number for _, number in pairs} == set(range(1, len(pairs) + 1))


def test_65535_segments_of_an_image(tmp_path):
    codes = 1000 * np.arange(65536, dtype=np.int64).reshape(256, 256)
    codes[0, 0] = 3  # void
    made = artifact(tmp_path, size=(256, 256))
    record = made.record(predicted(codes))
    assert len(record['segments_info']) == 65535
    ids = decode_segment_map((tmp_path / 'p' / 'a.png').read_bytes())
    np.testing.assert_array_equal(ids.ravel(), np.arange(65536))
    grey = artifact(tmp_path, size=(256, 256), encoding='grey16')
    with pytest.raises(ValueError, match=r'a.jpg: image id 1: the segment id 65535'):
        grey.record(predicted(codes))


def test_mmdetection_s_panoptic_models(tmp_path):
    torch.manual_seed(0)
    masks = torch.randn(4, *SIZE) * 5
    former = MaskFormerFusionHead(
        num_things_classes=2,
        num_stuff_classes=1,
        test_cfg=dict(object_mask_thr=0, iou_thr=0, panoptic_on=True),
    )
    logits = torch.tensor([[9.0, 0, 0, 0], [9, 0, 0, 0], [0, 0, 9, 0], [0, 9, 0, 0]])
    heuristic = HeuristicFusionHead(
        num_things_classes=2,
        num_stuff_classes=1,
        test_cfg=ConfigDict(mask_overlap=0.5, stuff_area_limit=1),
    )
    bitmaps = torch.zeros(2, *SIZE, dtype=torch.bool)
    bitmaps[0, :3, :3] = bitmaps[1, 3:, 3:] = True
    things = InstanceData(
        bboxes=torch.zeros(2, 4),
        labels=torch.tensor([0, 1]),
        scores=torch.tensor([0.9, 0.8]),
        masks=bitmaps,
    )
    scores = torch.randn(2, *SIZE)
    for number, (found, count) in enumerate(
        [
            (former.panoptic_postprocess(logits, masks), 4),
            (heuristic.predict([things], [scores])[0], 3),
        ]
    ):
        made = artifact(tmp_path / str(number))
        sample = predicted(np.zeros(SIZE, int))
        sample.pred_panoptic_seg = found
        record = made.record(sample)
        assert len(record['segments_info']) == count
        ids = decode_segment_map((made.folder / 'a.png').read_bytes())
        codes = found.sem_seg[0].numpy()
        for segment in record['segments_info']:
            (code,) = np.unique(codes[ids == segment['id']])
            assert segment['category_id'] == 10 + code % 1000
            assert segment['area'] == (codes == code).sum()
            assert not segment['iscrowd'] and 'score' not in segment
        assert set(codes[ids == 0].tolist()) <= {3}


def test_things_and_stuff(tmp_path):
    given = [
        dict(id=10, name='berry', isthing=0),  # the file's word counts
        dict(id=11, name='leaf'),
        dict(id=12, name='pool'),
    ]
    made = artifact(tmp_path, given)
    codes = np.full(SIZE, 2)
    codes[:2], codes[2:4] = 0, 1
    made.finish({1: made.record(predicted(codes))}, {})
    coco = json.loads((tmp_path / 'p.json').read_text())
    assert [one['isthing'] for one in coco['categories']] == [0, 1, 0]
    # A thing without an instance is a region of any number of them.
    segments = coco['annotations'][0]['segments_info']
    assert [one['iscrowd'] for one in segments] == [0, 1, 0]


VOID = np.full(SIZE, 3)
SCORES = dict(codes=torch.tensor([1000]), scores=torch.tensor([0.5]))


@pytest.mark.parametrize(
    'sample, message',
    [
        (DetDataSample(), 'no pred_panoptic_seg.sem_seg'),
        (predicted(VOID[:3]), r'has shape \(1, 3, 8\), expected \(1, 6, 8\)'),
        (predicted(VOID * 1.0), 'must hold integers.*float64'),
        (predicted(VOID - 4), 'from 0; got int64 from -1'),
        (predicted(VOID + 2), 'has the label 5; labels are 0 to 2, 3 for what'),
        (predicted(VOID - 3, SCORES), r'codes lacks \[0\], which the map has'),
        (
            predicted(VOID, dict(SCORES, scores=torch.tensor([float('nan')]))),
            r'scores must lie in \[0, 1\], got \[nan\]',
        ),
    ],
)
def test_wrong_predictions_name_the_image(tmp_path, sample, message):
    sample.set_metainfo(dict(img_id=1, img_path='x/a.jpg'))
    with pytest.raises(ValueError, match=f'a.jpg: image id 1: .*{message}'):
        artifact(tmp_path).record(sample)
    assert not (tmp_path / 'p').exists()


def test_ignore_index_is_void(tmp_path):
    codes = np.full(SIZE, 255)
    codes[0] = 1000
    record = artifact(tmp_path).record(predicted(codes, ignore_index=255))
    assert [one['area'] for one in record['segments_info']] == [8]


def test_settings_that_cannot_be(tmp_path):
    with pytest.raises(ValueError, match=r"one of .*grey16.*, got 'png'"):
        artifact(tmp_path, encoding='png')
    with pytest.raises(ValueError, match='hold 999 classes, the config names 1000'):
        artifact(tmp_path, classes=tuple(map(str, range(1000))))


def test_classes_of_another_dataset(config, tmp_path):
    out = generate(config, tmp_path / 'panoptic.json')
    sample = dict(img_id=100, height=40, width=61)
    load = LoadPanopticMap(str(out))
    with pytest.raises(ValueError, match=r"categories 'pool'; .*'pool' and 'Pool' dif"):
        load.transform(dict(sample, classes=('leaf', 'berry', 'Pool')))
    with pytest.raises(ValueError, match=r'000.png: .*image id 100 is \(40, 61\), exp'):
        load.transform(dict(sample, height=41, classes=CLASSES))
    copy = pickle.loads(pickle.dumps(load))
    assert copy._file is None and 'with_stuff=True' in repr(copy)
    assert 'gt_instance_map' in copy.transform(dict(sample, classes=CLASSES))
    with pytest.raises(ValueError, match='no annotation of image id 7'):
        load.transform(dict(sample, img_id=7, classes=CLASSES))


def test_a_stage_that_reads_it_says_so(config, tmp_path):
    out = generate(config, tmp_path / 'panoptic.json')
    steps = config.pseudo_label_dataloader.dataset.pipeline
    steps.insert(1, dict(type='mmwsis.LoadPanopticMap', ann_file=str(out)))
    second = generate(config, tmp_path / 'second.json')
    held = json.loads(second.read_text())['info']['mmwsis']['maps']
    assert [*held] == [str(out)]
    out.write_text(out.read_text().replace('"score":0.8', '"score":0.7'))
    with pytest.raises(ValueError, match='maps .*: was '):
        generate(config, second)


def test_colors_are_those_of_the_classes():
    assert tuple(COLORS) == CLASSES
