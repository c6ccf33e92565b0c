"""``--correct``: export, stop, import, train again, with fake tools."""

import json

import pytest

from mmwsis.pipelines import StageFailedError
from mmwsis.pipelines.corrections import CorrectionOptions
from mmwsis.pipelines.session import PipelineOptions, make_runner

FAKE_REVIEW = """
import os, signal, sys
from pathlib import Path
out = Path(sys.argv[sys.argv.index('--out-dir') + 1])
export = '--export' in sys.argv
Path('calls.txt').open('a').write('export\\n' if export else 'review\\n')
assert Path(sys.argv[1]).is_file()
out.mkdir(parents=True, exist_ok=True)
(out / 'review.csv').write_text('rank,annotation_id\\n1,7\\n')
if export:
    folder = out / 'to_correct'
    folder.mkdir()  # fails where an export is already
    (folder / 'a.json').write_text('as it was')
    if Path('die_in_export').exists():
        Path('die_in_export').unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / 'b.json').write_text('as it was')
"""
FAKE_IMPORT = """
import sys
from pathlib import Path
Path('calls.txt').open('a').write('import\\n')
assert '--keep-ids' in sys.argv and 'red bolt' in sys.argv
found = ' '.join(file.read_text() for file in sorted(Path(sys.argv[3]).iterdir()))
Path(sys.argv[sys.argv.index('--out') + 1]).write_text(found)
"""
FAKE_APPLY = """
import json, sys
from pathlib import Path
Path('calls.txt').open('a').write('apply\\n')
simulated = '--simulate' in sys.argv
found = '' if simulated else Path(sys.argv[2]).read_text()
seconds = float(sys.argv[sys.argv.index('--seconds-per-mask') + 1])
out = Path(sys.argv[sys.argv.index('--out') + 1])
out.write_text(json.dumps({'mixed': found}))
summary = dict(images=2, reviewed=5, changed=3, deleted=1, added=1, masks_drawn=4)
summary['minutes'] = 4 * seconds / 60
out.with_suffix('.corrections.json').write_text(json.dumps(summary))
"""
NAMES = {
    "'labels'": "'pseudo_labels'",
    "name='final'": "name='final_model'",
    "pseudo='data/pseudo.json'": "pseudo='{out:pseudo_labels}'",
}
SPEC = """
data_spec = dict(name='bolts', data_root='data', classes=('red bolt',),
                 train=dict(img='images', ann_file='gt.txt'))
"""
FOLDER = 'work_dirs/pipelines/toy/corrections'
MIXED = 'work_dirs/pipelines/toy/mixed_labels.json'
PEOPLE = CorrectionOptions(5)


@pytest.fixture
def bolts(toy):
    text = (toy.root / 'pipeline.py').read_text()
    for old, new in NAMES.items():
        assert old in text
        text = text.replace(old, new)
    (toy.root / 'pipeline.py').write_text(text + SPEC)
    for name, body in {
        'analysis_tools/review_list.py': FAKE_REVIEW,
        'dataset_converters/import_labels.py': FAKE_IMPORT,
        'dataset_converters/apply_corrections.py': FAKE_APPLY,
    }.items():
        file = toy.tools / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(body)
    return toy


def ran(outcomes):
    return [name for name, one in outcomes.items() if one.status in ('ran', 'resumed')]


def test_export_stop_import_train(bolts):
    outcomes = bolts.run(correct=PEOPLE)
    assert list(outcomes)[-1] == 'corrections'  # behind quality; nothing after it ran
    assert ran(outcomes)[-2:] == ['quality', 'corrections']
    folder = bolts.root / FOLDER
    said = bolts.lines[-1]
    assert f'labelme {folder}/to_correct' in said
    assert f'touch {folder}/done' in said
    assert '5 labels' in said
    assert bolts.calls()[-1] == 'export'

    # Again and half corrected: nothing is exported anew, nothing is read.
    (folder / 'to_correct/a.json').write_text('better')
    (folder / 'review.csv').write_text('rank;annotation_id\n')  # saved by a spreadsheet
    outcomes = bolts.run(correct=PEOPLE)
    assert ran(outcomes) == []
    assert f'touch {folder}/done' in bolts.lines[-1]
    assert bolts.calls() == []

    (folder / 'to_correct/b.json').write_text('gone')
    (folder / 'done').touch()
    outcomes = bolts.run(correct=PEOPLE, last='full_test')
    names = ['import_corrections', 'mixed_labels', 'final_model', 'final_test']
    names += ['corrected_model', 'corrected_test', 'full', 'full_test']
    assert ran(outcomes) == names
    assert json.loads((bolts.root / MIXED).read_text()) == {'mixed': 'better gone'}
    rows = 'masks drawn 4, minutes of correction 5.33', 'trained on pseudo labels: 30.0'
    corrected = 'mask AP, trained on corrected labels, 5 minutes of correction: 30.0'
    assert all(text in bolts.said for text in (*rows, corrected))
    assert ran(bolts.run(correct=PEOPLE, last='full_test')) == []

    # What is corrected further is read when that is done, too.
    (folder / 'done').unlink()
    assert bolts.run(correct=PEOPLE)['corrections'].status == 'unchanged'
    assert 'touch' in bolts.lines[-1]
    (folder / 'to_correct/a.json').write_text('best')
    (folder / 'done').touch()
    outcomes = bolts.run(correct=PEOPLE, last='corrected_test')
    # The fake training makes the same weights again, so that there is nothing to test.
    assert ran(outcomes) == ['import_corrections', 'mixed_labels', 'corrected_model']
    assert json.loads((bolts.root / MIXED).read_text()) == {'mixed': 'best gone'}


def test_the_corrected_model_is_trained_beside_the_other(bolts):
    (bolts.root / 'final.py').write_text(
        "train_dataloader = dict(dataset=dict(dataset=dict(ann_file='pseudo.json',"
        " data_root='data')))\n"
    )
    runner = make_runner(PipelineOptions('pipeline.py', correct=PEOPLE, seed=3))
    factory = runner.factory
    by_name = {stage.name: stage for stage in runner.pipeline.stages}
    mixed = bolts.root / MIXED
    seed = {'randomness.seed': 3}
    assert factory.options_of(by_name['final_model']) == seed
    assert factory.options_of(by_name['corrected_model']) == {
        'train_dataloader.dataset.dataset.ann_file': str(mixed),
        **seed,
    }
    folders = {
        name: str(factory.train_dir(by_name[name]))
        for name in ('final_model', 'final_test', 'corrected_model', 'corrected_test')
    }
    assert folders == {
        'final_model': 'work_dirs/final',
        'final_test': 'work_dirs/final',
        'corrected_model': 'work_dirs/final_corrected',
        'corrected_test': 'work_dirs/final_corrected',
    }


def test_other_labels_never_replace_corrected_ones(bolts):
    bolts.run(correct=PEOPLE)
    (bolts.root / FOLDER / 'to_correct/a.json').write_text('hours of work')
    bolts.run(correct=CorrectionOptions(6))
    kept = list((bolts.root / FOLDER).parent.glob('corrections.stale-*'))
    assert [(one / 'to_correct/a.json').read_text() for one in kept] == [
        'hours of work'
    ]
    assert 'moved' in bolts.said
    assert (bolts.root / FOLDER / 'to_correct/a.json').read_text() == 'as it was'


def test_an_export_that_was_killed_starts_anew(bolts):
    (bolts.root / 'die_in_export').touch()
    with pytest.raises(StageFailedError, match="Stage 'corrections' ended"):
        bolts.run(correct=PEOPLE)
    assert not (bolts.root / FOLDER / 'to_correct/b.json').exists()
    bolts.run(correct=PEOPLE)
    assert (bolts.root / FOLDER / 'to_correct/b.json').is_file()
    assert 'touch' in bolts.lines[-1]


def test_what_needs_no_corrections_runs_meanwhile(bolts):
    bolts.run(correct=PEOPLE)
    outcomes = bolts.run(correct=PEOPLE, only=['final_model', 'final_test'])
    assert ran(outcomes) == ['final_model', 'final_test']
    # The stop cannot be passed by starting behind it.
    with pytest.raises(StageFailedError, match='done.*--from corrections'):
        bolts.run(correct=PEOPLE, first='import_corrections')


def test_simulated(bolts):
    simulated = CorrectionOptions(5, simulate=True, seconds=30)
    outcomes = bolts.run(correct=simulated, last='corrected_test')
    assert {'review', 'mixed_labels', 'corrected_test'} <= set(ran(outcomes))
    assert 'corrections' not in outcomes
    assert 'corrected labels, 2 minutes of correction: 30.0' in bolts.said
    calls = bolts.calls()
    assert 'review' in calls and 'export' not in calls


def test_labelling_tools_that_export(bolts):
    bolts.run(correct=CorrectionOptions(5, 'cvat'))
    assert 'into CVAT' in bolts.lines[-1]
    (bolts.root / FOLDER / 'done').touch()
    with pytest.raises(StageFailedError, match='corrections/corrected'):
        bolts.run(correct=CorrectionOptions(5, 'cvat'))
    (bolts.root / FOLDER / 'corrected').mkdir()
    (bolts.root / FOLDER / 'corrected/task.xml').write_text('from CVAT')
    bolts.run(correct=CorrectionOptions(5, 'cvat'), last='mixed_labels')
    assert json.loads((bolts.root / MIXED).read_text()) == {'mixed': 'from CVAT'}


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(count=0), '--correct must be 1 or more'),
        (dict(count=3, format='yolo-seg'), '--correct-format must be one of'),
    ],
)
def test_wrong_options(options, text):
    with pytest.raises(ValueError, match=text):
        CorrectionOptions(**options)


def test_pipelines_without_labels_to_correct(bolts):
    file = bolts.root / 'pipeline.py'
    text = file.read_text()
    file.write_text(text.replace("name='final_model'", "name='network'"))
    with pytest.raises(ValueError, match=r"has no \['final_model'\]"):
        make_runner(PipelineOptions('pipeline.py', correct=PEOPLE))
    file.write_text(text.replace(", ann_file='gt.txt'", ''))
    with pytest.raises(ValueError, match=r'needs masks .* train.ann_file'):
        simulated = CorrectionOptions(5, simulate=True)
        make_runner(PipelineOptions('pipeline.py', correct=simulated))
    file.write_text(text)
    labeler = bolts.root / 'labeler.py'
    labeler.write_text(f"{labeler.read_text()}artifact = 'panoptic_maps'\n")
    with pytest.raises(StageFailedError, match='holds panoptic_maps, which no'):
        bolts.run(correct=PEOPLE)
