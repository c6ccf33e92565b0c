import pytest

from mmwsis.structures import tags_to_vector


def test_vector_has_a_one_for_every_tag():
    assert tags_to_vector([3, 0], 4).tolist() == [1, 0, 0, 1]
    assert tags_to_vector([], 2).tolist() == [0, 0]


def test_labels_beyond_the_classes_are_refused():
    with pytest.raises(ValueError, match=r'labels in 0..1 .2 classes., got .2, -1.'):
        tags_to_vector([0, 2, -1], 2)
