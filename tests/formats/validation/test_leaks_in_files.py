"""A file that claims a level and holds something stronger."""

import pytest

from mmwsis.formats.validation import validate_file
from mmwsis.structures import Supervision

AT = 'annotation id 901 of image id 70: '
STRONGER = [
    # (level, key, value, how the issue names it)
    ('points', 'bbox', [10, 20, 60, 50], 'bbox'),
    ('points', 'extreme_points', [[40, 20], [10, 45], [40, 70], [70, 45]], None),
    ('points', 'segmentation', [[40, 20, 10, 45, 40, 70, 70, 45]], None),
    ('points', 'area', 1500, 'area'),
    ('boxes', 'extreme_points', [[40, 20], [10, 45], [40, 70], [70, 45]], None),
    ('boxes', 'segmentation', [[40, 20, 10, 45, 40, 70, 70, 45]], None),
    ('boxes', 'area', 1500, 'an area that is not that of the box'),
    ('extreme_points', 'segmentation', [[40, 20, 10, 45, 40, 70, 70, 45]], None),
    ('extreme_points', 'area', 1500, 'an area that is not that of the box'),
]
claims = pytest.mark.parametrize('by', ['option', 'info', 'image'])


def claim(coco, level, by):
    """Let the user, the file or its image say the level; the options to pass."""
    if by == 'info':
        coco['info']['mmwsis'] = dict(tool='coco2weak', supervision=level)
    elif by == 'image':
        coco['images'][0]['supervision'] = level
    return dict(supervision=level) if by == 'option' else {}


@claims
@pytest.mark.parametrize('level, key, value, name', STRONGER)
def test_stronger_label_is_an_error(weaker, issues, level, key, value, name, by):
    coco = weaker(level)
    options = claim(coco, level, by)
    assert 'leak' not in issues(coco, **options)
    coco['annotations'][0][key] = value
    found = issues(coco, **options)['leak']
    assert found == [f'{AT}{name or key} at supervision {level!r}.']


@claims
def test_annotations_at_image_tags(weaker, issues, by):
    coco = weaker('image_tags')
    options = claim(coco, 'image_tags', by)
    assert 'leak' not in issues(coco, **options)
    coco['annotations'] = weaker('points')['annotations'][:1]
    found = issues(coco, **options)['leak']
    assert found == [f"{AT}an annotation, point at supervision 'image_tags'."]


@pytest.mark.parametrize('level', list(Supervision)[:-1])
def test_void_is_strong(weaker, issues, level):
    coco = weaker(level.label)
    coco['images'][0]['void'] = dict(size=[90, 120], counts='ha:')
    found = issues(coco, supervision=level)
    assert found['leak'] == [
        f'image id 70: void, the pixels of no class, at supervision {level.label!r}.'
    ]


def test_area_of_the_box_is_no_leak(weaker, issues):
    coco = weaker('boxes')
    coco['annotations'][0]['area'] = 60 * 50
    assert issues(coco, supervision='boxes') == {}
    coco = weaker('extreme_points')
    coco['annotations'][0].update(bbox=[10, 20, 60.9, 50.9], area=60 * 50)
    assert issues(coco, supervision='extreme_points') == {}


def test_what_a_config_weakens_is_a_note(clean, issues):
    found = issues(clean, config_supervision='boxes')
    assert set(found) == {'guarded'}
    assert len(found['guarded']) == 4
    assert found['guarded'][0] == (
        f'{AT}extreme_points, segmentation, an area that is not that of the box at '
        "supervision 'boxes'."
    )


def test_a_claim_outweighs_the_config(clean, issues):
    clean['info']['mmwsis'] = dict(supervision='points')
    found = issues(clean, config_supervision='boxes')
    assert 'leak' in found and 'guarded' not in found


def test_claim_at_the_end_of_the_file(clean, write):
    info = dict(mmwsis=dict(supervision='boxes'))
    last = {**{k: v for k, v in clean.items() if k != 'info'}, 'info': info}
    report = validate_file(write(last))
    assert report.level_text() == 'boxes (info.mmwsis of the file)'
    assert report.log.counts['leak'] == 4


def test_pseudo_labels_are_masks_whatever_taught_their_labeler(weaker, write):
    coco = weaker('masks')
    coco['info']['mmwsis'] = dict(supervision='boxes', checkpoint_sha256='ab')
    coco['images'][0]['supervision'] = 'boxes'
    report = validate_file(write(coco))
    assert report.log.counts == {}
    assert report.level is Supervision.MASKS and report.level_source == 'content'


def test_mixed_file_is_judged_image_by_image(weaker, issues):
    coco = weaker('masks')
    coco['images'][0]['supervision'] = 'boxes'
    coco['annotations'][0] = weaker('boxes')['annotations'][0]
    coco['annotations'][3] = weaker('boxes')['annotations'][3]
    assert issues(coco, supervision='masks') == {}
    del coco['annotations'][1]['segmentation']
    found = issues(coco, supervision='masks')
    assert found == {
        'mask-missing': [
            'annotation id 12 of image id 3: '
            "supervision 'masks', but there is no segmentation."
        ]
    }


@pytest.mark.parametrize(
    'level, key, said',
    [
        ('points', 'point', "supervision 'points' needs the key point."),
        ('boxes', 'bbox', 'bbox must be [x, y, width, height], finite numbers'),
        ('masks', 'bbox', 'bbox must be [x, y, width, height], finite numbers'),
        ('extreme_points', 'extreme_points', 'needs the key extreme_points.'),
    ],
)
def test_label_of_the_level_must_be_there(weaker, issues, level, key, said):
    coco = weaker(level)
    del coco['annotations'][0][key]
    (found,) = issues(coco, supervision=level)['label-missing']
    assert found.startswith(AT) and said in found


def test_crowd_needs_a_box_at_extreme_points_and_nothing_at_points(weaker, issues):
    coco = weaker('extreme_points')
    del coco['annotations'][3]['bbox']
    (found,) = issues(coco, supervision='extreme_points')['label-missing']
    assert found.startswith('annotation id 500 of image id 70: bbox must be')
    assert issues(weaker('points'), supervision='points') == {}


def test_keys_that_the_guard_drops_are_noted(weaker, issues):
    coco = weaker('boxes')
    coco['annotations'][0]['quality'] = 0.5
    assert issues(coco, supervision='boxes') == {
        'unlisted-key': [f"{AT}key 'quality' is not read below masks."]
    }
    assert issues(weaker('masks'), supervision='masks') == {}


def test_keys_of_importers_and_converters_are_part_of_the_format(weaker, issues):
    coco = weaker('boxes')
    coco['annotations'][0].update(attributes=dict(occluded=True), segment_id=300)
    coco['images'][0].update(neg_category_ids=[5], not_exhaustive_category_ids=[17])
    coco['categories'][0].update(frequency='r', synset='cat.n.01')
    assert issues(coco, supervision='boxes') == {}
