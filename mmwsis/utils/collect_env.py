"""Tells what is installed, what is broken, and which command mends it.

Run ``python -m mmwsis.doctor``. It imports nothing at the top that may be missing, and
tries every package in a process of its own, because a library compiled for another
torch may end the process that loads it.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

# What was seen to work together; anything else earns a remark, never an error.
VERIFIED = {
    'torch': '2.13.0',
    'mmengine': '0.10.7',
    'mmcv': '2.1.0',
    'mmdet': '3.3.0',
    'mmsegmentation': '1.2.2',
}
FORKS = {
    'mmengine': 'onedl-mmengine',
    'mmcv': 'onedl-mmcv',
    'mmdet': 'onedl-mmdetection',
    'mmsegmentation': 'onedl-mmsegmentation',
}
_BUILD_MMCV = (
    'pip install "setuptools<81" wheel ninja psutil && MMCV_WITH_OPS=1 pip install '
    'mmcv==2.1.0 --no-build-isolation --no-deps --no-cache-dir --no-binary mmcv '
    '--force-reinstall   (about 10 min on two cores)'
)
_INSTALL_TORCH = (
    'pip install torch==2.13.0   (CPU only: add --extra-index-url '
    'https://download.pytorch.org/whl/cpu)'
)
_NMS = (
    'import torch; from mmcv.ops import nms; '
    'nms(torch.tensor([[0., 0., 2., 2.]]{0}), torch.tensor([.5]{0}), .5)'
)


@dataclass
class Check:
    """One line of the report.

    Args:
        name: What was looked at.
        status: ``'ok'``, ``'note'`` (works, worth knowing), ``'missing'`` (optional
            and not there) or ``'broken'`` (needed and not working).
        detail: Version, or what is wrong.
        remedy: Command or action that mends it; empty when there is nothing to mend.
    """

    name: str
    status: str
    detail: str
    remedy: str = ''


@dataclass
class _Needed:
    """A package that mmwsis cannot do without."""

    name: str
    code: str
    remedy: str
    distributions: tuple[str, ...] = ()


_NEEDED = (
    _Needed('numpy', 'import numpy', 'pip install numpy'),
    _Needed('scipy', 'import scipy.ndimage', 'pip install scipy'),
    _Needed(
        'opencv',
        'import cv2; cv2.imdecode',
        'pip install "opencv-python>=4,<5"   (on servers without libGL: pip uninstall '
        'opencv-python && pip install "opencv-python-headless>=4,<5")',
        ('opencv-python', 'opencv-python-headless', 'opencv-contrib-python'),
    ),
    _Needed('pillow', 'import PIL.Image', 'pip install pillow'),
    _Needed('pycocotools', 'import pycocotools.mask', 'pip install pycocotools'),
    _Needed(
        'pkg_resources',
        'import warnings; warnings.simplefilter("ignore"); import pkg_resources',
        'pip install "setuptools<81"   (MMEngine imports pkg_resources)',
        ('setuptools',),
    ),
    _Needed(
        'mmengine',
        'import mmengine.runner',
        'pip install mmengine==0.10.7',
        ('mmengine', FORKS['mmengine']),
    ),
    _Needed('mmcv', 'import mmcv', _BUILD_MMCV, ('mmcv', FORKS['mmcv'])),
    _Needed('mmcv operators', _NMS.format(''), _BUILD_MMCV, ('mmcv', FORKS['mmcv'])),
    _Needed(
        'mmdet',
        'import mmdet.models',
        'pip install mmdet==3.3.0   (it asks for mmcv >= 2.0.0rc4, < 2.2.0)',
        ('mmdet', FORKS['mmdet']),
    ),
    _Needed(
        'mmsegmentation',
        'import mmseg.models',
        'pip install mmsegmentation==1.2.2 ftfy regex',
        ('mmsegmentation', FORKS['mmsegmentation']),
    ),
)
_OPTIONAL = (
    ('faster_coco_eval', 'faster-coco-eval', 'COCO evaluation twice as fast'),
    ('msgspec', 'msgspec', 'large annotation files read faster'),
    ('pydensecrf', 'pydensecrf2', 'the usual dense CRF, for comparison'),
    ('lvis', 'lvis', 'evaluation on LVIS'),
    ('tensorboard', 'tensorboard', 'training curves in TensorBoard'),
)


def examine() -> list[Check]:
    """Look at everything.

    Returns:
        The report's lines, in the order in which problems are best mended.
    """
    # Each check waits for a process of its own.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        torch = pool.submit(_check_torch)
        needed = pool.map(_check_needed, _NEEDED)
        on_gpu = pool.submit(_check_gpu_operators)
        optional = pool.map(lambda item: _check_optional(*item), _OPTIONAL)
        configs = pool.submit(_check_configs)
        return [
            _check_python(),
            *torch.result(),
            *needed,
            _check_sets(),
            *on_gpu.result(),
            *optional,
            configs.result(),
        ]


def format_report(checks: Sequence[Check]) -> str:
    """Return the report as text.

    Args:
        checks: Lines from :func:`examine`.

    Returns:
        One line a check, then what is to be done.
    """
    marks = {'ok': 'ok    ', 'note': 'note  ', 'missing': '-     ', 'broken': 'BROKEN'}
    width = max(len(check.name) for check in checks)
    lines = [f'{marks[c.status]}  {c.name:<{width}}  {c.detail}' for c in checks]
    broken = [check for check in checks if check.status == 'broken']
    for title, wanted in (
        ('To mend, in this order:', broken),
        ('Worth knowing:', [c for c in checks if c.status == 'note' and c.remedy]),
    ):
        if wanted:
            lines += ['', title, *(f'  {c.name}: {c.remedy}' for c in wanted)]
    lines += [
        '',
        f'{len(broken)} problem(s).' if broken else 'Everything needed works.',
    ]
    return '\n'.join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report.

    Args:
        arguments: Command line, default ``sys.argv[1:]``.

    Returns:
        1 if something needed is broken, else 0.
    """
    parser = argparse.ArgumentParser(
        prog='python -m mmwsis.utils.collect_env',
        description='Print versions and what is wrong with this installation, with '
        'the command that mends it. Exit code 1 if something needed is broken.',
    )
    parser.add_argument('--json', action='store_true', help='print JSON, for reports')
    options = parser.parse_args(arguments)
    checks = examine()
    if options.json:
        print(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        print(format_report(checks))
    return int(any(check.status == 'broken' for check in checks))


def distribution_version(*names: str) -> tuple[str, str] | None:
    """Return name and version of the first installed distribution among some.

    Args:
        names: Distribution names.

    Returns:
        ``(name, version)``, ``None`` if none is installed.
    """
    for name in names:
        try:
            return name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def try_code(code: str) -> str | None:
    """Run code in a new Python.

    Args:
        code: The code.

    Returns:
        ``None`` if it ran, else the last line of its error output.
    """
    try:
        result = subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', code],
            capture_output=True,
            text=True,
            timeout=300,
        )
    except subprocess.TimeoutExpired:
        return 'did not end within 5 minutes'
    if result.returncode == 0:
        return None
    if result.returncode < 0:
        return f'crashed with signal {-result.returncode}'
    lines = result.stderr.strip().splitlines()
    return lines[-1][:300] if lines else f'exit code {result.returncode}'


def _check_python() -> Check:
    detail = f'{platform.python_version()}, {sys.executable}'
    if sys.version_info[:2] < (3, 10):  # noqa: UP036 - the doctor explains it
        return Check('python', 'broken', detail, 'make PYTHON=/path/to/python3.11 env')
    return Check('python', 'ok', f'{detail} on {platform.platform()}')


def _check_torch() -> list[Check]:
    code = (
        'import json, torch; a = torch.cuda.is_available(); print(json.dumps(dict('
        'version=torch.__version__, cuda=torch.version.cuda, devices=['
        'torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]'
        ' if a else [])))'
    )
    facts = _ask(code)
    if facts is None:
        error = try_code('import torch') or 'cannot be imported'
        return [Check('torch', 'broken', error, _INSTALL_TORCH)]
    checks = [_with_verified('torch', 'torch', facts['version'])]
    if facts['devices']:
        devices = f'CUDA {facts["cuda"]}: ' + ', '.join(facts['devices'])
        checks.append(Check('gpu', 'ok', devices))
    elif facts['cuda'] and _nvidia_driver_works():
        checks.append(
            Check(
                'gpu',
                'note',
                f'torch was built for CUDA {facts["cuda"]} but sees no device',
                'update the NVIDIA driver or install a torch for an older CUDA',
            )
        )
    elif _nvidia_driver_works():
        checks.append(
            Check(
                'gpu',
                'note',
                'there is an NVIDIA GPU, and this torch is CPU-only',
                'pip install --force-reinstall torch==2.13.0, then build mmcv again',
            )
        )
    else:
        checks.append(Check('gpu', 'ok', 'none; training runs on the CPU'))
    return checks


def _check_needed(needed: _Needed) -> Check:
    found = distribution_version(*(needed.distributions or (needed.name,)))
    error = try_code(needed.code)
    if error is not None:
        have = f'{found[0]} {found[1]}: ' if found else 'not installed: '
        return Check(needed.name, 'broken', have + error, needed.remedy)
    if needed.name == 'mmcv operators':
        return Check(needed.name, 'ok', 'load and run on the CPU')
    if found is None:
        return Check(needed.name, 'ok', 'works (version unknown)')
    return _with_verified(needed.name, *found)


def _with_verified(name: str, distribution: str, version: str) -> Check:
    detail = version if distribution == name else f'{version} ({distribution})'
    verified = VERIFIED.get(name)
    if verified and distribution == name and version.split('+')[0] != verified:
        return Check(name, 'note', f'{detail}; verified is {verified}')
    return Check(name, 'ok', detail)


def _check_sets() -> Check:
    """Tell upstream from forks; both at once overwrite each other's files."""
    upstream = [name for name in FORKS if distribution_version(name)]
    forks = [name for name in FORKS.values() if distribution_version(name)]
    both = [name for name, fork in FORKS.items() if name in upstream and fork in forks]
    if both:
        names = ' '.join(
            name for pair in ((n, FORKS[n]) for n in both) for name in pair
        )
        return Check(
            'package set',
            'broken',
            'upstream and onedl provide the same modules: ' + names,
            f'pip uninstall {names}, then install one set: pip install '
            '-r requirements/mminstall.txt',
        )
    if forks and upstream:
        return Check('package set', 'note', 'mixed: ' + ', '.join(upstream + forks))
    if not forks and not upstream:
        return Check('package set', 'note', 'no OpenMMLab package is installed')
    return Check('package set', 'ok', 'onedl forks' if forks else 'upstream OpenMMLab')


def _check_gpu_operators() -> list[Check]:
    if not (_ask('import torch, json; print(json.dumps(torch.cuda.is_available()))')):
        return []
    error = try_code(_NMS.format(', device="cuda"'))
    if error is None:
        return [Check('mmcv on CUDA', 'ok', 'operators run on the GPU')]
    remedy = 'FORCE_CUDA=1 ' + _BUILD_MMCV.partition('&& ')[2]
    return [Check('mmcv on CUDA', 'broken', error, remedy)]


def _check_optional(module: str, distribution: str, use: str) -> Check:
    found = distribution_version(distribution)
    if found is None:
        remedy = f'pip install {distribution}'
        return Check(module, 'missing', f'optional: {use}', remedy)
    error = try_code(f'import {module}')
    if error is None:
        return Check(module, 'ok', found[1])
    remedy = f'pip install --force-reinstall --no-deps {distribution}'
    return Check(module, 'note', error, remedy)


def _check_configs() -> Check:
    """See whether ``mmwsis::`` configs can be found by MMEngine."""
    mim = Path(__file__).parents[1] / '.mim'
    if not (mim / 'configs').is_dir() or not (mim / 'model-index.yml').is_file():
        return Check(
            'mmwsis configs',
            'broken',
            f'{mim} is incomplete: "mmwsis::..." in _base_ would not be found',
            'pip install -e . --no-deps --no-build-isolation   (in the checkout)',
        )
    version = distribution_version('mmwsis')
    detail = f'{version[1] if version else "not installed by pip"}, {mim.parent}'
    if try_code(
        'from mmengine.config.utils import MODULE2PACKAGE as m; assert "mmwsis" in m'
    ):
        return Check(
            'mmwsis configs',
            'note',
            detail,
            '"mmwsis::..." in _base_ is found by the tools of mmwsis only; for other '
            'programs install mmwsis with pip, or import mmwsis.registry first',
        )
    return Check('mmwsis configs', 'ok', detail)


def _nvidia_driver_works() -> bool:
    try:
        return subprocess.run(['nvidia-smi', '-L'], capture_output=True).returncode == 0
    except OSError:
        return False


def _ask(code: str) -> Any:
    """Return what code prints as JSON in a new Python, ``None`` if it fails."""
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True
    )
    found = re.search(r'[\[{].*[\]}]|true|false', result.stdout)
    if result.returncode != 0 or found is None:
        return None
    return json.loads(found[0])


if __name__ == '__main__':
    sys.exit(main())
