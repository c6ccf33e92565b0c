"""Corrections of instances that were found in whole images: ids say nothing of them."""

import json

import pytest

from mmwsis.dataset_converters.correction_files import (
    CorrectionSettings,
    apply_corrections,
    labels_of_people,
)
from mmwsis.dataset_converters.corrections import merge_corrections
from mmwsis.formats.validation import validate_file

from .test_corrections import (
    by_id,
    corrected_of,
    document,
    label,
    mask_of,
    polygon,
    rectangle,
)

INSTANCES = dict(method='WISE', artifact=dict(type='instances'), checkpoint_sha256='0')


def found_labels():
    """Instances, numbered from 1 as every run numbers them."""
    return document(
        [
            label(1, 1, rectangle(5, 5), score=0.9),
            label(2, 1, rectangle(30, 5), score=0.5),
            label(3, 2, rectangle(5, 5), 2, score=0.7),
            label(4, 2, rectangle(30, 20), 2, score=0.2),
            label(5, 3, rectangle(5, 5), score=0.8),
        ],
        **INSTANCES,
    )


def clicks():
    """Of the same objects, and their ids run another way."""
    made = document([], tool='coco2weak', supervision='points')
    rows = (
        (1, 3, 1, (9, 8)),
        (2, 2, 2, (35, 24)),
        (3, 2, 2, (9, 8)),
        (4, 1, 1, (34, 8)),
        (5, 1, 1, (9, 8)),
        (6, 1, 2, (50, 30)),  # nothing was found here
    )
    made['annotations'] = [
        dict(id=key, image_id=image, category_id=name, iscrowd=0, point=list(point))
        for key, image, name, point in rows
    ]
    return made


def apply(folder, pseudo, back, weak, rows=None):
    for name, content in dict(pseudo=pseudo, back=back, clicks=weak).items():
        (folder / f'{name}.json').write_text(json.dumps(content))
    review = None
    if rows is not None:
        review = folder / 'review.csv'
        lines = [f'{rank},{key}' for rank, key in enumerate(rows, 1)]
        review.write_text('\n'.join(['rank,annotation_id', *lines]))
    out = folder / 'new_clicks.json'
    settings = CorrectionSettings(
        review=review, weak=folder / 'clicks.json', weak_out=out
    )
    apply_corrections(
        *(folder / 'pseudo.json', folder / 'back.json', folder / 'mixed.json'), settings
    )
    assert not validate_file(str(out)).failed(strict=False)
    return json.loads(out.read_text())


def test_clicks_find_their_objects_by_mask(tmp_path):
    pseudo = found_labels()
    back = corrected_of(pseudo, (2,))
    own = by_id(back)
    own[3]['segmentation'] = polygon(4, 4)  # and 4 was deleted
    new = {**label(1, 1, polygon(45, 30), 1), 'is_new': True}
    back['annotations'] = [own[3], new]
    coco = apply(tmp_path, pseudo, back, clicks(), rows=(4,))  # 3 was not on the list
    before, after = by_id(clicks()), by_id(coco)
    # By id, click 4 of image 1 would have gone, and click 2 stayed.
    assert sorted(after) == [1, 3, 4, 5, 6, 7]
    for key in (1, 4, 5, 6):
        assert after[key]['point'] == before[key]['point']
    x, y = after[3]['point']
    assert (x, y) != (9, 8) and 4 <= x <= 14 and 4 <= y <= 12
    assert after[7]['image_id'] == 2 and after[7]['point'][0] > 40
    assert [one['supervision'] for one in coco['images']] == ['points'] * 3


def test_a_complete_image_has_the_labels_of_its_masks(tmp_path):
    pseudo = found_labels()
    back = corrected_of(pseudo, (1,))
    by_id(back)[1]['segmentation'] = polygon(6, 6)
    coco = apply(tmp_path, pseudo, back, clicks())
    own = [one for one in coco['annotations'] if one['image_id'] == 1]
    assert [one['id'] for one in own] == [5, 4]  # their clicks
    assert own[1]['point'] == [34, 8]  # of the mask that stayed
    assert all(one['segmentation'] for one in own)
    assert coco['images'][0]['supervision'] == 'masks'
    # The click of nothing is gone: people saw the whole image.
    assert 6 not in by_id(coco)
    rest = [one['id'] for one in coco['annotations'] if one['image_id'] != 1]
    assert rest == [2, 3, 1]


def test_a_click_of_another_class_before(tmp_path):
    pseudo = found_labels()
    back = corrected_of(pseudo, (2,))
    by_id(back)[3]['category_id'] = 2  # of this file: bolt
    coco = apply(tmp_path, pseudo, back, clicks(), rows=(3,))
    assert by_id(coco)[3]['category_id'] == 1
    assert len(coco['annotations']) == 6


def test_clicks_that_cannot_be_told(tmp_path):
    pseudo, weak = found_labels(), clicks()
    weak['annotations'].append({**by_id(weak)[3], 'id': 7, 'point': [8, 7]})
    back = corrected_of(pseudo, (2,))
    by_id(back)[3]['segmentation'] = polygon(4, 4)
    message = r'image id 2: the clicks \[3, 7\] all lie in object 3 of .*pseudo'
    with pytest.raises(ValueError, match=message) as error:
        apply(tmp_path, pseudo, back, weak, rows=(3,))
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'mixed.json').exists()


def test_weak_labels_without_clicks(tmp_path):
    pseudo, weak = found_labels(), clicks()
    weak['info']['mmwsis']['supervision'] = 'boxes'
    for one in weak['annotations']:
        x, y = one.pop('point')
        one.update(bbox=[x - 2, y - 2, 4, 4], area=16)
    back = corrected_of(pseudo, (2,))
    by_id(back)[3]['segmentation'] = polygon(4, 4)
    with pytest.raises(ValueError, match='annotation id 2 of image id 2 has no point'):
        apply(tmp_path, pseudo, back, weak, rows=(3,))


def test_two_objects_over_one_click(tmp_path):
    pseudo, weak = found_labels(), clicks()
    back = corrected_of(pseudo, (2,))
    by_id(back)[3]['segmentation'] = polygon(4, 4)
    new = {**label(1, 1, polygon(6, 6), 1), 'is_new': True}
    back['annotations'].append(new)
    with pytest.raises(ValueError, match=r'click 3 lies in the objects \[3, 6\]'):
        apply(tmp_path, pseudo, back, weak, rows=(3,))


def test_people_are_asked_for_no_clicks_of_other_images(tmp_path):
    """What a label of another image is called does not matter."""
    pseudo = found_labels()
    del pseudo['info']['mmwsis']['artifact']  # ids are those of the clicks
    weak = clicks()
    back = corrected_of(pseudo, (3,))
    back['annotations'] = []  # label 5 is gone, and click 5 is of image 1
    coco = apply(tmp_path, pseudo, back, weak)
    assert 5 in by_id(coco)


def second_labels():
    """Another run: other numbers, and other masks."""
    return document(
        [
            label(1, 1, rectangle(32, 6), score=0.9),
            label(2, 1, rectangle(45, 28), score=0.9),
            label(3, 1, rectangle(7, 7), 2, score=0.9),
            label(4, 2, rectangle(6, 6), 2, score=0.9),
        ],
        **INSTANCES,
    )


def corrected_mixture(reviewed=None):
    pseudo = found_labels()
    back = corrected_of(pseudo, (1,))
    by_id(back)[1]['segmentation'] = polygon(6, 6)
    by_id(back)[2]['segmentation'] = polygon(31, 4)
    return merge_corrections(pseudo, back, reviewed).coco


@pytest.fixture
def again(tmp_path):
    def run(mixed):
        (tmp_path / 'mixed.json').write_text(json.dumps(mixed))
        (tmp_path / 'second.json').write_text(json.dumps(second_labels()))
        out = tmp_path / 'last.json'
        apply_corrections(tmp_path / 'second.json', tmp_path / 'mixed.json', out)
        return json.loads(out.read_text())

    return run


def with_history(mixed):
    mixed['info']['mmwsis']['corrections'] = {}
    return mixed


def test_corrections_of_complete_images_go_into_new_instances(again):
    last = again(with_history(corrected_mixture()))
    own = [one for one in last['annotations'] if one['image_id'] == 1]
    assert [one['correction'] for one in own] == ['added', 'added']
    expected = [mask_of(dict(segmentation=polygon(*at))) for at in ((6, 6), (31, 4))]
    assert all((mask_of(one) == mask).all() for one, mask in zip(own, expected))
    assert by_id(last)[4]['image_id'] == 2 and 'correction' not in by_id(last)[4]
    assert [one.get('supervision') for one in last['images']] == ['masks', None, None]


def test_corrections_of_a_part_replace_what_they_cover(again):
    mixed = with_history(corrected_mixture(reviewed=[2]))
    for one in mixed['annotations']:
        if one['id'] == 1:  # nobody looked at it after all
            del one['correction']
    assert 'supervision' not in mixed['images'][0]
    last = by_id(again(mixed))
    # 1 is covered; 2 and 3, elsewhere or of another class, stay.
    assert sorted(last) == [2, 3, 4, 5]
    assert last[5]['correction'] == 'added'


def test_only_the_level_of_masks_says_that_all_was_reviewed():
    mixed = corrected_mixture(reviewed=[2])
    mixed['images'][0]['supervision'] = 'boxes'
    assert labels_of_people(mixed, second_labels()).complete == set()
    mixed['images'][0]['supervision'] = 'masks'
    assert labels_of_people(mixed, second_labels()).complete == {1}


def test_classes_in_the_spelling_of_labelling_tools():
    """They give names back with single blanks, and composed."""
    pseudo = found_labels()
    pseudo['categories'][0]['name'] = 'bolt  M8'
    pseudo['categories'][1]['name'] = 'e\u0301crou'
    back = corrected_of(found_labels(), (1, 2))
    back['categories'] = [dict(id=2, name='bolt M8'), dict(id=1, name='\u00e9crou')]
    merged = merge_corrections(pseudo, back)
    assert {one.action for one in merged.objects} == {'unchanged'}


def test_labels_that_keep_the_ids_of_clicks_are_found_by_them(tmp_path):
    pseudo = document([label(4, 1, rectangle(5, 5), score=0.9)], **INSTANCES)
    pseudo['info']['mmwsis']['keeps_ids'] = True
    back = corrected_of(pseudo, (1,))
    by_id(back)[4]['segmentation'] = polygon(6, 6)
    # Click 4 is far from the mask that the labeler made for it; click 5 is inside.
    coco = apply(tmp_path, pseudo, back, clicks())
    own = [one for one in coco['annotations'] if one['image_id'] == 1]
    assert [one['id'] for one in own] == [4]
    x, y = own[0]['point']
    assert 6 <= x <= 16 and 6 <= y <= 14
