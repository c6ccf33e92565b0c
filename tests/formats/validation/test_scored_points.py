"""Files of points that a network found: counts, scores, what they claim."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmwsis.formats.coco_file import load_coco
from mmwsis.formats.validation import validate_file
from mmwsis.formats.validation.repeated import points_on_one_pixel
from mmwsis.formats.validation.report import report_text


@pytest.fixture
def scored(weaker):
    coco = weaker('points')
    for entry, score in zip(coco['annotations'], (0.125, 0.5, 1)):
        entry['score'] = score
    del coco['annotations'][3]  # a crowd, which has no point
    return coco


def test_scores_are_counted_and_shown(scored, write):
    report = validate_file(write(scored), supervision='points')
    assert not report.log.counts
    assert report.summary['scores'] == dict(
        points=3, lowest=0.125, median=0.5, highest=1.0,
        histogram=[0, 1, 0, 0, 0, 1, 0, 0, 0, 1],
    )  # fmt: skip
    line = (
        '3 points with a score, 0.125 to 1.000, median 0.500; by tenths from 0: '
        '0 1 0 0 0 1 0 0 0 1'
    )
    assert line in report_text(report).splitlines()


def test_clicks_have_no_scores(weaker, write):
    report = validate_file(write(weaker('points')), supervision='points')
    assert report.summary['scores'] == {}
    assert 'with a score' not in report_text(report)


def test_points_that_a_labeler_found_are_points(scored, write):
    own = dict(supervision='image_tags', checkpoint_sha256='ab')
    scored['info']['mmwsis'] = dict(own, artifact=dict(type='points'))
    report = validate_file(write(scored))
    assert not report.log.counts
    assert report.level_text() == 'points (info.mmwsis of the file)'
    scored['annotations'][0]['bbox'] = [10, 20, 60, 50]
    assert 'leak' in validate_file(write(scored)).log.counts


def test_scores_of_masks_are_left_alone(clean, issues, write):
    clean['annotations'][0]['score'] = 95
    assert issues(clean) == {}
    # Nor does a weaker level see it, or complain of it.
    assert 'score' not in load_coco(write(clean), 'points')['annotations'][0]
    load_coco(write(clean), 'masks')


def test_a_broken_score_stops_the_loader(scored, write):
    scored['annotations'][1]['score'] = -0.5
    path = write(scored)
    with pytest.raises(ValueError, match='12 of image id 3: score must .* got -0.5'):
        load_coco(path, 'points')
    load_coco(path, 'image_tags')


def test_peaks_that_differ_in_their_score_are_no_copies(scored, issues):
    first = scored['annotations'][0]
    scored['annotations'].append({**first, 'id': 902, 'score': 0.25})
    found = issues(scored, supervision='points')
    assert list(found) == ['point-shared']
    scored['annotations'][-1]['score'] = first['score']
    assert list(issues(scored, supervision='points')) == ['annotation-duplicate']


def test_neighbouring_pixels_and_other_images_are_no_issue(scored, issues):
    first, second, third = scored['annotations']
    second.update(image_id=first['image_id'])
    x, y = first['point']
    third.update(point=[x, y])  # of the other image
    for neighbour in ([x + 1, y], [x, y - 1], [x + 0.5, y]):
        second['point'] = neighbour
        assert issues(scored, supervision='points') == {}


def test_the_last_column_and_the_border_are_one_pixel(scored, issues):
    first, second, _ = scored['annotations']
    first.update(point=[119, 89])
    second.update(image_id=first['image_id'], point=[120, 90])
    (found,) = issues(scored, supervision='points')['point-shared']
    assert 'column 119, row 89' in found


@given(
    places=st.lists(
        st.tuples(*(st.integers(-1, 2) for _ in range(3)), st.booleans()), max_size=20
    )
)
def test_shared_pixels_against_a_slow_reference(places):
    seen, expected = {}, {}
    for index, (row, x, y, usable) in enumerate(places):
        if usable and min(row, x, y) >= 0:
            first = seen.setdefault((row, x, y), index)
            expected.update({} if first == index else {index: first})
    table = np.array(places, dtype=np.int64).reshape(-1, 4)
    rows, pixels, usable = table[:, 0], table[:, 1:3], table[:, 3].astype(bool)
    assert points_on_one_pixel(pixels, rows, usable) == expected


def test_documentation_shows_a_score():
    text = (Path(__file__).parents[3] / 'docs/supervision.md').read_text()
    assert '| `annotations[].score` |' in text
