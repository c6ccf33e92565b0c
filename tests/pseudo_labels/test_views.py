"""Mirrored and scaled views: what the network sees, and masks in original pixels."""

import json

import numpy as np
import pytest
from mmengine.config import Config
from pycocotools import mask as coco_mask

from mmwsis.datasets.transforms import MirroredImage, MirroredObjectImage, ObjectCrop
from mmwsis.pseudo_labels import GenerationOptions, generate_pseudo_labels
from mmwsis.pseudo_labels.views import original_record, view_pipeline
from mmwsis.structures.proposals import Proposals


def labels(path):
    return {one['id']: one for one in json.loads(path.read_text())['annotations']}


def decoded(one):
    return coco_mask.decode(one['segmentation'])


def ious(first, second):
    both = [
        coco_mask.iou([first[k]['segmentation']], [second[k]['segmentation']], [0])
        for k in first
    ]
    return np.array(both).ravel()


@pytest.fixture
def made(scene, config):
    found = {}
    for view in (None, 'mirrored', 'scaled'):
        options = GenerationOptions(device='cpu', view=view, batch_size=1)
        out = scene / f'{view}.json'
        generate_pseudo_labels(config, scene / 'epoch_1.pth', out, options)
        found[view] = out
    return found


def test_views_have_the_same_ids_and_masks_at_the_same_places(made):
    first = labels(made[None])
    for view in ('mirrored', 'scaled'):
        second = labels(made[view])
        assert list(second) == list(first)
        for one in second.values():
            box = coco_mask.toBbox(one['segmentation'])
            assert one['bbox'] == box.tolist()
    # Of a labeler that looks at each pixel alone the mirror image has the same masks,
    # but for the pixels where 32 columns of a crop do not fall on its columns.
    agreement = ious(first, labels(made['mirrored']))
    assert np.median(agreement) > 0.85
    # Crops that show more are coarser.
    assert 0.4 < np.median(ious(first, labels(made['scaled']))) < 1


def test_a_view_is_told_by_the_file_and_does_not_mix_with_another(scene, config, made):
    info = json.loads(made['mirrored'].read_text())['info']['mmwsis']
    assert info['options']['view'] == 'mirrored'
    assert 'view' not in json.loads(made[None].read_text())['info']['mmwsis']['options']
    options = GenerationOptions(device='cpu', view='scaled', batch_size=1)
    with pytest.raises(ValueError, match="view.*'mirrored'.*'scaled'"):
        generate_pseudo_labels(config, scene / 'epoch_1.pth', made['mirrored'], options)


def test_a_mirrored_object_is_cut_out_as_the_mirrored_crop():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    points = np.array([[20.0, 6], [10, 12], [24, 26], [30, 15]])
    sample = dict(img=image, bbox=np.float32([10, 6, 30, 26]), extreme_points=points)
    crop = ObjectCrop(crop_size=26, train=False)
    plain = crop(dict(sample))
    mirrored = MirroredObjectImage()(dict(sample))
    assert mirrored['bbox'].tolist() == [30, 6, 50, 26]
    assert mirrored['extreme_points'].tolist() == [
        [40, 6],
        [30, 15],
        [36, 26],
        [50, 12],
    ]
    assert (crop(mirrored)['img'] == plain['img'][:, ::-1]).all()


def test_proposals_of_a_mirrored_image_count_as_its_own():
    mask = np.zeros((6, 9), np.uint8)
    mask[1:3, :4] = 1
    proposals = Proposals([coco_mask.encode(np.asfortranarray(mask))], [0.5], (6, 9))
    image = np.arange(162, dtype=np.uint8).reshape(6, 9, 3)
    sample = dict(img=image, mask_proposals=proposals, gt_points=np.array([[1.0, 2.0]]))
    moved = MirroredImage()(sample)
    assert moved['mask_proposals'].grid is None
    assert (moved['mask_proposals'].decode()[0] == mask[:, ::-1]).all()
    assert (moved['img'] == image[:, ::-1]).all()
    assert moved['gt_points'].tolist() == [[7.0, 2.0]]


def test_masks_of_an_image_and_of_an_object_are_mirrored_back():
    mask = np.zeros((4, 5), np.uint8)
    mask[1, :2] = 1
    rle = coco_mask.encode(np.asfortranarray(mask))
    entry = dict(
        segmentation=dict(size=[4, 5], counts=rle['counts'].decode()),
        bbox=[0.0, 1.0, 2.0, 1.0],
        score=0.5,
    )
    back = original_record(dict(id=3, **entry), 'mirrored')
    assert (decoded(back) == mask[:, ::-1]).all()
    assert back['bbox'] == [3.0, 1.0, 2.0, 1.0] and back['id'] == 3
    whole = original_record(dict(id=1, instances=[entry]), 'mirrored')
    assert whole['instances'][0]['bbox'] == back['bbox']
    assert original_record(dict(id=3), 'mirrored') == dict(id=3)  # empty prediction
    assert original_record(entry, 'scaled') == entry


@pytest.mark.parametrize(
    'config, mirrored, scaled',
    [
        ('exits/labeler_vit-b_coco.py', 1, None),
        ('wise/wise_efficientnet-lite0_small.py', 3, 5),
        ('bestie/bestie_r18_synthetic.py', 1, 2),
        ('bestie/bestie_hrnet-w48_voc.py', 1, 1),
        ('irnet/irnet_r50_voc.py', 2, 2),
    ],
)
def test_where_a_view_stands_in_the_pipelines_of_the_methods(config, mirrored, scaled):
    loader = Config.fromfile(f'configs/{config}').pseudo_label_dataloader
    steps = [step['type'] for step in loader.dataset.pipeline]
    for view, place in (('mirrored', mirrored), ('scaled', scaled)):
        viewed = view_pipeline(loader.dataset.pipeline, view)
        names = [step['type'] for step in viewed]
        if place is None:
            crop = next(s for s in viewed if s['type'] == 'mmwsis.ObjectCrop')
            assert crop['test_margin'] == pytest.approx(1.3 / 0.75 - 1)
            assert names == steps
        else:
            assert names[:place] + names[place + 1 :] == steps
            assert names[place].startswith(('mmwsis.Mirrored', 'mmwsis.RandomRescale'))


def test_unknown_views_and_artifacts_without_masks_are_refused(scene, config):
    with pytest.raises(ValueError, match="view must be one of .*'upside-down'"):
        view_pipeline([dict(type='PackDetInputs')], 'upside-down')
    with pytest.raises(ValueError, match='ends with packing'):
        view_pipeline([dict(type='LoadImageFromFile')], 'mirrored')
    config.artifact = 'points'
    options = GenerationOptions(device='cpu', view='mirrored')
    with pytest.raises(ValueError, match=r'masks only .* makes points. Leave out'):
        generate_pseudo_labels(
            config, scene / 'epoch_1.pth', scene / 'points.json', options
        )
