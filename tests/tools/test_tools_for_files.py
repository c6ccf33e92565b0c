"""Tools that read files start without MMDetection, which takes seconds to import."""

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = [
    'analysis_tools/check_dataset.py',
    'analysis_tools/pseudo_label_quality.py',
    'analysis_tools/retention.py',
    'analysis_tools/review_list.py',
    'dataset_converters/coco2weak.py',
    'export_labels.py',
    'run_pipeline.py',
]
CODE = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
for file in sys.argv[1:]:
    runpy.run_path(file)  # imports what it needs; main() does not run
    assert 'mmdet' not in sys.modules, file
"""


def test_without_mmdet():
    files = [str(REPOSITORY / 'tools' / tool) for tool in TOOLS]
    subprocess.run([sys.executable, '-c', CODE, str(REPOSITORY), *files], check=True)
