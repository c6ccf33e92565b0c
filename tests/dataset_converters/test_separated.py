"""Separated COCO: the published pickle and our own rule."""

import importlib.util
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as mask_api

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.separated import separated_file
from mmwsis.evaluation.compare_files import compare_files
from mmwsis.formats.coco_masks import encode_mask
from mmwsis.ops.connected_components import is_separated

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/separated_coco.py'
SIZE = (40, 60)
SKIP = RunOptions(skip_invalid=True)


def blocks(*boxes):
    mask = np.zeros(SIZE, dtype=np.uint8)
    for x, y, w, h in boxes:
        mask[y : y + h, x : x + w] = 1
    return mask


MASKS = {
    11: blocks((2, 2, 10, 10)),
    12: blocks((20, 2, 6, 10), (30, 2, 6, 10)),  # two components
    13: blocks((40, 2, 6, 10), (50, 2, 3, 3)),  # the second component has 9 pixels
    21: blocks((5, 5, 8, 8), (13, 13, 8, 8)),  # touch at a corner: one component
    22: blocks((30, 20, 5, 5), (40, 20, 5, 5), (50, 20, 5, 5)),
    23: blocks((0, 30, 9, 9), (20, 30, 9, 9)),  # a crowd
}


@pytest.fixture
def source(tmp_path):
    """instances_val2017.json: polygons, compressed and uncompressed RLE, a crowd."""
    annotations = []
    for key, mask in MASKS.items():
        rle = encode_mask(mask)
        annotations.append(
            dict(
                id=key,
                image_id=139 if key < 20 else 285,
                category_id=1 if key % 2 else 3,
                iscrowd=int(key == 23),
                bbox=mask_api.toBbox(rle).tolist(),
                area=int(mask.sum()),
                segmentation=rle,
            )
        )
    annotations[1]['segmentation'] = [
        [20, 2, 26, 2, 26, 12, 20, 12],
        [30, 2, 36, 2, 36, 12, 30, 12],
    ]
    coco = dict(
        info=dict(description='COCO 2017 Dataset'),
        images=[
            dict(id=139, file_name='000000000139.jpg', height=40, width=60),
            dict(id=285, file_name='000000000285.jpg', height=40, width=60),
            dict(id=632, file_name='000000000632.jpg', height=40, width=60),
        ],
        categories=[dict(id=1, name='person'), dict(id=3, name='car')],
        annotations=annotations,
    )
    path = tmp_path / 'instances_val2017.json'
    path.write_text(json.dumps(coco))
    return path


def entry(file_name, class_name, mask):
    """As in separated_coco.pkl: the box is (x0, y0, x1, y1), the RLE has bytes."""
    rle = mask_api.encode(np.asfortranarray(mask))
    x, y, w, h = mask_api.toBbox(rle)
    return [file_name, class_name, 0.5, np.array([x, y, x + w, y + h]), rle]


def write_pickle(path, *entries):
    path.write_bytes(pickle.dumps(list(entries)))
    return path


def test_our_rule(source, tmp_path):
    for workers in (1, 2):
        out = tmp_path / f'{workers}.json'
        result, _ = separated_file(source, out, run=RunOptions(workers))
        assert [ann['id'] for ann in result['annotations']] == [12, 22]
        assert [im['id'] for im in result['images']] == [139, 285]
        assert result['info']['mmwsis']['min_part'] == 16
    assert (tmp_path / '1.json').read_bytes() == (tmp_path / '2.json').read_bytes()
    result, _ = separated_file(source, tmp_path / 'small.json', min_part=9)
    assert [ann['id'] for ann in result['annotations']] == [12, 13, 22]
    assert [key for key, mask in MASKS.items() if is_separated(mask, 9)] == [
        12, 13, 22, 23
    ]  # fmt: skip


def test_the_published_list_is_matched_by_image_class_and_mask(source, tmp_path):
    nearly = MASKS[22].copy()
    nearly[20, 30] = 0
    pkl = write_pickle(
        tmp_path / 'separated_coco.pkl',
        entry('000000000285.jpg', 'car', nearly),
        entry('000000000139.jpg', 'car', MASKS[12]),
        entry('000000000139.jpg', 'person', MASKS[11]),
    )
    result, problems = separated_file(source, tmp_path / 'out.json', published=pkl)
    assert not problems
    assert [ann['id'] for ann in result['annotations']] == [11, 12, 22]
    assert result['annotations'][1]['segmentation'][0][:2] == [20, 2]
    assert result['info']['mmwsis']['rule'] == 'published'


def test_entries_without_an_annotation_are_listed(source, tmp_path):
    pkl = write_pickle(
        tmp_path / 'separated_coco.pkl',
        entry('000000000139.jpg', 'person', MASKS[11]),
        entry('000000000139.jpg', 'person', MASKS[11]),
        entry('000000000001.jpg', 'person', MASKS[11]),
        entry('000000000139.jpg', 'emu', MASKS[11]),
        entry('000000000139.jpg', 'car', MASKS[11]),
        entry('000000000285.jpg', 'person', MASKS[23]),
        entry('000000000285.jpg', 'car', np.ones((9, 9), dtype=np.uint8)),
    )
    out = tmp_path / 'out.json'
    with pytest.raises(ValueError, match='6 of 7 entries') as caught:
        separated_file(source, out, published=pkl)
    for text in (
        'entry 1 .*id 11 has an entry already',
        'entry 2 .*no such image',
        'entry 3 .*no such class',
        r'entry 4 .*best IoU 0\.00',
        r'entry 5 .*best IoU 0\.00, 1 of this class',  # a crowd is no object
        'entry 6 .*best IoU',
    ):
        caught.match(text)
    assert not out.exists()
    result, problems = separated_file(source, out, published=pkl, run=SKIP)
    assert len(problems) == 6
    assert [ann['id'] for ann in result['annotations']] == [11]


class Harmful:
    def __reduce__(self):
        return os.system, ('echo harm',)


def test_pickles_that_run_code_or_hold_something_else_are_refused(source, tmp_path):
    pkl = tmp_path / 'separated_coco.pkl'
    out = tmp_path / 'out.json'
    for content, message in (
        (pickle.dumps([Harmful()]), 'asks for .*system'),
        (b'not a pickle', 'no pickle of plain lists'),
        (pickle.dumps({}), 'expected a list'),
        (pickle.dumps([['a.jpg', 'car']]), 'entry 0 must be'),
        (pickle.dumps([['a', 'b', 0, 0, dict(size=[4, 4], counts=b'zz')]]), 'damaged'),
    ):
        pkl.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            separated_file(source, out, published=pkl)
    with pytest.raises(FileNotFoundError, match='CocoOccludedSeparatedMetric'):
        separated_file(source, out, published=tmp_path / 'none.pkl')


def test_broken_masks_are_named(source, tmp_path):
    coco = json.loads(source.read_text())
    coco['annotations'][0]['segmentation'] = []
    source.write_text(json.dumps(coco))
    with pytest.raises(ValueError, match='annotation id 11'):
        separated_file(source, tmp_path / 'out.json')
    result, _ = separated_file(source, tmp_path / 'out.json', run=SKIP)
    assert [ann['id'] for ann in result['annotations']] == [12, 22]
    pkl = write_pickle(
        tmp_path / 's.pkl', entry('000000000139.jpg', 'person', MASKS[11])
    )
    with pytest.raises(ValueError, match='annotation id 11: segmentation is an empty'):
        separated_file(source, tmp_path / 'x.json', published=pkl)


def test_the_quality_report_takes_the_list(source, tmp_path):
    listed = tmp_path / 'listed.json'
    separated_file(source, listed, min_part=9)
    own = compare_files(source, source)
    assert {i.ann_id for i in own.instances if i.separated} == {12, 22}
    given = compare_files(source, source, separated_path=listed)
    assert {i.ann_id for i in given.instances if i.separated} == {12, 13, 22}
    coco = json.loads(source.read_text())
    coco['annotations'] = coco['annotations'][:1]
    few = tmp_path / 'few.json'
    few.write_text(json.dumps(coco))
    with pytest.raises(ValueError, match=r'listed.json lists .*\[12, 13, 22\]'):
        compare_files(few, few, separated_path=listed)


def test_the_tool(source, tmp_path, capsys):
    spec = importlib.util.spec_from_file_location('separated_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    out = tmp_path / 'out.json'
    command = [str(source), '--out', str(out), '--workers', '1']
    tool.main(command)
    assert '2 separated objects in 2 images' in capsys.readouterr().out
    with pytest.raises(SystemExit, match='--overwrite'):
        tool.main(command)
    pkl = write_pickle(tmp_path / 's.pkl', entry('x.jpg', 'person', MASKS[11]))
    with pytest.raises(SystemExit, match='no image is left'):
        tool.main([*command, '--overwrite', '--pickle', str(pkl), '--skip-invalid'])
    known = entry('000000000139.jpg', 'person', MASKS[11])
    write_pickle(pkl, entry('x.jpg', 'person', MASKS[11]), known)
    with pytest.raises(SystemExit, match='1 of 2 entries'):
        tool.main([*command, '--overwrite', '--pickle', str(pkl)])
    tool.main([*command, '--overwrite', '--pickle', str(pkl), '--skip-invalid'])
    assert 'passed over: entry 0 (person in x.jpg)' in capsys.readouterr().err
