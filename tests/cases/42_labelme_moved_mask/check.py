"""Area of the imported mask."""

import json
from pathlib import Path

print(json.loads(Path('o.json').read_text())['annotations'][0]['area'])
