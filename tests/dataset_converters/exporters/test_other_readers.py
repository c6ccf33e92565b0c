"""Exports are opened by programs that are not ours, where they are installed."""

import json

import numpy as np
import pytest
from pycocotools import mask as mask_api

from mmwsis.dataset_converters.exporters.export_labels import (
    ExportSettings,
    export_labels,
)
from mmwsis.formats.coco_masks import checked_rle

from .conftest import HEIGHT, NAMES, WIDTH


def masks_of(file):
    coco = json.loads(file.read_text())
    names = {one['id']: one['file_name'] for one in coco['images']}
    found = {}
    for one in coco['annotations']:
        mask = mask_api.decode(checked_rle(one['segmentation'], HEIGHT, WIDTH))
        found.setdefault(names[one['image_id']], {})[one['id']] = mask.astype(bool)
    return found


@pytest.mark.parametrize('to', ['coco', 'yolo-seg'])
def test_supervision(labels, tmp_path, to):
    supervision = pytest.importorskip('supervision')
    file, images = labels
    out = tmp_path / 'out'
    settings = ExportSettings(img_dir=images, images='copy')
    export_labels(file, to, out, settings)
    if to == 'coco':
        dataset = supervision.DetectionDataset.from_coco(
            str(out), str(out / 'labels.json'), force_masks=True
        )
    else:
        dataset = supervision.DetectionDataset.from_yolo(
            str(out / 'train/images'),
            str(out / 'train/labels'),
            str(out / 'data.yaml'),
            force_masks=True,
        )
    assert list(dataset.classes) == list(NAMES)
    found = {}
    for path, _, detections in dataset:
        found[path.split('/')[-1]] = detections
    expected = masks_of(file)
    plain = found['plain.png']
    assert len(plain) == (2 if to == 'coco' else 1)  # without the crowd region
    for name, own in expected.items():
        got = found.get(name.split('/')[-1])
        if got is None:  # from_yolo looks at no folder below its own
            assert to == 'yolo-seg' and '/' in name
            continue
        numbers = [number for number in own if to == 'coco' or number != 3]
        for number, theirs in zip(numbers, got.mask):
            # It fills outlines with their border; bitmaps are read as they are.
            if to == 'coco' and number != 4:
                np.testing.assert_array_equal(theirs, own[number])
            assert (theirs & own[number]).sum() >= 0.9 * own[number].sum()


@pytest.mark.parametrize('shape', ['polygon', 'mask'])
def test_labelme(labels, tmp_path, shape):
    labelme = pytest.importorskip('labelme._label_file', exc_type=ImportError)
    file, images = labels
    settings = ExportSettings(img_dir=images, shape=shape)
    export_labels(file, 'labelme', tmp_path / 'out', settings)
    for json_file in (tmp_path / 'out').rglob('*.json'):
        label_file = labelme.LabelFile(str(json_file))
        document = json.loads(json_file.read_text())
        assert len(label_file.shapes) == len(document['shapes'])
        assert label_file.image_data
        for shape_read, shape_written in zip(label_file.shapes, document['shapes']):
            assert shape_read['group_id'] == shape_written['group_id']
            if shape == 'mask':
                assert shape_read['mask'].dtype == bool


def labelstudio_tasks(file, out, shape):
    export_labels(file, 'labelstudio', out, ExportSettings(shape=shape))
    return json.loads((out / 'tasks.json').read_text())


def test_label_studio_reads_brushes(labels, tmp_path):
    brush = pytest.importorskip('label_studio_sdk.converter.brush')
    file, _ = labels
    expected = {
        number: mask for own in masks_of(file).values() for number, mask in own.items()
    }
    found = {}
    for task in labelstudio_tasks(file, tmp_path / 'out', 'mask'):
        for region in task['predictions'][0]['result']:
            if region['type'] == 'brushlabels':
                values = brush.decode_rle(region['value']['rle'])
                mask = values.reshape(HEIGHT, WIDTH, 4)[..., 3] > 0
                found[int(region['id'])] = mask
    assert found.keys() == expected.keys()
    for number, mask in found.items():
        np.testing.assert_array_equal(mask, expected[number])


@pytest.mark.parametrize('shape', ['polygon', 'mask'])
def test_label_studio_schema(labels, tmp_path, shape):
    interface = pytest.importorskip('label_studio_sdk.label_interface')
    tasks = labelstudio_tasks(labels[0], tmp_path / 'out', shape)
    config = (tmp_path / 'out/label_config.xml').read_text()
    schema = interface.LabelInterface(config)
    schema.validate()
    for task in tasks:
        for prediction in task['predictions']:
            assert schema.validate_prediction(prediction, return_errors=True) == []


def test_datumaro_reads_cvat(labels, tmp_path):
    cvat = pytest.importorskip(
        'datumaro.plugins.data_formats.cvat.base', exc_type=ImportError
    )
    file, images = labels
    settings = ExportSettings(img_dir=images, shape='mask', images='link')
    export_labels(file, 'cvat', tmp_path / 'out', settings)
    expected = {
        number: mask for own in masks_of(file).values() for number, mask in own.items()
    }
    found = {}
    for item in cvat.CvatBase(str(tmp_path / 'out/annotations.xml')):
        for one in item.annotations:
            if hasattr(one, 'image'):
                found[int(one.attributes['id'])] = one.image
    assert found.keys() == expected.keys()
    for number, mask in found.items():
        np.testing.assert_array_equal(mask.astype(bool), expected[number])


def test_datumaro_reads_outlines_of_cvat(labels, tmp_path):
    cvat = pytest.importorskip(
        'datumaro.plugins.data_formats.cvat.base', exc_type=ImportError
    )
    file, images = labels
    settings = ExportSettings(img_dir=images, shape='polygon', images='link')
    export_labels(file, 'cvat', tmp_path / 'out', settings)
    found = {}
    for item in cvat.CvatBase(str(tmp_path / 'out/annotations.xml')):
        for one in item.annotations:
            if hasattr(one, 'points'):
                outlines = found.setdefault(int(one.attributes['id']), [])
                outlines.append([float(value) for value in one.points])
    expected = {
        number: mask for own in masks_of(file).values() for number, mask in own.items()
    }
    # Objects with holes are masks, which are compared above.
    assert found.keys() == expected.keys() - {100, 114}
    for number, outlines in found.items():
        mask = mask_api.decode(checked_rle(outlines, HEIGHT, WIDTH))
        np.testing.assert_array_equal(mask.astype(bool), expected[number])
