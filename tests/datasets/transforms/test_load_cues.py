"""Cues of an earlier stage beside the tags of a dataset."""

import json
import pickle

import pytest

from mmwsis.datasets.transforms import LoadCues

CLASSES = ('cat', 'dog')


def cue(number, category, point, image=7, score=0.9):
    return dict(
        id=number, image_id=image, category_id=category, point=point, score=score
    )


@pytest.fixture
def cues(tmp_path):
    """Writes a file of images 7 and 8 that has the classes in another order."""

    def write(*annotations, **changes):
        content = dict(
            info=dict(mmwsis=dict(method='BESTIE', supervision='image_tags')),
            images=[
                dict(id=key, file_name=f'{key}.jpg', height=12, width=9, tags=[4])
                for key in (7, 8)
            ],
            categories=[dict(id=3, name='dog'), dict(id=4, name='cat')],
            annotations=list(annotations),
        )
        path = tmp_path / 'cues.json'
        path.write_text(json.dumps({**content, **changes}))
        return str(path)

    return write


def sample(**changes):
    data = dict(
        img_id=7,
        img_path='7.jpg',
        height=12,
        width=9,
        classes=CLASSES,
        supervision='image_tags',
        instances=[],
        tags=[0],
        num_classes=2,
    )
    return {**data, **changes}


def test_cues_arrive_with_the_labels_of_the_dataset(cues):
    path = cues(
        cue(1, 4, [2, 3]), cue(2, 3, [8, 11], score=0.701), cue(3, 3, [0, 0], 8)
    )
    load = LoadCues(path, score_thr=0.7)
    found = load(sample())
    assert found['gt_points'].tolist() == [[2, 3], [8, 11]]
    assert found['gt_bboxes_labels'].tolist() == [0, 1]
    assert found['gt_point_scores'].tolist() == pytest.approx([0.9, 0.701])
    assert found['gt_ann_ids'].tolist() == [1, 2] and not found['gt_ignore_flags'].any()
    again = pickle.loads(pickle.dumps(load))  # as a worker gets it
    assert again._images is None
    assert again(sample())['gt_points'].tolist() == [[2, 3], [8, 11]]
    # A sample's cues are its own.
    assert load(sample())['gt_points'].tolist() == [[2, 3], [8, 11]]


def test_a_score_of_the_threshold_is_not_above_it(cues):
    found = LoadCues(cues(cue(1, 4, [2, 3], score=0.7)), score_thr=0.7)(sample())
    assert len(found['gt_points']) == 0 and found['num_dropped'] == 1


def test_an_image_without_a_cue_is_valid(cues):
    found = LoadCues(cues(cue(1, 4, [2, 3])))(sample(img_id=8))
    assert found['gt_points'].shape == (0, 2)
    assert found['gt_bboxes_labels'].shape == (0,)
    assert found['gt_point_scores'].shape == (0,)


def test_an_image_that_the_file_lacks_is_named(cues):
    with pytest.raises(
        ValueError, match=r'cues.json does not list Image 9.jpg \(image id 9\);'
    ):
        LoadCues(cues())(sample(img_id=9, img_path='9.jpg'))


@pytest.mark.parametrize(
    ('annotation', 'message'),
    [
        (cue(5, 4, [11, 3]), r'cues.json: annotation id 5 of image id 7: point'),
        (cue(5, 4, [-3, 3]), r'cues.json: annotation id 5 of image id 7: point'),
        (cue(5, 99, [2, 3]), r'cues.json.*5.*99'),
        (cue(5, 4, [2, 3], score=None), r'annotation id 5 of image id 7 has no score'),
        (cue(5, 4, None), r'cues.json.*5.*point'),
    ],
)
def test_broken_cues_are_named(cues, annotation, message):
    with pytest.raises(ValueError, match=f'(?s){message}'):
        LoadCues(cues(annotation))(sample())


def test_a_cue_of_a_class_that_the_dataset_lacks_is_named(cues):
    owls = [dict(id=3, name='dog'), dict(id=4, name='cat'), dict(id=5, name='owl')]
    spare = LoadCues(cues(cue(1, 4, [2, 3]), categories=owls))  # no cue is an owl
    assert spare(sample())['gt_bboxes_labels'].tolist() == [0]
    path = cues(cue(1, 4, [2, 3]), cue(6, 5, [4, 4], image=8), categories=owls)
    message = r"cues.json: annotation id 6 of image id 8 is of the class 'owl'"
    with pytest.raises(ValueError, match=message):
        LoadCues(path)(sample())


def test_cues_of_another_size_or_of_stronger_labels_are_refused(cues):
    with pytest.raises(ValueError, match=r'image id 7.*\(12, 9\), expected \(12, 10\)'):
        LoadCues(cues())(sample(width=10))
    strong = dict(mmwsis=dict(method='BESTIE', supervision='points'))
    with pytest.raises(ValueError, match='was made from points, .* with image_tags'):
        LoadCues(cues(info=strong))(sample())
    assert (
        len(LoadCues(cues(info=strong))(sample(supervision='points'))['gt_points']) == 0
    )
    with pytest.raises(ValueError, match="names 'owl'"):
        LoadCues(cues())(sample(classes=('owl', 'dog')))
