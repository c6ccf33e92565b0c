"""Proposals of DeepMask, MCG, COB and SAM as a folder that LoadProposals reads."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from scipy.io import savemat

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.proposal_import import import_proposals
from mmwsis.formats.map_index import MapIndex
from mmwsis.formats.proposals import ProposalStore

sys.path.append(str(Path(__file__).parents[2] / 'tools' / 'dataset_converters'))
import import_proposals as tool

SIZE = (12, 16)
IMAGES = [
    dict(id=number, file_name=name, height=12, width=16)
    for number, name in ((5, 'day/a.jpg'), (3, 'day/b.png'), (9, 'night/a.jpg'))
]


def masks_of(image, count=4):
    masks = np.random.default_rng(image['id']).random((count, *SIZE)) < 0.4
    return masks, np.array([0.25, 0.5, 0.5, 0.75])[:count]


def rle_of(mask):
    rle = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return dict(size=list(mask.shape), counts=rle['counts'].decode())


@pytest.fixture
def labels(tmp_path):
    content = dict(images=IMAGES, categories=[dict(id=1, name='x')], annotations=[])
    (tmp_path / 'labels.json').write_text(json.dumps(content))
    return tmp_path / 'labels.json'


def results(image, key=None):
    masks, scores = masks_of(image)
    key = image['id'] if key is None else key
    return [
        dict(image_id=key, category_id=1, segmentation=rle_of(mask), score=score)
        for mask, score in zip(masks, scores.tolist())
    ]


def write_mat(path, image, struct=False, **changes):
    """Every pixel is a superpixel of its own, numbered from 7 in steps of 3."""
    masks, scores = masks_of(image)
    superpixels = np.arange(masks[0].size).reshape(SIZE) * 3.0 + 7
    labels = np.empty((len(masks), 1), object)
    for place, mask in enumerate(masks):
        labels[place, 0] = superpixels[mask][None]
    content = dict(superpixels=superpixels, labels=labels, scores=scores[:, None])
    content |= dict(bboxes=np.zeros((4, 4))) | changes
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, dict(candidates_mcg=content) if struct else content)


def lists(*own):
    cell = np.empty((len(own), 1), object)
    cell[:, 0] = [np.array([one]) for one in own]
    return cell


def write_sam(path, image, is_dataset=False):
    masks, scores = masks_of(image)
    annotations = [
        dict(segmentation=rle_of(mask), predicted_iou=score, stability_score=1 - score)
        for mask, score in zip(masks, scores.tolist())
    ]
    content = annotations
    if is_dataset:
        about = dict(image_id=image['id'], height=12, width=16, file_name='a.jpg')
        content = dict(image=about, annotations=annotations)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def check(folder, images=IMAGES, order=(3, 1, 2, 0)):
    store = ProposalStore(folder)
    for image in images:
        masks, scores = masks_of(image)
        found = store.read(image)
        np.testing.assert_array_equal(found.decode(), masks[list(order)])
    assert MapIndex(folder, 'proposals').image_ids == [one['id'] for one in images]


@pytest.mark.parametrize('workers', [1, 2])
def test_one_file_of_coco_results(labels, tmp_path, workers):
    first, second, third = map(results, IMAGES)
    mixed = [*second, *first[:2], *third, *first[2:], *results(IMAGES[0], 77)]
    (tmp_path / 'all.json').write_text(json.dumps(mixed))
    out = tmp_path / 'out'
    made = import_proposals(
        'coco', tmp_path / 'all.json', labels, out, run=RunOptions(workers=workers)
    )
    check(out)
    assert (made.images, made.proposals) == (3, 12)
    assert made.extra == ['image_id 77'] and not made.missing
    origin = MapIndex(out).content['info']['mmwsis']
    assert origin['tool'] == 'import_proposals' and origin['source'] == 'all.json'
    assert not list(tmp_path.glob('out/.*'))


def test_coco_results_by_name(labels, tmp_path):
    keys = ('day/a', 'b', 'night/a.jpg')
    mixed = [one for pair in zip(IMAGES, keys) for one in results(*pair)]
    (tmp_path / 'all.json').write_text(json.dumps(mixed))
    import_proposals('coco', tmp_path / 'all.json', labels, tmp_path / 'out')
    check(tmp_path / 'out')


@pytest.mark.parametrize('struct', [False, True])
def test_superpixels_and_lists(labels, tmp_path, struct):
    for image, name in zip(IMAGES, ('day/a', 'b', 'night/a')):
        write_mat(tmp_path / 'mcg' / f'{name}.mat', image, struct)
    made = import_proposals('mcg', tmp_path / 'mcg', labels, tmp_path / 'out')
    check(tmp_path / 'out')
    assert not made.extra and not made.missing


@pytest.mark.parametrize('is_dataset', [False, True])
def test_masks_of_sam(labels, tmp_path, is_dataset):
    for image, name in zip(IMAGES, ('day/a', 'day/b', 'night/a')):
        write_sam(tmp_path / 'sam' / f'{name}.json', image, is_dataset)
    import_proposals('sam', tmp_path / 'sam', labels, tmp_path / 'out')
    check(tmp_path / 'out')
    import_proposals(
        'sam', tmp_path / 'sam', labels, tmp_path / 'b', sam_score='stability_score'
    )
    check(tmp_path / 'b', order=(0, 1, 2, 3))


def test_unmatched_are_reported(labels, tmp_path, capsys):
    write_mat(tmp_path / 'mcg/b.mat', IMAGES[1])
    write_mat(tmp_path / 'mcg/c.mat', IMAGES[1])
    argv = [str(tmp_path / 'mcg'), '--from', 'mcg', '--labels', str(labels)]
    tool.main([*argv, '--out', str(tmp_path / 'out'), '--max-num', '3'])
    out, err = capsys.readouterr()
    assert '1 images, 3 proposals, 3 per image' in out
    assert 'images without proposals: 2' in err and 'image id 5 (day/a.jpg)' in err
    assert 'proposals of no image: 1' in err and 'c.mat' in err
    index = MapIndex(tmp_path / 'out', 'proposals')
    assert index.image_ids == [3] and index.entry(3)['count'] == 3


def test_nothing_is_replaced_unasked(labels, tmp_path):
    write_mat(tmp_path / 'mcg/b.mat', IMAGES[1])
    write_mat(tmp_path / 'mcg/day/a.mat', IMAGES[0])
    arguments = 'mcg', tmp_path / 'mcg', labels, tmp_path / 'out'
    import_proposals(*arguments)
    with pytest.raises(FileExistsError, match='holds proposals; .* --overwrite'):
        import_proposals(*arguments)
    (tmp_path / 'mcg/day/a.mat').unlink()
    import_proposals(*arguments, run=RunOptions(overwrite=True))
    check(tmp_path / 'out', IMAGES[1:2])
    assert not (tmp_path / 'out/day/a.json').exists()
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other/x').touch()
    with pytest.raises(FileExistsError, match='no folder of proposals'):
        import_proposals(*arguments[:3], tmp_path / 'other')
    with pytest.raises(ValueError, match='lie in each other'):
        import_proposals(*arguments[:3], tmp_path / 'mcg/out')


def test_places_that_cannot_be(labels, tmp_path):
    with pytest.raises(ValueError, match='LoadProposals reads it as it is'):
        import_proposals('coco', tmp_path, labels, tmp_path / 'out')
    with pytest.raises(FileNotFoundError, match='is no folder'):
        import_proposals('sam', tmp_path / 'x', labels, tmp_path / 'out')
    (tmp_path / 'sam').mkdir()
    with pytest.raises(FileNotFoundError, match=r'there is no \.json in it'):
        import_proposals('sam', tmp_path / 'sam', labels, tmp_path / 'out')
    write_sam(tmp_path / 'sam/x.json', IMAGES[0])
    with pytest.raises(FileNotFoundError, match=r'(?s)x\.json.*image id 5'):
        import_proposals('sam', tmp_path / 'sam', labels, tmp_path / 'out')
    (tmp_path / 'sam/x.json').unlink()
    write_sam(tmp_path / 'sam/a.json', IMAGES[0])
    with pytest.raises(ValueError, match=r'a\.json has the name of two images'):
        import_proposals('sam', tmp_path / 'sam', labels, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_broken_images_are_left_out_if_asked(labels, tmp_path):
    write_sam(tmp_path / 'sam/day/b.json', IMAGES[1])
    (tmp_path / 'sam/day/a.json').write_text('[{"predicted_iou": 1}]')
    arguments = 'sam', tmp_path / 'sam', labels, tmp_path / 'out'
    with pytest.raises(ValueError, match=r'a\.json: entry 0: .*\n.*--skip-invalid'):
        import_proposals(*arguments)
    assert not (tmp_path / 'out').exists()
    made = import_proposals(*arguments, run=RunOptions(skip_invalid=True))
    assert made.images == 1 and 'a.json: entry 0' in made.left_out[0]


@pytest.mark.parametrize(
    'changes, message',
    [
        (
            dict(superpixels=np.zeros(SIZE)[None]),
            r'superpixels must be numbers \(H, W\)',
        ),
        (dict(scores=np.ones((3, 1))), '4 labels and 3 scores'),
        (dict(scores=np.array([[1, 2, np.nan, 3]])), 'proposal 2: its score .* nan'),
        (dict(labels=np.ones((4, 3))), 'labels must be a cell of lists'),
        (
            dict(superpixels=np.arange(192).reshape(16, 12) * 3 + 7),
            'another aspect ratio',
        ),
        (dict(superpixels=np.full(SIZE, 0.5)), 'must be whole numbers'),
        (dict(labels=lists([6], [7], [7], [7])), 'proposal 0: .* 6 to 6, .* 7 to 580'),
        (dict(labels=lists([7], [7, 999], [7], [7])), 'proposal 1: .* 7 to 999'),
    ],
)
def test_broken_matlab_files_are_named(labels, tmp_path, changes, message):
    write_mat(tmp_path / 'mcg/b.mat', IMAGES[1], **changes)
    with pytest.raises(ValueError, match=rf'b\.mat.*{message}'):
        import_proposals('mcg', tmp_path / 'mcg', labels, tmp_path / 'out')


@pytest.mark.parametrize(
    'content, message',
    [
        (b'', 'no readable MATLAB file'),
        (b'MATLAB 5.0 MAT-file, nonsense' * 9, 'no readable MATLAB file'),
        (b'MATLAB 7.3'.ljust(124) + b'\x00\x02IM', 'h5py|readable'),
    ],
)
def test_what_is_no_matlab_file_is_named(labels, tmp_path, content, message):
    (tmp_path / 'mcg').mkdir()
    (tmp_path / 'mcg/b.mat').write_bytes(content)
    with pytest.raises(ValueError, match=rf'b\.mat .*({message})'):
        import_proposals('mcg', tmp_path / 'mcg', labels, tmp_path / 'out')


def test_other_matlab_files_are_named(labels, tmp_path):
    (tmp_path / 'mcg').mkdir()
    savemat(tmp_path / 'mcg/b.mat', dict(ucm2=np.ones(3)))
    with pytest.raises(ValueError, match=r"no superpixels and .*, only \['ucm2'\]"):
        import_proposals('mcg', tmp_path / 'mcg', labels, tmp_path / 'out')


@pytest.mark.parametrize(
    'content, message',
    [
        (dict(a=1), 'expected a list of masks'),
        ([5], 'entry 0: expected a mask of SAM'),
        ([dict(predicted_iou=1, segmentation=[[True]])], "output_mode='coco_rle'"),
        (
            [dict(predicted_iou=1, segmentation=dict(size=[2, 2], counts='~'))],
            'entry 0',
        ),
    ],
)
def test_broken_files_of_sam_are_named(labels, tmp_path, content, message):
    (tmp_path / 'sam').mkdir()
    (tmp_path / 'sam/b.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf'b\.json.*{message}'):
        import_proposals('sam', tmp_path / 'sam', labels, tmp_path / 'out')


@pytest.mark.parametrize('content', [[], dict(image={}, annotations=[])])
def test_an_image_in_which_sam_finds_nothing(labels, tmp_path, content):
    (tmp_path / 'sam').mkdir()
    (tmp_path / 'sam/b.json').write_text(json.dumps(content))
    import_proposals('sam', tmp_path / 'sam', labels, tmp_path / 'out')
    assert len(ProposalStore(tmp_path / 'out').read(IMAGES[1])) == 0
