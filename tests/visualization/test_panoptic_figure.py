"""Panoptic labels of rounds beside the truth."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.formats.segment_maps import encode_segment_map
from mmwsis.pipelines import report_figures
from mmwsis.pipelines.rounds import Round
from mmwsis.pipelines.stages import GenerateStage, QualityStage
from mmwsis.visualization.palette import distinct_color
from mmwsis.visualization.panoptic_figure import draw_panoptic, panoptic_sheet

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/show_label_rounds.py'
SEGMENTS = [dict(id=5, category_id=3), dict(id=6, category_id=3)]


@pytest.fixture
def files(tmp_path):
    """Two cats of two images, in the truth and in labels that know half of one."""
    ids = np.full((40, 60), 5)
    ids[:, 30:] = 6
    names = 'ab'
    images = [
        dict(id=n, file_name=f'{name}.jpg', height=40, width=60)
        for n, name in enumerate(names)
    ]
    for image in images:
        Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(
            tmp_path / image['file_name']
        )
    for kind, segments in (('truth', SEGMENTS), ('round0', SEGMENTS[:1])):
        (tmp_path / kind).mkdir()
        shown = np.where(np.isin(ids, [one['id'] for one in segments]), ids, 0)
        for name in names:
            (tmp_path / kind / f'{name}.png').write_bytes(encode_segment_map(shown))
        content = dict(
            images=images,
            annotations=[
                dict(image_id=n, file_name=f'{name}.png', segments_info=segments)
                for n, name in enumerate(names)
            ],
            categories=[dict(id=3, name='cat', isthing=1)],
        )
        (tmp_path / f'{kind}.json').write_text(json.dumps(content))
    return tmp_path


def test_classes_have_their_colour_and_segments_a_line():
    ids = np.full((256, 300), 5)
    ids[:, 100:200], ids[:, 200:] = 6, 0
    image = np.zeros((256, 300, 3), np.uint8)
    drawn = draw_panoptic(image, ids, SEGMENTS, {3: 4}, alpha=1.0)
    assert tuple(drawn[50, 50]) == tuple(drawn[50, 150]) == distinct_color(4)
    assert tuple(drawn[50, 250]) == (255, 255, 255)
    assert (drawn[:, 100] == 20).all() and (drawn[:, 200] == 20).all()
    with pytest.raises(ValueError, match='The map is'):
        draw_panoptic(image[:9], ids, SEGMENTS, {3: 4})


def test_tool_draws_every_file(files, capsys):
    spec = importlib.util.spec_from_file_location('show_label_rounds', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    out = files / 'out.png'
    arguments = ['--truth', str(files / 'truth.json'), '--img-dir', str(files)]
    tool.main([str(files / 'round0.json'), *arguments, '--out', str(out)])
    assert capsys.readouterr().out == f'{out}\n'
    width, height = Image.open(out).size
    assert width > 3 * 384 and height > 2 * 256
    arguments = ['--img-dir', str(files), '--out', str(out)]
    tool.main([str(files / 'round0.json'), *arguments])  # image and labels alone
    assert 2 * 384 < Image.open(out).size[0] < 3 * 384


def test_files_without_a_common_image_are_refused(files):
    truth = PanopticFile(files / 'truth.json', files / 'truth')
    with pytest.raises(ValueError, match='truth.json shares no image with all'):
        panoptic_sheet(files, truth, [], image_ids=[])
    with pytest.raises(ValueError, match='labels to draw, a truth or both'):
        panoptic_sheet(files, None, [])


@pytest.mark.parametrize('judges', [True, False])
def test_report_has_the_rounds_in_one_figure(files, judges):
    first = GenerateStage(name='first', config='a.py', out='round0.json')
    again = GenerateStage(
        name='labels@1',
        config='a.py',
        out='truth.json',
        round=Round('refine', 1, 1, 'labels'),
    )
    judged = [
        (QualityStage(name=one.name, pseudo=one.out, gt='truth.json'), one)
        for one in (first, again)
    ]
    figures = report_figures._Figures.__new__(report_figures._Figures)
    figures.root, figures.stage = files, SimpleNamespace(num_pictures=2)
    other = GenerateStage(name='coarse', config='a.py', out='coarse.json')
    figures.done = [other, *(stage for pair in judged for stage in pair)]
    if not judges:
        figures.done = [one for one in figures.done if isinstance(one, GenerateStage)]
    figures.factory = SimpleNamespace(artifact_of=lambda stage: 'panoptic_maps')
    figures._labeled_files = lambda stage: (
        files / ('coarse.json' if stage is other else 'weak.json'),
        files,
    )
    ((title, name, draw),) = figures._of_panoptic_labels()
    beside = ' beside ground truth' if judges else ''
    assert (title, name) == (f'Panoptic labels{beside}', 'panoptic_labels.png')
    draw(files / name)
    # Image, two rounds, and the truth where there is one.
    assert Image.open(files / name).size[0] // 384 == (4 if judges else 3)
