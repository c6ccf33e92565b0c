"""Class maps and semantic maps of earlier stages in a data pipeline."""

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from mmwsis.datasets.transforms import LoadClassMaps, LoadSemanticMap, PackWeakInputs
from mmwsis.formats.class_maps import encode_class_maps
from mmwsis.formats.semantic_maps import encode_semantic_map

CLASSES = ('cat', 'dog', 'owl')
SIZE = (12, 9)


def write_index(folder, kind, classes, files):
    images = [dict(id=key, file=name) for key, name in files.items()]
    content = dict(type=kind, classes=list(classes), images=images)
    (folder / 'index.json').write_text(json.dumps(content))


@pytest.fixture
def class_maps(tmp_path):
    """Maps of an owl and a cat, by a writer that names the classes in another order."""
    maps = dict(
        cam=np.stack([np.full((3, 3), 0.25), np.full((3, 3), 0.5)]),
        high_res=np.zeros((2, *SIZE)),
    )
    content = encode_class_maps(np.array([0, 1]), SIZE, maps)
    (tmp_path / 'a.npz').write_bytes(content)
    write_index(tmp_path, 'class_maps', ('owl', 'cat'), {7: 'a.npz', 8: 'gone.npz'})
    return str(tmp_path)


@pytest.fixture
def semantic_maps(tmp_path):
    values = np.zeros(SIZE, np.uint8)
    values[0, :4] = (0, 1, 2, 255)
    names = ('background', 'owl', 'cat')
    (tmp_path / 'a.png').write_bytes(encode_semantic_map(values, names))
    write_index(tmp_path, 'semantic_maps', names, {7: 'a.png'})
    return str(tmp_path)


def sample(**changes):
    height, width = SIZE
    data = dict(
        img_id=7,
        height=height,
        width=width,
        img=np.zeros((*SIZE, 3), np.uint8),
        tags=[0, 2],
        num_classes=3,
        classes=CLASSES,
    )
    return {**data, **changes}


def test_class_maps_arrive_in_the_order_of_the_data_set(class_maps):
    load = LoadClassMaps(class_maps, names=('cam',))
    results = load(sample())
    packed = PackWeakInputs()(results)['data_samples'].class_maps
    assert packed.labels.tolist() == [0, 2]  # cat, owl
    assert packed.cam[:, 0, 0].tolist() == [0.5, 0.25]
    assert 'high_res' not in packed
    again = pickle.loads(pickle.dumps(load))  # as a worker gets it
    assert again._store is None
    assert again(sample())['class_maps']['labels'].tolist() == [0, 2]


@pytest.mark.parametrize(
    ('changes', 'error', 'message'),
    [
        (dict(img_id=9), KeyError, '^[^\'"].*image id 9'),
        (dict(img_id=8), FileNotFoundError, 'image id 8, .*gone.npz, is gone'),
        (dict(height=5), ValueError, r'image id 7 .*\(12, 9\), expected \(5, 9\)'),
        (
            dict(tags=[1]),
            ValueError,
            r'image id 7 .*classes \[0, 2\], its tags .*\[1\]',
        ),
        (dict(classes=('cat', 'dog')), ValueError, "maps of .*'owl'"),
    ],
)
def test_class_maps_that_do_not_fit_are_refused(class_maps, changes, error, message):
    with pytest.raises(error, match=message):
        LoadClassMaps(class_maps)(sample(**changes))


def single_array():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def archive(**changes):
    arrays = dict(
        labels=np.array([0, 1]), image_size=np.array(SIZE), cam=np.zeros((2, 3, 3))
    )
    buffer = io.BytesIO()
    np.savez(buffer, **{**arrays, **changes})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'a.npz cannot be read'),
        (archive()[:200], 'a.npz cannot be read'),
        (single_array(), 'a.npz cannot be read .* single array'),
        (archive(labels=np.array([0, 5])), r'of the classes \[0, 5\], expected 0..1'),
        (archive(labels=np.array([-1, 1])), r'of the classes \[-1, 1\], expected 0..1'),
        (archive(labels=np.zeros(2)), r'integers \(K,\), got float64'),
        (archive(cam=np.zeros((1, 3, 3))), r'each of the 2 .*shape \(1, 3, 3\)'),
        (archive(cam=np.array(['x', 'y'])), 'each of the 2 .*got <U1'),
    ],
)
def test_files_of_other_tools_are_refused(class_maps, content, message):
    """Every message names the file and the image."""
    (Path(class_maps) / 'a.npz').write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        LoadClassMaps(class_maps)(sample())
    assert 'image id 7' in str(caught.value) and 'a.npz' in str(caught.value)


def test_damaged_semantic_map_names_file_and_image(semantic_maps):
    path = Path(semantic_maps) / 'a.png'
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ValueError, match=r'image id 7: .*a\.png is no readable'):
        LoadSemanticMap(semantic_maps)(sample())


def test_semantic_map_is_translated_by_name(semantic_maps):
    load = LoadSemanticMap(semantic_maps)
    labels = load(sample())['gt_seg_map']
    assert labels.dtype == np.uint8 and labels.shape == SIZE
    assert labels[0, :4].tolist() == [0, 3, 1, 255]  # owl, cat
    assert pickle.loads(pickle.dumps(load))._index is None


@pytest.mark.parametrize(
    ('changes', 'error', 'message'),
    [
        (dict(img_id=9), KeyError, '^[^\'"].*image id 9'),
        (dict(width=5), ValueError, r'image id 7 is \(12, 9\), expected \(12, 5\)'),
        (dict(classes=('cat', 'dog')), ValueError, "'owl'.*classes among"),
    ],
)
def test_semantic_maps_that_do_not_fit_are_refused(
    semantic_maps, changes, error, message
):
    with pytest.raises(error, match=message):
        LoadSemanticMap(semantic_maps)(sample(**changes))


@pytest.mark.parametrize(
    ('names', 'classes', 'tags', 'expected'),
    [
        # Tags are cat and owl, then cat; the background stays, and so does 255.
        (('background', 'owl', 'cat'), CLASSES, [0, 2], [0, 3, 1, 255]),
        (('background', 'owl', 'cat'), CLASSES, [0], [0, 0, 1, 255]),
        (('background', 'owl', 'cat'), CLASSES, [], [0, 0, 0, 255]),
        (
            ('background', 'owl', 'cat'),
            ('owl', 'cat', 'background'),
            [0],
            [2, 0, 2, 255],
        ),
        (('dog', 'owl', 'cat'), CLASSES, [2], [255, 2, 255, 255]),
    ],
)
def test_classes_without_a_tag_leave_the_map_on_demand(
    tmp_path, names, classes, tags, expected
):
    values = np.zeros(SIZE, np.uint8)
    values[0, :4] = (0, 1, 2, 255)
    (tmp_path / 'a.png').write_bytes(encode_semantic_map(values, names))
    write_index(tmp_path, 'semantic_maps', names, {7: 'a.png'})
    given = sample(classes=classes, tags=tags)
    load = LoadSemanticMap(str(tmp_path), clean_by_tags=True)
    found = load(dict(given))['gt_seg_map']
    assert found[0, :4].tolist() == expected and found.dtype == np.uint8
    as_it_is = LoadSemanticMap(str(tmp_path))(given)['gt_seg_map'][0, :3].tolist()
    assert 255 not in as_it_is and len(set(as_it_is)) == 3


@pytest.mark.parametrize('load', [LoadClassMaps, LoadSemanticMap])
def test_unfinished_folder_names_the_command(tmp_path, load):
    with pytest.raises(FileNotFoundError, match=r'generate_pseudo_labels\.py'):
        load(str(tmp_path))(sample())


def test_maps_without_a_background_of_their_own_are_refused_on_demand(tmp_path):
    """Label k would be k, not the k + 1 that a network with a background expects."""
    for names, classes in (
        (('cat', 'owl'), CLASSES),  # as Cityscapes
        (('background', 'cat'), ('background', *CLASSES)),  # a class of the dataset
    ):
        content = encode_semantic_map(np.zeros(SIZE, np.uint8), names)
        (tmp_path / 'a.png').write_bytes(content)
        write_index(tmp_path, 'semantic_maps', names, {7: 'a.png'})
        given = sample(classes=classes)
        assert not LoadSemanticMap(str(tmp_path))(given)['gt_seg_map'].any()
        with pytest.raises(ValueError, match="expected maps that have a 'background'"):
            LoadSemanticMap(str(tmp_path), needs_background=True)(given)
