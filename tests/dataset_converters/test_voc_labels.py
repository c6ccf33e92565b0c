"""Which box annotation a VOC mask belongs to."""

import pytest

from mmwsis.dataset_converters.voc_labels import XmlObject, match_difficult


@pytest.mark.parametrize('height, flag', [(2, True), (1.9, None)])
def test_a_mask_and_its_box_share_a_fifth_of_their_area(height, flag):
    mask = dict(category_id=3, bbox=[0, 0, 10, height])
    box = XmlObject(3, [0, 0, 10, 10], True)
    assert match_difficult([mask], [box]) == [flag]


def test_other_classes_boxes_do_not_match():
    mask = dict(category_id=3, bbox=[0, 0, 10, 10])
    assert match_difficult([mask], [XmlObject(4, [0, 0, 10, 10], True)]) == [None]
