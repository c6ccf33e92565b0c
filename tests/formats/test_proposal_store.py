"""Proposals on disk: what is read, what is refused, and how it is said."""

import json
import math

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmwsis.formats import proposals as store_module
from mmwsis.formats.json_file import stream_list
from mmwsis.formats.proposals import ProposalStore, encode_proposals
from mmwsis.utils.fileio import atomic_write_bytes

IMAGE = dict(id=7, file_name='day/a.jpg', height=6, width=8)
MASKS = np.zeros((4, 6, 8), bool)
MASKS[0, 1:3, 2:5] = MASKS[1] = MASKS[3, 5, 7] = True  # 1 is whole, 2 is empty
SCORES = [0.3, 0.5, 0.9, 0.5]


def rle_of(mask):
    rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return dict(size=list(mask.shape), counts=rle['counts'].decode())


def entries(masks=MASKS, scores=SCORES, image_id=7):
    return [
        dict(image_id=image_id, category_id=1, segmentation=rle_of(mask), score=score)
        for mask, score in zip(masks, scores)
    ]


@pytest.fixture
def folder(tmp_path):
    def write(content, name='day/a.json'):
        path = tmp_path / 'store' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return tmp_path / 'store'

    return write


@pytest.fixture
def logged(monkeypatch):
    lines = []
    monkeypatch.setattr(
        store_module, 'print_log', lambda text, **settings: lines.append(text)
    )
    return lines


def test_reads_sorted_and_without_empty_masks(folder):
    found = ProposalStore(folder(entries())).read(IMAGE)
    np.testing.assert_allclose(found.scores, [0.5, 0.5, 0.3])
    np.testing.assert_array_equal(found.decode(), MASKS[[1, 3, 0]])
    assert found.size == (6, 8)


def test_written_files_are_read_again(folder):
    content, count = encode_proposals(7, [rle_of(m) for m in MASKS], SCORES)
    assert count == 3
    path = folder([]) / 'day/a.json'
    atomic_write_bytes(path, content)
    found = ProposalStore(path.parents[1]).read(IMAGE)
    np.testing.assert_array_equal(found.decode(), MASKS[[1, 3, 0]])
    again = encode_proposals(7, found.rles, found.scores.astype(float).round(6))
    assert again == (content, 3)
    assert encode_proposals(7, [], []) == (b'[]\n', 0)


@pytest.mark.parametrize('name', ['day/a.json', 'a.json', 'img/day/a.json'])
def test_folders_are_looked_through(folder, name):
    path = folder(entries(), name)
    folder([], 'b/a.json')
    for known in ('img/day/a.jpg', '/data/img/day/a.jpg', '..\\img\\day\\a.jpg'):
        assert len(ProposalStore(path).read(dict(IMAGE, file_name=known))) == 3


def test_a_thousand_are_kept(folder):
    count = 1100
    masks = np.arange(count)[:, None, None] % 48 == np.arange(48).reshape(6, 8)
    scores = np.arange(count) / count
    content, kept = encode_proposals(7, [rle_of(mask) for mask in masks], scores)
    assert kept == 1000
    found = ProposalStore(folder(content.decode())).read(IMAGE)
    np.testing.assert_array_equal(found.decode(), masks[:99:-1])


def test_more_than_a_thousand_are_read(folder):
    masks = np.arange(1100)[:, None, None] % 48 == np.arange(48).reshape(6, 8)
    rles = [rle_of(mask) for mask in masks]
    content, _ = encode_proposals(7, rles, np.arange(1100) / 1100, 1100)
    path = folder(content.decode())
    assert len(ProposalStore(path).read(IMAGE)) == 1000
    found = ProposalStore(path, max_num=None).read(IMAGE)
    np.testing.assert_array_equal(found.decode(), masks[::-1])


def test_an_rle_of_another_size_is_named(folder):
    mixed = [*entries(image_id=1), *entries()]
    path = folder(mixed, 'all.json') / 'all.json'
    store = ProposalStore(path, resize=False)
    with pytest.raises(ValueError) as caught:
        store.read(dict(IMAGE, height=12, width=16))
    assert str(caught.value) == (
        f'{path}: image id 7: entry 4: the RLE has size (6, 8), the image (12, 16) '
        '(height, width).'
    )


def test_options_choose(folder):
    path = folder(entries())
    assert len(ProposalStore(path, max_num=2).read(IMAGE)) == 2
    assert len(ProposalStore(path, max_num=None).read(IMAGE)) == 3
    assert len(ProposalStore(path, min_score=0.5).read(IMAGE)) == 2
    assert len(ProposalStore(path, min_score=0.51).read(IMAGE)) == 0


def test_one_file_of_all_images(folder):
    other = entries(image_id='é', scores=[1, 2, 3, 4])
    mixed = [*other[:1], *entries(), *other[1:], *entries()[:1]]
    text = json.dumps(mixed[:4]) + json.dumps(mixed[4:], ensure_ascii=False)
    path = folder(text.replace('][', ','), 'all.json') / 'all.json'
    store = ProposalStore(path)
    np.testing.assert_allclose(store.read(IMAGE).scores, [0.5, 0.5, 0.3, 0.3])
    other = store.read(dict(IMAGE, id='é'))
    np.testing.assert_allclose(other.scores, [4, 2, 1])


def test_a_broken_entry_of_one_file_is_named_by_its_place(folder):
    mixed = [*entries(image_id=1), *entries()]
    mixed[6]['score'] = math.nan
    path = folder(mixed, 'all.json') / 'all.json'
    with pytest.raises(
        ValueError, match=r'all\.json: image id 7: entry 6: score .* nan'
    ):
        ProposalStore(path).read(IMAGE)


def test_large_files_are_named(folder, monkeypatch, logged):
    monkeypatch.setattr(store_module, '_LARGE', 10)
    path = folder(entries(), 'all.json') / 'all.json'
    ProposalStore(path)
    assert 'import_proposals.py --from coco' in logged[0]


def test_lists_are_streamed_in_parts(folder, monkeypatch):
    monkeypatch.setattr('mmwsis.formats.json_file._STREAMED', 64)
    monkeypatch.setattr('mmwsis.formats.json_file._LONGEST_ENTRY', 40)
    values = [dict(a=[1, 'x ]}'], n=number) for number in range(50)]
    text = '\ufeff [\n' + ' ,\n'.join(map(json.dumps, values)) + '\n]\n'
    path = folder(text, 'all.json') / 'all.json'
    found = list(stream_list(path))
    assert [entry for entry, _, _ in found] == values
    content = path.read_bytes()
    assert [json.loads(content[begin:end]) for _, begin, end in found] == values


@pytest.mark.parametrize(
    'text, message',
    [
        ('{"annotations": []}', 'expected a JSON list'),
        ('', 'expected a JSON list'),
        ('[{"image_id": 1}, {"b"', 'byte 18'),
        ('[{"image_id": 1}', 'byte 16'),
        ('[5]', 'entry 0: expected a COCO result'),
        ('[{"image_id": null}]', 'entry 0: expected a COCO result'),
    ],
)
def test_what_is_no_list_of_results_is_refused(folder, text, message):
    path = folder(text, 'all.json') / 'all.json'
    with pytest.raises(ValueError, match=message):
        ProposalStore(path)


def test_counts_of_other_tools_are_normalised(folder):
    own = entries()
    own[0]['segmentation']['counts'] = [own[0]['segmentation']['counts']]
    own[1]['segmentation']['counts'] = [0, 48]
    found = ProposalStore(folder(own)).read(IMAGE)
    np.testing.assert_array_equal(found.decode(), MASKS[[1, 3, 0]])


def test_masks_of_another_size_are_resized(folder):
    rng = np.random.default_rng(0)
    large = rng.random((5, 12, 16)) < 0.5
    path = folder(entries(large, [0.5, 0.4, 0.3, 0.2, 0.1]))
    found = ProposalStore(path).read(IMAGE)
    # The pixel in which a pixel's middle lies: 2 * x + 1 of two.
    np.testing.assert_array_equal(found.decode(), large[:, 1::2, 1::2])
    assert found.size == (6, 8)
    with pytest.raises(
        ValueError, match=r'a\.json: image id 7: .*\(12, 16\).*\(6, 8\)'
    ):
        ProposalStore(path, resize=False).read(IMAGE)


@pytest.mark.parametrize(
    'width, fits', [(98, True), (102, True), (97, False), (103, 0)]
)
def test_another_shape_of_the_image_is_refused(folder, width, fits):
    path = folder(entries(np.ones((1, 100, 100), bool), [1.0]))
    image = dict(IMAGE, height=100, width=width)
    if fits:
        assert ProposalStore(path).read(image).size == (100, width)
    else:
        with pytest.raises(ValueError, match='image id 7: .* another aspect ratio'):
            ProposalStore(path).read(image)


def test_masks_that_vanish_when_resized_are_left_out(folder):
    masks = np.zeros((2, 12, 16), bool)
    masks[0, 0, 0] = masks[1, 1, 1] = True
    found = ProposalStore(folder(entries(masks, [1, 1]))).read(IMAGE)
    np.testing.assert_array_equal(found.areas, [1])


def test_missing_files(folder, logged):
    path = folder(entries())
    other = dict(IMAGE, id=8, file_name='b.jpg')
    with pytest.raises(
        FileNotFoundError, match=r'image id 8 \(b\.jpg\).*allow_missing'
    ):
        ProposalStore(path).read(other)
    found = ProposalStore(path, allow_missing=True).read(other)
    assert (
        len(found) == 0 and found.size == (6, 8) and found.decode().shape == (0, 6, 8)
    )
    assert 'image id 8' in logged[0]
    assert len(ProposalStore(folder([])).read(IMAGE)) == 0
    with pytest.raises(FileNotFoundError, match='does not exist'):
        ProposalStore(path.with_name('nowhere'))


def test_a_folder_that_is_being_made_is_not_read(folder):
    path = folder(entries())
    path.with_name('store.parts').mkdir()
    with pytest.raises(FileNotFoundError, match='is not finished'):
        ProposalStore(path)


def test_a_folder_with_an_index_must_be_of_the_same_label_file(folder):
    path = folder(entries())
    index = dict(type='proposals', classes=[], images=[dict(id=7, file='day/a.json')])
    folder(index, 'index.json')
    assert len(ProposalStore(path).read(IMAGE)) == 3
    with pytest.raises(ValueError, match='made from another label file'):
        ProposalStore(path).read(dict(IMAGE, file_name='day/b.jpg'))
    with pytest.raises(FileNotFoundError, match='image id 9'):
        ProposalStore(path).read(dict(IMAGE, id=9))
    folder(dict(index, type='class_maps'), 'index.json')
    with pytest.raises(ValueError, match='holds class_maps, expected proposals'):
        ProposalStore(path)


def changed(place, **keys):
    own = entries()
    own[place] = {**own[place], **keys}
    return own


@pytest.mark.parametrize(
    'content, message',
    [
        (changed(1, score=math.inf), 'entry 1: score must be a finite number, got inf'),
        (changed(1, score=None, predicted_iou=0.9), 'entry 1: .*--from sam'),
        (changed(1, score='0.5'), "entry 1: score must be a finite number, got '0.5'"),
        (changed(1, score=True), 'entry 1: score'),
        (changed(1, score=1e39), 'entry 1: score'),
        (changed(2, segmentation=[[0, 0, 1, 1, 2, 2]]), 'entry 2: expected a COCO'),
        (
            changed(2, segmentation=dict(size=[6, 8], counts='~~')),
            'entry 2: the counts',
        ),
        (changed(2, segmentation=dict(size=[6, 8], counts='03')), 'entry 2: the runs'),
        (changed(2, segmentation=dict(size=[6, 8], counts=[9])), 'entry 2: the runs'),
        (changed(2, segmentation=dict(size=[6, 8], counts=5)), 'entry 2: counts'),
        (
            changed(2, segmentation=dict(size=[8, 6], counts='P1')),
            r'entry 2: .*\[8, 6\]',
        ),
        (changed(0, segmentation=dict(size=[0, 6], counts='')), 'entry 0: expected'),
        (changed(3, image_id=8), 'entry 3: image_id is 8'),
        ([*entries(), 5], 'entry 4: expected a COCO result'),
        (dict(a=1), 'expected a list of COCO results, got a dict'),
    ],
)
def test_broken_entries_are_named(folder, content, message):
    path = folder(content)
    with pytest.raises(ValueError, match=rf'a\.json: image id 7: {message}'):
        ProposalStore(path).read(IMAGE)
