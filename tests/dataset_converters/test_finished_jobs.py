"""kill -9 in the middle of a conversion, then the same call again."""

import functools
import json
import multiprocessing
import os
import shutil
import signal
import sys
import time

import numpy as np
import pytest
from PIL import Image

from mmwsis.dataset_converters import (
    budget,
    coco2weak,
    coco_panoptic,
    finished_jobs,
    mixture,
    separated,
)
from mmwsis.dataset_converters.importers import import_labels
from mmwsis.structures.supervision import Supervision

IMAGES, SIDE = 24, 40
POINTS, BOXES, MASKS = Supervision.POINTS, Supervision.BOXES, Supervision.MASKS


@pytest.fixture
def source(tmp_path):
    """Two objects an image, one of them in two parts."""
    images, annotations = [], []
    for number in range(1, IMAGES + 1):
        images.append(
            dict(id=number, file_name=f'{number}.jpg', width=SIDE, height=SIDE)
        )
        for start in (2, 20):
            left = [start, 3, start + 5 + number % 7, 3, start + 5, 12]
            right = [start, 20, start + 9, 20, start + 9, 31]
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=number,
                    category_id=1,
                    iscrowd=0,
                    bbox=[start, 3, 12, 28],
                    area=80,
                    segmentation=[left, right] if start == 2 else [left],
                )
            )
    document = dict(
        images=images, annotations=annotations, categories=[dict(id=1, name='a')]
    )
    path = tmp_path / 'instances_train.json'
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def panoptic(tmp_path):
    folder = tmp_path / 'panoptic_train'
    folder.mkdir()
    images, annotations = [], []
    for number in range(1, IMAGES + 1):
        ids = np.zeros((SIDE, SIDE, 3), np.uint8)
        ids[4 : 10 + number, 3:20, 0] = 7
        Image.fromarray(ids).save(folder / f'{number}.png')
        images.append(
            dict(id=number, file_name=f'{number}.jpg', width=SIDE, height=SIDE)
        )
        segment = dict(id=7, category_id=1, bbox=[3, 4, 17, 6 + number], area=102)
        annotations.append(
            dict(image_id=number, file_name=f'{number}.png', segments_info=[segment])
        )
    categories = [dict(id=1, name='a', isthing=1)]
    path = tmp_path / 'panoptic_train.json'
    path.write_text(
        json.dumps(dict(images=images, annotations=annotations, categories=categories))
    )
    return path


@pytest.fixture
def labelme(tmp_path):
    folder = tmp_path / 'labelme'
    folder.mkdir()
    for number in range(1, IMAGES + 1):
        Image.new('RGB', (SIDE, SIDE)).save(folder / f'{number}.jpg')
        corners = [[3, 4], [20 + number % 9, 4], [12, 30.5]]
        shapes = [
            dict(label='a', shape_type='polygon', points=corners, group_id=None),
            dict(label='a', shape_type='line', points=corners[:2], group_id=None),
        ]
        content = dict(
            version='5.4.1',
            flags=dict(b=number % 2 == 0),
            shapes=shapes,
            imagePath=f'{number}.jpg',
            imageData=None,
            imageHeight=SIDE,
            imageWidth=SIDE,
        )
        (folder / f'{number}.json').write_text(json.dumps(content))
    return folder


def to_weak(source, out, **options):
    levels = (POINTS, BOXES)
    outputs = {level: out / f'{level.label}.json' for level in levels}
    coco2weak.convert_file(source, outputs, **options)


def to_mix(source, out, **options):
    shares = [mixture.Share(MASKS, 0.2), mixture.Share(POINTS, None)]
    mixture.mix_file(source, out / 'mix.json', shares, **options)


def to_budget(source, out, **options):
    costs = dict(points=budget.Cost(1.0), extreme_points=budget.Cost(2.0))
    budget.spend_budget(source, out, 30, costs, **options)


def to_separated(source, out, **options):
    separated.separated_file(source, out / 'separated.json', min_part=4, **options)


def to_labels(source, out, **options):
    import_labels.import_labels(
        'labelme', source, out / 'labels.json', report=out / 'report.json', **options
    )


# Call, its input, the module and the function whose calls are counted.
CASES = {
    'coco2weak': (to_weak, 'source', coco2weak, '_derive_chunk'),
    'panoptic': (to_weak, 'panoptic', coco_panoptic, '_masks_of_map'),
    'mix_supervision': (to_mix, 'source', coco2weak, '_derive_chunk'),
    'annotation_budget': (to_budget, 'source', coco2weak, '_derive_chunk'),
    'separated_coco': (to_separated, 'source', separated, '_look'),
    'import_labels': (to_labels, 'labelme', import_labels, 'build_image'),
}


@pytest.fixture(params=CASES)
def case(request, monkeypatch):
    monkeypatch.setattr(coco2weak, 'CHUNK', 4)
    monkeypatch.setattr(separated, 'CHUNK', 4)
    convert, given, module, name = CASES[request.param]
    return convert, request.getfixturevalue(given), module, name


def wrap(monkeypatch, module, name, before):
    """Do something before each job; workers find the wrapper under the same name."""
    inner = getattr(module, name)

    @functools.wraps(inner)
    def wrapper(job):
        before()
        return inner(job)

    for place in (module, sys.modules[inner.__module__]):
        monkeypatch.setattr(place, name, wrapper)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def kill_in_the_middle(call, out):
    """Run it in a process of its own until three jobs are kept; kill -9."""
    process = multiprocessing.get_context('fork').Process(target=call)
    process.start()
    limit = time.monotonic() + 30
    try:
        while process.is_alive() and time.monotonic() < limit:
            files = list(out.glob('*.unfinished'))
            # The first line says what the others are.
            if files and files[0].read_bytes().count(b'\n') >= 4:
                break
            time.sleep(0.01)
        assert process.is_alive()
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.join()


def test_the_same_call_finishes_with_the_same_bytes(case, tmp_path, monkeypatch):
    convert, given, module, name = case
    whole, out = tmp_path / 'whole', tmp_path / 'out'
    whole.mkdir(), out.mkdir()
    jobs = []
    with monkeypatch.context() as patch:
        wrap(patch, module, name, lambda: jobs.append(1))
        convert(given, whole)
    assert len(jobs) >= 6
    with monkeypatch.context() as patch:
        wrap(patch, module, name, lambda: time.sleep(0.1))
        kill_in_the_middle(lambda: convert(given, out, workers=2), out)
    (kept,) = out.glob('*.unfinished')
    finished = kept.read_bytes().count(b'\n') - 1
    assert [path.name for path in out.iterdir()] == [kept.name]
    assert 3 <= finished < len(jobs)
    again = []
    with monkeypatch.context() as patch:
        wrap(patch, module, name, lambda: again.append(1))
        convert(given, out)
    assert len(again) == len(jobs) - finished
    assert contents(out) == contents(whole)


def test_a_kill_between_two_outputs(source, tmp_path, monkeypatch):
    """What is there then is not taken for a file of the user."""
    whole, out = tmp_path / 'whole', tmp_path / 'out'
    whole.mkdir(), out.mkdir()
    to_weak(source, whole)
    write = coco2weak.atomic_write_json

    def killed(path, document):
        if path.name == 'boxes.json':
            raise KeyboardInterrupt
        write(path, document)

    with monkeypatch.context() as patch:
        patch.setattr(coco2weak, 'atomic_write_json', killed)
        with pytest.raises(KeyboardInterrupt):
            to_weak(source, out)
    assert sorted(p.name for p in out.iterdir()) == [
        'points.json', 'points.json.unfinished',
    ]  # fmt: skip
    to_weak(source, out)
    assert contents(out) == contents(whole)
    with pytest.raises(FileExistsError, match='--overwrite'):
        to_weak(source, out)


def test_other_settings_and_changed_files_take_nothing_stale(
    source, panoptic, tmp_path, monkeypatch
):
    out, fresh = tmp_path / 'out', tmp_path / 'fresh'
    out.mkdir(), fresh.mkdir()
    protocol = coco2weak.WeakProtocol(points_mode='uniform', seed=3)

    def interrupt(given):
        with monkeypatch.context() as patch:
            patch.setattr(
                coco2weak, 'atomic_write_json', lambda *_: pytest.exit('killed')
            )
            with pytest.raises(pytest.exit.Exception):
                to_weak(given, out)

    interrupt(source)
    shutil.rmtree(fresh)
    fresh.mkdir()
    to_weak(source, fresh, protocol=protocol)
    to_weak(source, out, protocol=protocol)
    assert contents(out) == contents(fresh)
    shutil.rmtree(out)
    out.mkdir()
    interrupt(panoptic)
    ids = np.zeros((SIDE, SIDE, 3), np.uint8)
    ids[30:, 30:, 0] = 7
    Image.fromarray(ids).save(panoptic.with_suffix('') / '1.png')
    to_weak(panoptic, out)
    weak = json.loads((out / 'points.json').read_text())
    assert min(weak['annotations'][0]['point']) >= 30


def test_a_mistake_in_the_input_leaves_nothing_behind(source, tmp_path):
    out = tmp_path / 'out'
    document = json.loads(source.read_text())
    document['annotations'][-1]['segmentation'] = []
    source.write_text(json.dumps(document))
    with pytest.raises(ValueError, match='annotation id 48'):
        to_weak(source, out)
    assert not out.exists() or not any(out.iterdir())


def test_two_processes_do_not_make_the_same_file(tmp_path):
    first = finished_jobs.finished_jobs([tmp_path / 'a.json'], [], False)
    with first as finished:
        finished['key'] = 1

        def second():
            with finished_jobs.finished_jobs([tmp_path / 'a.json'], [], False):
                pass

        context = multiprocessing.get_context('fork')
        queue = context.Queue()

        def report():
            try:
                second()
            except RuntimeError as error:
                queue.put(str(error))

        process = context.Process(target=report)
        process.start()
        assert 'Another process is making this file' in queue.get(timeout=30)
        process.join()
