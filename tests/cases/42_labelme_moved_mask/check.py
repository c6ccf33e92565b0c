import json

print(json.load(open('o.json'))['annotations'][0]['area'])
