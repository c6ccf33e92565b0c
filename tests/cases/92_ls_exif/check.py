import json
from pathlib import Path

image = json.loads(Path('o.json').read_text())['images'][0]
print(image['width'], image['height'])
