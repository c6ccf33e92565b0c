import json
from pathlib import Path

document = json.loads(Path('o.json').read_text())
print('area', document['annotations'][0]['area'])
