"""Tags in, masks out: train, generate, quality, final model, with a toy labeler."""

import copy
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData, PixelData
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from mmwsis.engine.data_spec import apply_data_spec, load_data_spec
from mmwsis.engine.image_loaders import check_loaded_images
from mmwsis.engine.run_config import build_runner, load_run_config
from mmwsis.evaluation.compare_files import compare_files
from mmwsis.evaluation.quality_report import write_quality_report
from mmwsis.formats.class_maps import ClassMapStore
from mmwsis.formats.semantic_maps import read_semantic_map
from mmwsis.formats.validation import validate_file
from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels
from mmwsis.registry import DATASETS

sys.path.insert(0, str(Path(__file__).parent))
import toy_image_labeler
from toy_scenes import COLORS, CONFIG, draw_scenes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A folder with scenes, their tags, and a labeler that was trained with tags."""
    folder = tmp_path_factory.mktemp('toy')
    draw_scenes(folder)
    (folder / 'labeler.py').write_text(CONFIG.format(root=f'{folder}/'))
    cfg = load_run_config(folder / 'labeler.py', work_dir=folder / 'work')
    build_runner(cfg).train()
    return folder


@pytest.fixture
def config(trained):
    return Config.fromfile(str(trained / 'labeler.py'))


@pytest.fixture(autouse=True)
def same_date(monkeypatch):
    import mmwsis.pseudo_labels.manifest as module

    class Clock(module.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 1, 2, 3, 4, 5, tzinfo=tz)

    monkeypatch.setattr(module, 'datetime', Clock)


def generate(config, folder, out, **options):
    checkpoint = folder / 'work' / 'epoch_25.pth'
    generate_pseudo_labels(config, checkpoint, out, GenerationOptions(**options))
    return out


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_from_tags_to_a_final_model(config, trained, tmp_path):
    out = generate(config, trained, tmp_path / 'pseudo.json')
    pseudo = json.loads(out.read_text())
    truth = json.loads((trained / 'masks.json').read_text())
    ids = [annotation['id'] for annotation in pseudo['annotations']]
    assert ids == list(range(1, len(ids) + 1))
    assert pseudo['categories'] == truth['categories']
    assert pseudo['info']['mmwsis']['artifact'] == dict(type='instances')
    assert pseudo['info']['mmwsis']['supervision'] == 'image_tags'
    assert {a['category_id'] for a in pseudo['annotations']} == {30, 4, 11}
    assert all(0 < a['score'] <= 1 and a['area'] > 0 for a in pseudo['annotations'])
    # The level of the tags' file would hide the masks from their readers.
    assert not any('supervision' in image for image in pseudo['images'])
    assert len(COCO(str(out)).getAnnIds()) == len(ids)

    comparison = compare_files(out, trained / 'masks.json')
    summary = write_quality_report(comparison, tmp_path / 'quality')
    assert comparison.matched
    assert summary['class_mean_iou']['all'] > 0.9
    assert summary['average_precision']['AP50'] > 0.9

    spec = dict(
        name='toy',
        data_root=str(tmp_path),
        classes=('leaf', 'pool', 'berry'),
        image_scale=(64, 64),
        train=dict(img=str(trained / 'images'), ann_file='pseudo.json'),
    )
    (tmp_path / 'toy.py').write_text(f'data_spec = {spec!r}')
    spec = load_data_spec(tmp_path / 'toy.py')
    final = Config.fromfile(
        str(ROOT / 'configs' / 'final_models' / 'mask-rcnn_r18_synthetic.py')
    )
    final = apply_data_spec(final, spec)
    dataset = DATASETS.build(final.train_dataloader.dataset)
    boxes = sum(len(dataset[i]['data_samples'].gt_instances) for i in range(4))
    assert boxes > 4 and dataset.metainfo['classes'] == ('leaf', 'pool', 'berry')


def test_class_maps_are_read_in_part(config, trained, tmp_path):
    folder = generate(config, trained, tmp_path / 'maps', artifact='class_maps')
    store = ClassMapStore(folder)
    tags = {
        im['id']: im for im in json.loads((trained / 'tags.json').read_text())['images']
    }
    assert store.image_ids == list(tags) and store.classes == ('berry', 'leaf', 'pool')
    assert not (tmp_path / 'maps.parts').exists()
    for image_id, image in tags.items():
        maps = store.read(image_id, image_size=(image['height'], image['width']))
        assert len(maps.labels) == len(image['tags'])
        assert maps.maps['cam'].dtype == np.float16
        assert maps.maps['high_res'].shape[1:] == (image['height'], image['width'])
        assert np.array_equal(maps.maps['cam'], maps.maps['high_res'][:, ::4, ::4])
    assert set(store.read(93, names=['cam']).maps) == {'cam'}
    assert not store.read(92).labels.size  # an empty image
    other = ClassMapStore(folder, classes=('pool', 'sky', 'leaf', 'berry'))
    here, there = store.read(93), other.read(93)
    for label, own in zip(here.labels, here.maps['cam']):
        name = store.classes[label]
        (row,) = np.flatnonzero(there.labels == other.classes.index(name))
        assert np.array_equal(there.maps['cam'][row], own)
    with pytest.raises(ValueError, match=r"maps of \['pool'\], which are not among"):
        ClassMapStore(folder, classes=('leaf', 'berry'))
    with pytest.raises(ValueError, match=r'image id 93 .* expected \(3, 4\)'):
        store.read(93, image_size=(3, 4))
    with pytest.raises(KeyError, match='no map of image id 7'):
        store.read(7)
    with pytest.raises(ValueError, match=r"no \['walk'\], only \['cam', 'high_res'\]"):
        store.read(93, names=['walk'])
    path = store.index.path(93)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r'007.npz cannot be read as class maps'):
        store.read(93)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r'image id 93, .*007.npz, is gone'):
        store.read(93)


def test_unfinished_folder_is_not_read(config, trained, tmp_path):
    generate(
        config, trained, tmp_path / 'maps', artifact='class_maps', shard=Shard(1, 2)
    )
    assert list((tmp_path / 'maps').rglob('*.npz'))
    with pytest.raises(FileNotFoundError, match='is not finished: it has no index'):
        ClassMapStore(tmp_path / 'maps')
    with pytest.raises(ValueError, match=r'\d images have no class maps yet'):
        generate(config, trained, tmp_path / 'maps', artifact='class_maps', merge=True)


def test_semantic_maps(config, trained, tmp_path):
    folder = generate(config, trained, tmp_path / 'sem', artifact='semantic_maps')
    index = json.loads((folder / 'index.json').read_text())
    assert index['classes'] == ['background', 'berry', 'leaf', 'pool']
    assert index['ignore_index'] == 255
    for entry in index['images']:
        values = read_semantic_map(folder / entry['file'])
        image = cv2.imread(str(trained / 'images' / entry['file']))[..., ::-1]
        assert values.shape == image.shape[:2]
        for number, color in enumerate(COLORS.values(), 1):
            assert np.array_equal(values == number, (image == color).all(-1))
    cv2.imwrite(str(tmp_path / 'colour.png'), image)
    with pytest.raises(
        ValueError, match='expected one channel of 8 bits, got mode RGB'
    ):
        read_semantic_map(tmp_path / 'colour.png')


def test_points_are_read_like_clicks(config, trained, tmp_path):
    config.artifact = dict(type='points', min_score=0.5)
    out = generate(config, trained, tmp_path / 'points.json')
    report = validate_file(str(out))
    assert not report.failed(strict=True)
    assert report.level_text() == 'points (info.mmwsis of the file)'
    assert report.summary['scores']['points'] == report.summary['objects'] > 20
    assert report.summary['scores']['lowest'] >= 0.5
    tags = json.loads((trained / 'tags.json').read_text())['images']
    made = json.loads(out.read_text())
    assert [{**im, 'supervision': 'image_tags'} for im in made['images']] == tags
    assert made['info']['mmwsis']['supervision'] == 'image_tags'
    config.pseudo_label_dataloader.dataset.update(
        supervision='points', ann_file=str(out), pipeline=[]
    )
    dataset = DATASETS.build(config.pseudo_label_dataloader.dataset)
    truth = json.loads((trained / 'masks.json').read_text())
    hit = 0
    for info in dataset:
        own = [a for a in truth['annotations'] if a['image_id'] == info['img_id']]
        masks = [coco_mask.decode(one['segmentation']) for one in own]
        for x, y in (one['point'].astype(int) for one in info['instances']):
            hit += any(mask[y, x] for mask in masks)
    assert hit == len(made['annotations'])


@pytest.mark.parametrize(
    'artifact',
    ['instances', 'detections', 'points', 'class_maps', 'semantic_maps'],
)
def test_shards_and_interruptions_change_no_byte(
    config, trained, tmp_path, monkeypatch, artifact
):
    whole = generate(config, trained, tmp_path / 'a' / 'out', artifact=artifact)
    out = tmp_path / 'b' / 'out'
    generate(config, trained, out, artifact=artifact, shard=Shard(2, 2))
    encode = toy_image_labeler.ToyImageLabeler.predict

    def dying(self, *args):
        if self.batches == 1:
            raise KeyboardInterrupt
        return encode(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(toy_image_labeler.ToyImageLabeler, 'predict', dying)
        with pytest.raises(KeyboardInterrupt):
            generate(config, trained, out, artifact=artifact, shard=Shard(1, 2))
    generate(config, trained, out, artifact=artifact, shard=Shard(1, 2))
    generate(config, trained, out, artifact=artifact, merge=True)
    assert content(out.parent) == content(whole.parent)
    before = content(out.parent)
    generate(config, trained, out, artifact=artifact)  # finished: nothing to do
    assert content(out.parent) == before
    others = dict(
        class_maps='semantic_maps', semantic_maps='class_maps', points='instances'
    )
    if other := others.get(artifact):
        with pytest.raises(
            ValueError, match=f"artifact type: was '{artifact}', .*{other}"
        ):
            generate(config, trained, out, artifact=other)


@pytest.mark.slow  # test_generate_pseudo_labels kills two ranks in any case
@pytest.mark.parametrize(
    'artifact, result', [('class_maps', 'index.json'), ('points', '')]
)
def test_kill_in_two_ranks_then_resume_in_one(
    config, trained, tmp_path, artifact, result
):
    out = tmp_path / 'made'

    def start(rank, port, **environment):
        tool = ROOT / 'tools' / 'generate_pseudo_labels.py'
        ranks = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=2, MASTER_PORT=port)
        command = [sys.executable, tool, trained / 'labeler.py']
        command += [trained / 'work' / 'epoch_25.pth', '--out', out]
        return subprocess.Popen(
            [*command, '--artifact', artifact, '--launcher', 'pytorch'],
            env={
                **os.environ,
                'PYTHONPATH': f'{Path(__file__).parent}:{ROOT}',
                'MASTER_ADDR': '127.0.0.1',
                **{key: str(value) for key, value in (ranks | environment).items()},
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = sock.getsockname()[1]
    first, second = start(0, port), start(1, port, MMWSIS_TEST_KILL_AFTER=1)
    output, _ = second.communicate(timeout=100)
    assert second.returncode == -signal.SIGKILL, output
    output, _ = first.communicate(timeout=100)
    assert first.returncode != 0, output
    assert not (out / result).is_file()
    killed = content(out)
    config = copy.deepcopy(config)
    check_loaded_images(config, ('pseudo_label',))  # as the tool does
    generate(config, trained, out, artifact=artifact)
    whole = generate(config, trained, tmp_path / 'whole', artifact=artifact)
    assert killed.items() <= content(out).items()
    contents = [json.loads((folder / result).read_text()) for folder in (out, whole)]
    for made in contents:
        del made['info']['mmwsis']['date']
    assert contents[0] == contents[1]
    if artifact == 'class_maps':
        resumed, reference = content(out), content(whole)
        del resumed[result], reference[result]
        assert resumed == reference and len(killed) > 1


@pytest.mark.parametrize(
    'artifact, fields, message',
    [
        ('instances', {}, 'no pred_instances.labels, pred_instances.scores'),
        (
            'instances',
            dict(labels=[3], scores=[0.5], masks=np.ones((1, 40, 61), bool)),
            r'labels must lie in 0..2 \(3 classes\), got \[3\]',
        ),
        (
            'instances',
            dict(labels=[0], scores=[1.5], masks=np.ones((1, 40, 61), bool)),
            r'scores must lie in \[0, 1\]',
        ),
        (
            'instances',
            dict(labels=[0], scores=[0.5], masks=np.ones((1, 4, 6), bool)),
            r'mask has size \[4, 6\], the image \[40, 61\]',
        ),
        ('detections', {}, 'no pred_instances.labels, .*pred_instances.bboxes'),
        (
            'detections',
            dict(labels=[0], scores=[0.5], bboxes=[[1.0, 2.0, float('nan'), 9.0]]),
            r'must be \(1, 4\) finite numbers, .* got shape \(1, 4\) with 1 others',
        ),
        (
            'detections',
            dict(labels=[0], scores=[float('nan')], bboxes=[[1.0, 2.0, 8.0, 9.0]]),
            r'scores must lie in \[0, 1\], got \[nan\]',
        ),
        ('points', {}, 'no pred_points.labels, pred_points.scores, pred_points.points'),
        (
            'points',
            dict(labels=[0], scores=[0.5], points=[[3.0, 39.6]]),
            r'lie in the image of 61 x 40 pixels, got \[3.0, 39.6',
        ),
        (
            'points',
            dict(labels=[0], scores=[0.5], points=[[-1.0, 3.0]]),
            r'lie in the image of 61 x 40 pixels, got \[-1.0, 3.0',
        ),
        (
            'points',
            dict(labels=[0], scores=[0.5], points=[[float('nan'), 3.0]]),
            'lie in the image of 61 x 40 pixels, got',
        ),
        (
            'points',
            dict(labels=[0], scores=[0.5], points=[[3.0, 4.0, 5.0]]),
            r'must be \(1, 2\), x and y of each point; got \(1, 3\)',
        ),
        (
            'points',
            dict(labels=[0], scores=[float('nan')], points=[[3.0, 4.0]]),
            r'scores must lie in \[0, 1\], got \[nan\]',
        ),
        ('class_maps', {}, 'no pred_class_maps with labels and at least one map'),
        (
            'class_maps',
            dict(labels=torch.tensor([2, 1]), cam=torch.ones(2, 4, 4)),
            r'ascending, different classes, got \[2, 1\]',
        ),
        (
            'class_maps',
            dict(labels=torch.tensor([1]), cam=torch.full((1, 4, 4), 1e6)),
            'cam holds NaN, infinity or a value beyond 65504',
        ),
        (
            'class_maps',
            dict(labels=torch.tensor([7]), cam=torch.ones(1, 4, 4)),
            r'labels must lie in 0..2, got \[7\]',
        ),
        ('semantic_maps', {}, 'no pred_sem_seg.sem_seg'),
        (
            'semantic_maps',
            dict(sem_seg=torch.full((1, 40, 61), 4)),
            r'must hold 0..3 or 255, got \[4\]',
        ),
        (
            'semantic_maps',
            dict(sem_seg=torch.zeros(1, 4, 6, dtype=torch.int64)),
            r'has shape \(1, 4, 6\), expected \(1, 40, 61\)',
        ),
    ],
)
def test_wrong_predictions_name_the_image(
    config, trained, tmp_path, monkeypatch, artifact, fields, message
):
    def predict(self, responses, data_samples):
        name = dict(
            instances='pred_instances',
            detections='pred_instances',
            points='pred_points',
            class_maps='pred_class_maps',
            semantic_maps='pred_sem_seg',
        )[artifact]
        kind = PixelData if artifact == 'semantic_maps' else InstanceData
        for sample in data_samples:
            if fields:
                sample.set_field(kind(**fields), name)
        return data_samples

    monkeypatch.setattr(toy_image_labeler.ToyImageLabeler, 'predict', predict)
    with pytest.raises(ValueError, match=f'000.png: image id 100: .*{message}'):
        generate(config, trained, tmp_path / 'out', artifact=artifact)
    assert not (tmp_path / 'out').exists()


def test_settings_and_places_that_cannot_be(config, trained, tmp_path):
    config.artifact = dict(type='instances', threshold=1)
    with pytest.raises(ValueError, match=r"unknown options \['threshold'\]"):
        generate(config, trained, tmp_path / 'out')
    config.artifact = 'cam'
    with pytest.raises(ValueError, match=r"must be one of .*class_maps.*, got 'cam'"):
        generate(config, trained, tmp_path / 'out')
    config.artifact = 'class_maps'
    config.pseudo_label_dataloader.dataset.indices = 3
    with pytest.raises(ValueError, match=r'9 of 12 images .* would get no class maps'):
        generate(config, trained, tmp_path / 'out')
    del config.pseudo_label_dataloader.dataset['indices']
    tags = json.loads((trained / 'tags.json').read_text())
    names = [image['file_name'] for image in tags['images']]
    for name, message in (
        ('../000.png', 'leads out of the image folder'),
        (names[0].replace('.png', '.jpg'), 'would both be written to part0/000.npz'),
    ):
        tags['images'][1]['file_name'] = name
        (tmp_path / 'tags.json').write_text(json.dumps(tags))
        config.pseudo_label_dataloader.dataset.ann_file = str(tmp_path / 'tags.json')
        with pytest.raises(ValueError, match=message):
            generate(config, trained, tmp_path / 'out')


def test_overwriting_another_runs_folder(config, trained, tmp_path, monkeypatch):
    folder = generate(config, trained, tmp_path / 'maps', artifact='class_maps')
    reference = content(folder)
    config.pseudo_label_dataloader.batch_size = 1
    with pytest.raises(
        ValueError, match=r'(?s)options batch_size: was .*, is now 1\n.*--overwrite'
    ):
        generate(config, trained, folder, artifact='class_maps')
    assert content(folder) == reference
    with monkeypatch.context() as patch:
        patch.setattr(toy_image_labeler.ToyImageLabeler, 'predict', interrupt)
        with pytest.raises(KeyboardInterrupt):
            generate(config, trained, folder, artifact='class_maps', overwrite=True)
    # Old files stay until they are replaced, but nobody takes them for finished.
    assert content(folder).keys() == reference.keys() - {'index.json'}
    generate(config, trained, folder, artifact='class_maps', overwrite=True)
    assert content(folder).keys() == reference.keys()


def interrupt(self, *args):
    raise KeyboardInterrupt


def test_folders_of_other_things_are_spared(config, trained, tmp_path):
    with pytest.raises(ValueError, match='holds the images themselves'):
        generate(
            config,
            trained,
            trained / 'images',
            artifact='semantic_maps',
            overwrite=True,
        )
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out' / 'thesis.txt').touch()
    with pytest.raises(ValueError, match='is not empty and has no index.json'):
        generate(config, trained, tmp_path / 'out', artifact='semantic_maps')
    assert not (tmp_path / 'out.parts').exists()
    generate(config, trained, tmp_path / 'out', artifact='class_maps', overwrite=True)
    assert (tmp_path / 'out' / 'thesis.txt').exists()
    (tmp_path / 'file').touch()
    with pytest.raises(ValueError, match='is a file'):
        generate(
            config, trained, tmp_path / 'file', artifact='class_maps', overwrite=True
        )
