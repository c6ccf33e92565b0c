"""Drawing: sizes, places and colours of what is drawn."""

import json

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from PIL import Image
from pycocotools import mask as mask_codec

from mmwsis.visualization import (
    Canvas,
    LabelFile,
    MaskColumn,
    Tile,
    comparison_sheet,
    contact_sheet,
    draw_weak_labels,
    save_image,
    weak_label_sheet,
)
from mmwsis.visualization.palette import EXTREME_POINT_COLORS, distinct_color, heatmap
from mmwsis.visualization.samples import draw_instances
from mmwsis.visualization.weak_labels import draw_points

GRAY = np.full((40, 60, 3), 128, np.uint8)


def rle(mask):
    encoded = mask_codec.encode(np.asfortranarray(mask.astype(np.uint8)))
    return dict(size=encoded['size'], counts=encoded['counts'].decode())


def coco(tmp_path, num=3):
    """A file with one square object per image, and its images."""
    images, annotations = [], []
    for i in range(1, num + 1):
        mask = np.zeros((40, 60), np.uint8)
        mask[10:30, 15:45] = 1
        Image.fromarray(GRAY).save(tmp_path / f'{i}.png')
        images.append(dict(id=i, file_name=f'{i}.png', height=40, width=60))
        annotations.append(
            dict(
                id=10 * i,
                image_id=i,
                category_id=7,
                iscrowd=0,
                area=600,
                bbox=[15, 10, 30, 20],
                segmentation=rle(mask),
                point=[30, 20],
                extreme_points=[[30, 10], [15, 20], [30, 29], [44, 20]],
            )
        )
    content = dict(
        images=images,
        annotations=annotations,
        categories=[dict(id=7, name='thing')],
    )
    (tmp_path / 'gt.json').write_text(json.dumps(content))
    return content


def test_small_images_are_enlarged_and_large_ones_reduced():
    canvas = Canvas(GRAY, min_side=256, max_side=640)
    assert canvas.scale == pytest.approx(6.4)
    assert canvas.image.shape == (256, 384, 3)
    large = Canvas(np.zeros((2000, 3000, 3), np.uint8), 256, 640)
    assert large.image.shape == (427, 640, 3)
    with pytest.raises(ValueError, match='RGB image'):
        Canvas(GRAY.astype(float))


def test_point_lands_on_the_centre_of_its_pixel():
    canvas = Canvas(GRAY, 400, 600).point(12, 7, (255, 0, 0))
    rows, columns = np.nonzero((canvas.image == (255, 0, 0)).all(-1))
    assert rows.mean() == pytest.approx(7.5 * 10, abs=1)
    assert columns.mean() == pytest.approx(12.5 * 10, abs=1)


def test_mask_tints_inside_only():
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 10:20] = 1
    drawn = Canvas(GRAY, 40, 60).mask(mask, (255, 0, 0), alpha=0.5).image
    assert (drawn[14, 14] == (192, 64, 64)).all()
    assert (drawn[30, 40] == 128).all()
    with pytest.raises(ValueError, match=r'\(40, 60\)'):
        Canvas(GRAY).mask(mask.T, (1, 2, 3))


def test_plates_do_not_cover_each_other():
    canvas = Canvas(GRAY)
    first = canvas.text(20, 20, 'one', (255, 255, 255)).image
    both = canvas.text(20, 20, 'two', (255, 255, 255)).image
    changed = (first != both).any(-1)
    black = (first == 15).all(-1)
    assert changed.any() and not (changed & black).any()


def test_weak_labels_show_points_in_their_colours():
    points = [[30, 10], [15, 20], [30, 29], [44, 20]]
    annotation = dict(category_id=7, bbox=[15, 10, 30, 20], extreme_points=points)
    drawn = draw_weak_labels(GRAY, [annotation], {7: 'thing'})
    for (x, y), color in zip(points, EXTREME_POINT_COLORS.values()):
        spot = drawn[int((y + 0.5) * 6.4), int((x + 0.5) * 6.4)]
        assert (spot == color).all()
    assert (drawn == distinct_color(0)).all(-1).any()  # box and name


def test_points_lie_over_all_names():
    points = [[8, 20], [12, 19], [16, 18]]  # on the plate of the name before
    own = [dict(category_id=7, point=point, score=0.25) for point in points]
    drawn = draw_weak_labels(GRAY, own, {7: 'a long name of a class'})
    labels = torch.zeros(3, dtype=torch.int64)
    instances = InstanceData(labels=labels, points=torch.tensor(points))
    scored = InstanceData(**dict(instances.items()), scores=torch.full((3,), 0.25))
    without, packed = (
        draw_instances(GRAY, one, ['a long name of a class'])
        for one in (instances, scored)
    )
    for index, (x, y) in enumerate(points):
        place = int((y + 0.5) * 6.4), int((x + 0.5) * 6.4)
        assert (drawn[place] == distinct_color(0)).all()
        assert (packed[place] == distinct_color(index)).all()
    plate = [(image == 15).all(-1).sum() for image in (without, packed)]
    assert plate[1] > plate[0]  # the score stands behind the name


def test_many_points_are_smaller():
    def area(count):
        canvas = Canvas(GRAY)
        draw_points(canvas, [(30, 20)] * count, [(255, 0, 0)] * count)
        return (canvas.image == (255, 0, 0)).all(-1).sum()

    assert area(1) == area(8) > area(9) > area(21) == area(500) > 20


def test_sheet_places_tiles_and_refuses_none():
    tile = Tile(np.zeros((50, 70, 3), np.uint8), 'a rather long caption of a tile')
    sheet = contact_sheet([tile] * 5, 3, 'title', [('legend', (255, 0, 0))])
    assert sheet.shape[1] == 3 * 70 + 4 * 8
    assert (sheet == (255, 0, 0)).all(-1).any()
    with pytest.raises(ValueError, match='at least one tile'):
        contact_sheet([], 3)


def test_sheets_of_a_file(tmp_path):
    content = coco(tmp_path)
    sheet = weak_label_sheet(tmp_path / 'gt.json', tmp_path, num=2)
    assert sheet.shape[1] == 2 * 384 + 3 * 8
    content['annotations'] = []
    (tmp_path / 'gt.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='no image has an annotation'):
        weak_label_sheet(tmp_path / 'gt.json', tmp_path)


def test_comparison_matches_by_id_and_by_overlap(tmp_path):
    content = coco(tmp_path, 1)
    truth = LabelFile.read(tmp_path / 'gt.json')
    good = content['annotations'][0]
    wrong_class = dict(image_id=1, category_id=8, score=0.9)
    wrong_class['segmentation'] = good['segmentation']
    unscored = dict(image_id=1, category_id=7, score=0.1)
    unscored['segmentation'] = good['segmentation']
    (tmp_path / 'pred.json').write_text(json.dumps([wrong_class, unscored]))
    sheet = comparison_sheet(
        tmp_path,
        truth,
        [
            MaskColumn('same', truth),
            MaskColumn('predictions', LabelFile.read(tmp_path / 'pred.json'), 0.5),
        ],
    )
    width = 384
    own = (sheet == distinct_color(0)).all(-1)
    assert own[:, 8 : 8 + width].any()
    assert own[:, 16 + width : 16 + 2 * width].any()
    # A mask of another class is nobody's; the one with the low score is left out.
    assert not own[:, 24 + 2 * width :].any()
    assert (sheet[:, 24 + 2 * width :] == 235).all(-1).any()


def test_label_files_that_are_none(tmp_path):
    (tmp_path / 'a.json').write_text('{"images": []}')
    with pytest.raises(ValueError, match='neither a COCO file'):
        LabelFile.read(tmp_path / 'a.json')
    (tmp_path / 'a.json').write_text('{')
    with pytest.raises(ValueError, match='no valid JSON'):
        LabelFile.read(tmp_path / 'a.json')


def test_heatmap_spans_its_colours():
    drawn = heatmap(np.array([[0.0, 1.0, np.nan]]), 0, 1, 'gray')
    assert drawn[0].tolist() == [[0, 0, 0], [255, 255, 255], [0, 0, 0]]


def test_pictures_are_written_by_their_ending(tmp_path):
    for name, kind in (('a.png', 'PNG'), ('b.jpg', 'JPEG')):
        save_image(tmp_path / 'new' / name, GRAY)
        assert Image.open(tmp_path / 'new' / name).format == kind
