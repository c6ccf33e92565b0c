import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.dataset_converters.click_noise import move_clicks, move_edges
from mmwsis.dataset_converters.coco2weak import convert_file
from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.weak_labels import WeakProtocol
from mmwsis.formats.coco_file import load_coco
from mmwsis.formats.coco_masks import encode_mask
from mmwsis.structures import box_of_extreme_points, check_extreme_points
from mmwsis.structures.supervision import Supervision

LEVELS = (Supervision.BOXES, Supervision.EXTREME_POINTS)
SIZE = (80, 100)


@pytest.fixture
def masks(tmp_path):
    """Discs, some of which the border of the image cuts, and a crowd."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    annotations = []
    for key in range(1, 401):
        centre = rng.integers(0, SIZE[::-1])
        radius = rng.integers(1, 25)
        mask = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2
        rows, columns = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
        left, top = int(columns[0]), int(rows[0])
        annotations.append(
            dict(
                id=key,
                image_id=1,
                category_id=1,
                iscrowd=int(key == 400),
                segmentation=encode_mask(mask),
                bbox=[left, top, len(columns), len(rows)],
                area=int(mask.sum()),
            )
        )
    coco = dict(
        images=[dict(id=1, file_name='a.png', height=SIZE[0], width=SIZE[1])],
        categories=[dict(id=1, name='disc')],
        annotations=annotations,
    )
    path = tmp_path / 'masks.json'
    path.write_text(json.dumps(coco))
    return path


def convert(path, share, seed=0, workers=1, **kwargs):
    outputs = {level: path.parent / f'{level.label}.json' for level in LEVELS}
    run = RunOptions(workers=workers, overwrite=True)
    convert_file(
        path, outputs, WeakProtocol(click_noise=share, seed=seed, **kwargs), run=run
    )
    return {level: json.loads(out.read_text()) for level, out in outputs.items()}


def boxes(document):
    return {a['id']: a['bbox'] for a in document['annotations']}


def test_errors_have_the_wanted_size_and_files_stay_valid(masks):
    exact, noisy = convert(masks, 0.0), convert(masks, 0.05)
    for level in LEVELS:
        load_coco(str(masks.parent / f'{level.label}.json'), level)
        before, after = boxes(exact[level]), boxes(noisy[level])
        assert before[400] == after[400]  # the crowd
        errors = []
        for key, (x, _, width, height) in before.items():
            u, v, w, h = after[key]
            inside = u >= 0 and v >= 0 and u + w <= SIZE[1] and v + h <= SIZE[0]
            assert inside and w >= 0.99 and h >= 0.99
            # Where neither the border nor the least size of a pixel has a say.
            if min(width, height) > 15 and 8 < x < x + width < SIZE[1] - 8:
                errors += [(u - x) / width, (u + w - x - width) / width]
        assert np.std(errors) == pytest.approx(0.05, rel=0.15)
        assert np.mean(errors) == pytest.approx(0, abs=0.01)
    info = noisy[Supervision.EXTREME_POINTS]['info']['mmwsis']['protocol']
    assert info == dict(extreme_mode='auto', seed=0, click_noise=0.05)


def test_both_levels_have_the_same_boxes(masks):
    noisy = convert(masks, 0.1)
    own, spanned = (boxes(noisy[level]) for level in LEVELS)
    for key, box in own.items():
        assert spanned[key] == pytest.approx(box, abs=0.011)


def test_neither_order_nor_processes_count_but_the_seed(masks):
    first = convert(masks, 0.03, seed=5)
    assert convert(masks, 0.03, seed=5, workers=2) == first
    assert boxes(convert(masks, 0.03, seed=6)[LEVELS[0]]) != boxes(first[LEVELS[0]])
    coco = json.loads(masks.read_text())
    coco['annotations'] = coco['annotations'][::-2]
    masks.write_text(json.dumps(coco))
    for level, document in convert(masks, 0.03, seed=5).items():
        all_of_them = {a['id']: a for a in first[level]['annotations']}
        assert all(a == all_of_them[a['id']] for a in document['annotations'])


def test_settings_that_cannot_be_meant_are_refused():
    with pytest.raises(ValueError, match='from 0 to 1, given 5'):
        WeakProtocol(click_noise=5)
    with pytest.raises(ValueError, match="continuous coordinates, given 'pixel-index'"):
        WeakProtocol(click_noise=0.1, coordinates='pixel-index')


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 99),
    st.integers(0, 79),
    st.floats(0, 60),
    st.floats(0, 60),
    st.floats(0, 1),
    st.integers(0, 2**32 - 1),
)
def test_any_noise_leaves_extreme_points_in_order(
    left, top, width, height, share, seed
):
    right, bottom = min(left + width, 100), min(top + height, 80)
    points = [[left, top], [left, bottom], [right, bottom], [right, top]]
    moved = move_clicks(points, SIZE, share, np.random.default_rng(seed))
    check_extreme_points(moved, 'here')
    x, y, w, h = box_of_extreme_points(moved)
    assert min(x, y) >= 0 and x + w <= 100 and y + h <= 80
    assert w > 0.98 and h > 0.98
    box = [left, top, right - left, bottom - top]
    again = move_edges(box, SIZE, share, np.random.default_rng(seed))
    assert again == pytest.approx([x, y, w, h], abs=0.011)
