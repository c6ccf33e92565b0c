"""Box label maps as artifacts, from a file of boxes and a file of proposals."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement, InstanceData
from PIL import Image
from pycocotools import mask as coco_mask

from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.formats.semantic_maps import read_semantic_map
from mmwsis.models.labelers import GrabCutProposals
from mmwsis.ops import box_agreement, box_label_map, grab_cut
from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels

SIZE = 48, 60
CIRCLES = dict(a=(20, 16, 9), b=(40, 30, 10), c=(24, 20, 8))  # x, y, radius


def disc(name, grown=0):
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    cx, cy, radius = CIRCLES[name]
    return (x - cx) ** 2 + (y - cy) ** 2 <= (radius + grown) ** 2


def picture():
    image = np.random.default_rng(0).integers(0, 40, (*SIZE, 3), dtype=np.uint8)
    for name, color in dict(a=(200, 40, 40), b=(40, 60, 200), c=(190, 60, 30)).items():
        image[disc(name)] = color
    return image


def box_of(name, margin=3):
    cx, cy, radius = CIRCLES[name]
    side = 2 * (radius + margin)
    return [cx - radius - margin, cy - radius - margin, side, side]


def annotation(number, image, category, bbox, iscrowd=0):
    return dict(
        id=number,
        image_id=image,
        category_id=category,
        bbox=bbox,
        iscrowd=iscrowd,
    )


@pytest.fixture
def data(tmp_path):
    """Three images: two discs of a class, another and a crowd, none."""
    for number in range(3):
        Image.fromarray(picture()).save(tmp_path / f'{number}.png')
    images = [
        dict(id=n, file_name=f'{n}.png', height=SIZE[0], width=SIZE[1], tags=[5])
        for n in range(3)
    ]
    categories = [dict(id=i, name=name) for i, name in ((3, 'x'), (5, 'y'), (9, 'bg'))]
    annotations = [
        annotation(11, 0, 5, box_of('a')),
        annotation(12, 0, 5, box_of('c')),
        annotation(13, 1, 3, box_of('b', 2)),
        annotation(14, 1, 3, [0, 0, 20, 20], iscrowd=1),
    ]
    coco = dict(images=images, categories=categories, annotations=annotations)
    (tmp_path / 'boxes.json').write_text(json.dumps(coco))
    results = []
    for image, name, score in ((0, 'a', 0.9), (0, 'c', 0.5), (1, 'b', 0.7)):
        rle = coco_mask.encode(np.asfortranarray(disc(name, 1), np.uint8))
        rle['counts'] = rle['counts'].decode()
        results.append(
            dict(image_id=image, category_id=1, segmentation=rle, score=score)
        )
    (tmp_path / 'proposals.json').write_text(json.dumps(results))
    return tmp_path


def config(data, stuff=(), **more):
    classes = ('x', 'y', *stuff)
    return Config(
        dict(
            model=dict(
                type='mmwsis.GrabCutProposals',
                num_things_classes=2,
                num_stuff_classes=len(stuff),
                test_cfg=dict(num_iters=2),
            ),
            artifact='semantic_maps',
            pseudo_label_dataloader=dict(
                batch_size=1,
                num_workers=0,
                dataset=dict(
                    type='mmwsis.CocoWeakDataset',
                    supervision='boxes',
                    metainfo=dict(classes=classes, stuff_classes=stuff),
                    ann_file=str(data / 'boxes.json'),
                    data_prefix=dict(img=str(data)),
                    min_box_side=0,
                    test_mode=True,
                    pipeline=[
                        dict(type='mmwsis.LoadCachedImage', max_images=0),
                        dict(
                            type='mmwsis.LoadWeakAnnotations',
                            with_bbox=True,
                            with_point=False,
                        ),
                        dict(
                            type='mmwsis.LoadProposals',
                            path=str(data / 'proposals.json'),
                            allow_missing=True,
                            resize=False,
                        ),
                        dict(type='mmwsis.PackWeakInputs'),
                    ],
                ),
            ),
            wsis=dict(method='Weak panoptic'),
            **more,
        )
    )


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


def test_a_box_without_pixels_stops_generation(data):
    coco = json.loads((data / 'boxes.json').read_text())
    coco['annotations'].append(annotation(19, 2, 5, [10, 10, 0, 4]))
    (data / 'boxes.json').write_text(json.dumps(coco))
    cfg = config(data)
    cfg.pseudo_label_dataloader.num_workers = 1
    with pytest.raises(ValueError, match='annotation id 19: the box'):
        generate_pseudo_labels(cfg, None, data / 'out')
    assert not (data / 'out/index.json').exists()
