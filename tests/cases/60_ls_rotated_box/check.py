"""The box and its two turned forms as upright boxes."""

import json
from pathlib import Path

boxes = [a['bbox'] for a in json.loads(Path('o.json').read_text())['annotations']]
expected = [[200, 100, 300, 100], [100, 100, 100, 300], [100, 100, 100, 300]]
print('same' if boxes == expected else boxes)
