"""Box label maps as artifacts, from a file of boxes and a file of proposals."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData

from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.formats.semantic_maps import read_semantic_map
from mmwsis.models.labelers import GrabCutProposals
from mmwsis.ops import box_agreement, box_label_map, grab_cut
from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels
from mmwsis.structures import Proposals

sys.path.insert(0, str(Path(__file__).parent))
from box_scenes import SIZE, annotation, config, disc, picture, write_scenes


@pytest.fixture
def data(tmp_path):
    write_scenes(tmp_path)
    return tmp_path


def expected_maps():
    boxes = np.array([[8, 4, 32, 28], [13, 9, 35, 31]])
    found = [
        box_agreement(grab_cut(picture(), box, 2), disc(name, 1), box)
        for box, name in zip(boxes, 'ac')
    ]
    return box_label_map(boxes, np.array([1, 1]), found, SIZE, -1)


def test_semantic_maps_of_things(data):
    cfg = config(data)
    whole, joined, parallel = (data / name for name in ('whole', 'joined', 'parallel'))
    generate_pseudo_labels(cfg, None, whole)
    found = read_semantic_map(whole / '0.png')
    expected = expected_maps().semantic
    np.testing.assert_array_equal(found, np.where(expected == 255, 255, expected + 1))
    assert set(np.unique(found)) == {0, 2, 255}
    # A box without its crowd; no box.
    crowded = read_semantic_map(whole / '1.png')
    assert (crowded[:15, :15] == 0).all() and (crowded == 1).sum() > 200
    assert not read_semantic_map(whole / '2.png').any()
    index = json.loads((whole / 'index.json').read_text())
    assert index['classes'] == ['background', 'x', 'y']
    for number in (2, 1):
        part = GenerationOptions(shard=Shard(number, 2))
        generate_pseudo_labels(cfg, None, joined, part)
    generate_pseudo_labels(cfg, None, joined, GenerationOptions(merge=True))
    cfg.pseudo_label_dataloader.num_workers = 2
    generate_pseudo_labels(cfg, None, parallel)
    for name in ('0.png', '1.png', '2.png'):
        content = (whole / name).read_bytes()
        assert (joined / name).read_bytes() == content
        assert (parallel / name).read_bytes() == content


def test_panoptic_maps_with_the_background_as_stuff(data):
    cfg = config(data, stuff=('bg',))
    out = data / 'panoptic.json'
    options = GenerationOptions(artifact='panoptic_maps')
    generate_pseudo_labels(cfg, None, out, options)
    written = json.loads(out.read_text())
    segments = written['annotations'][0]['segments_info']
    kinds = sorted((one['category_id'], one['iscrowd']) for one in segments)
    assert kinds == [(5, 0), (5, 0), (5, 1), (9, 0)]
    expected = expected_maps()
    areas = {
        (one['category_id'], one['iscrowd']): one['area']
        for one in segments
        if (one['category_id'], one['iscrowd']) != (5, 0)
    }
    unknown = (expected.instances == -1) & (expected.semantic == 1)
    assert areas[5, 1] == unknown.sum() > 0
    assert areas[9, 0] == (expected.semantic == -1).sum()
    ids = PanopticFile(out, out.with_suffix('')).segment_map(0)
    np.testing.assert_array_equal(ids == 0, expected.semantic == 255)


def sample_of(boxes, labels, **fields):
    boxes = torch.tensor(boxes, dtype=torch.float32).view(-1, 4)
    ids = torch.arange(len(boxes)) + 70
    found = InstanceData(bboxes=boxes, labels=torch.tensor(labels), ann_ids=ids)
    meta = dict(img_id=4, img_path='images/4.png')
    return BaseDataElement(metainfo=meta, gt_instances=found, **fields)


def labelled(sample, artifact=None, **settings):
    model = GrabCutProposals(2, test_cfg=settings)
    model.artifact = artifact
    image = torch.from_numpy(picture()).permute(2, 0, 1)
    model([image], [sample])
    return sample


def test_without_a_single_stuff_class_the_rest_is_void():
    boxes, labels = [[8, 4, 32, 28]], [1]
    found = labelled(sample_of(boxes, labels), 'panoptic_maps')
    assert set(found.pred_panoptic_seg.sem_seg.unique().tolist()) == {2, 1001}


def test_a_fully_labelled_image_keeps_its_panoptic_map():
    truth = torch.full((1, *SIZE), 1001)
    known = PixelData(sem_seg=truth)
    sample = sample_of([[8, 4, 32, 28]], [1], gt_panoptic_seg=known)
    assert labelled(sample, 'panoptic_maps').pred_panoptic_seg.sem_seg is truth


def test_a_box_of_the_whole_image_is_unknown():
    found = labelled(sample_of([[0, 0, 60, 48], [8, 4, 32, 28]], [0, 1]))
    values = found.pred_sem_seg.sem_seg
    assert set(values.unique().tolist()) == {2, 255}


@pytest.mark.parametrize(
    'boxes, labels, message',
    [
        (
            [[8, 4, 32, 28], [9, 3, 9, 7]],
            [0, 1],
            r'image id 4.*annotation id 71: the box \[9.0, 3.0, 9.0, 7.0\] .* no pixel '
            'in the image of 60 x 48 pixels. Remove or correct it.',
        ),
        ([[8, 4, 32, 28]], [2], 'annotation id 70 has the label 2, things are those'),
    ],
)
def test_bad_boxes_are_named(boxes, labels, message):
    with pytest.raises(ValueError, match=message):
        labelled(sample_of(boxes, labels))


def test_proposals_of_another_size_name_the_image():
    proposals = Proposals([], np.zeros(0), (48, 61))
    given = sample_of([[8, 4, 32, 28]], [0], mask_proposals=proposals)
    given.set_metainfo(dict(img_path='day/a.jpg'))
    with pytest.raises(ValueError) as caught:
        labelled(given)
    assert str(caught.value) == (
        'Image day/a.jpg (image id 4): the proposals are of an image of (48, 61), '
        'this one is (48, 60) (height, width).'
    )


def test_a_box_without_pixels_stops_generation(data):
    coco = json.loads((data / 'boxes.json').read_text())
    coco['annotations'].append(annotation(19, 2, 5, [10, 10, 0, 4]))
    (data / 'boxes.json').write_text(json.dumps(coco))
    cfg = config(data)
    cfg.pseudo_label_dataloader.num_workers = 1
    with pytest.raises(ValueError, match='annotation id 19: the box'):
        generate_pseudo_labels(cfg, None, data / 'out')
    assert not (data / 'out/index.json').exists()
