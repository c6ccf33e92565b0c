"""Width and height are corrected by the image files where nothing else can be meant."""

import copy

import pytest
from PIL import Image

from mmwsis.formats.validation import IssueLog
from mmwsis.formats.validation.repairs import repair_coco
from mmwsis.formats.validation.size_repairs import repair_sizes


@pytest.fixture
def repair(tmp_path):
    """Sizes and rules after a repair of one image of 80 x 60, stored lying."""

    def run(size, *labels, **image):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new('RGB', (60, 80)).save(tmp_path / 'a.jpg', exif=exif)
        (tmp_path / 'broken.jpg').write_text('x')
        entry = dict(id=7, file_name='a.jpg', width=size[0], height=size[1], **image)
        coco = dict(
            images=[entry],
            annotations=[
                dict(id=k, image_id=7, category_id=1, **label)
                for k, label in enumerate(labels)
            ],
        )
        before = copy.deepcopy(coco['annotations'])
        done = IssueLog()
        repair_sizes(coco, str(tmp_path), done)
        assert coco['annotations'] == before
        return (entry['width'], entry['height']), dict(done.counts)

    return run


UPRIGHT, LYING = (80, 60), (60, 80)
SWAPPED = {'image-size-differs': 1}
PROOFS = {
    'point': dict(point=[75, 10]),
    'box': dict(bbox=[50, 10, 25, 10]),
    'extreme points': dict(extreme_points=[[70, 5], [62, 9], [70, 30], [78, 9]]),
    'polygon': dict(segmentation=[[50, 10, 75, 10, 75, 30]], iscrowd=0, area=250),
    'mask': dict(segmentation=dict(size=[60, 80], counts=[4800]), iscrowd=0, area=0),
}


@pytest.mark.parametrize('name', PROOFS)
def test_labels_that_fit_the_upright_image_alone_correct_its_size(repair, name):
    fits_both = dict(point=[10, 10])
    assert repair(LYING, fits_both, PROOFS[name]) == (UPRIGHT, SWAPPED)


def test_images_without_coordinates_get_the_size_of_their_file(repair):
    assert repair(LYING) == (UPRIGHT, SWAPPED)
    assert repair((640, 480), dict(iscrowd=0), tags=[1]) == (UPRIGHT, SWAPPED)


@pytest.mark.parametrize('size', [(None, 60), (0, 0), ('80', '60'), (80.0, 60)])
def test_what_is_no_size_is_read_from_the_file(repair, size):
    assert repair(size, dict(point=[10, 10])) == (UPRIGHT, {'image-size': 1})


LEFT = {
    'fits both': [dict(point=[10, 10])],
    'contradicting': [dict(point=[75, 10]), dict(point=[10, 75])],
    'lying mask': [
        dict(segmentation=dict(size=[80, 60], counts=[4800]), iscrowd=0, area=0)
    ],
    'outside of both': [dict(point=[75, 10]), dict(point=[200, 10])],
    'a pixel outside': [dict(bbox=[50, 10, 10.5, 10])],
    'junk': [dict(point=[10, 10], bbox='junk', extreme_points=[[1], 'x', None])],
}


@pytest.mark.parametrize('name', LEFT)
def test_what_the_labels_do_not_prove_is_left(repair, name):
    assert repair(LYING, *LEFT[name])[0] == LYING


def test_another_scale_is_left(repair):
    assert repair((160, 120), dict(point=[75, 10])) == ((160, 120), {})


def test_void_regions_count_as_labels(repair):
    lying = dict(size=[80, 60], counts=[4800])
    assert repair(LYING, void=lying) == (LYING, {})
    upright = dict(size=[60, 80], counts=[4800])
    assert repair(LYING, void=upright) == (UPRIGHT, SWAPPED)


@pytest.mark.parametrize('name', ['broken.jpg', 'none.jpg', None, 5])
def test_images_that_cannot_be_read_are_left(repair, name):
    assert repair(LYING, dict(point=[75, 10])) == (UPRIGHT, SWAPPED)
    coco = dict(images=[dict(id=1, file_name=name, width=9, height=8), 'junk'])
    assert not repair_coco(coco, folder='.').counts
    assert coco['images'][0]['width'] == 9
