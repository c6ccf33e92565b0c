"""What can go wrong while setting up, each with its reason and its remedy."""

import re


class Problem(Exception):
    """A failure that the user can mend.

    Args:
        reason: What happened and why.
        remedy: What to do about it.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


NO_COMPILER = Problem(
    'mmcv has to be compiled once, and no C++ compiler was found on PATH.',
    'Install one, then run make again:\n'
    '  Debian, Ubuntu:  sudo apt install build-essential\n'
    '  Fedora, RHEL:    sudo dnf install gcc-c++\n'
    '  macOS:           xcode-select --install\n'
    '  conda:           conda install -c conda-forge cxx-compiler',
)
NO_HEADERS = Problem(
    'mmcv has to be compiled once, and the header files of this Python (Python.h) '
    'are not installed.',
    'Debian, Ubuntu: sudo apt install python3-dev   Fedora: sudo dnf install '
    'python3-devel\nthen run make again.',
)
NO_VENV = Problem(
    'This Python cannot make virtual environments: its venv or ensurepip module is '
    'not installed.',
    'Debian, Ubuntu: sudo apt install python3-venv\n'
    'or name another Python: make PYTHON=/path/to/python3.11 ...',
)
NO_NVCC = Problem(
    'torch sees a CUDA device, so mmcv has to be built with CUDA operators, and the '
    'CUDA compiler (nvcc) was found neither in CUDA_HOME nor on PATH.',
    'Install the CUDA toolkit of the version that `python -c "import torch; '
    'print(torch.version.cuda)"` names and set CUDA_HOME, then run make again;\n'
    'or, to run on the CPU only: MMWSIS_MMCV_OPS=cpu make ...',
)
NO_NETWORK = Problem(
    'pip cannot reach the package index.',
    'Check the network; behind a proxy set https_proxy; with a mirror set '
    'PIP_INDEX_URL; without any network put the wheels into one folder and set '
    'PIP_FIND_LINKS to it. Then run make again; finished steps are not repeated.',
)
NO_SPACE = Problem(
    'The disk is full.',
    'Free some space (a CPU environment takes about 2 GB, one with CUDA about 8 GB; '
    'building mmcv about 1 GB more), then run make again.',
)
NO_MEMORY = Problem(
    'The compiler was killed, most likely because memory ran out.',
    'Compile fewer files at once: MAX_JOBS=1 make ...',
)
WRONG_CUDA = Problem(
    'The CUDA toolkit on this machine is of another version than the one torch was '
    'built with, so mmcv cannot be compiled.',
    'Set CUDA_HOME to a toolkit of the version that `python -c "import torch; '
    'print(torch.version.cuda)"` names, or install a torch for your toolkit; to run '
    'on the CPU only: MMWSIS_MMCV_OPS=cpu make ...',
)

# First match wins: a full disk or lost network also makes later errors appear.
_LOG_PATTERNS: tuple[tuple[str, Problem], ...] = (
    (r'No space left on device|Errno 28', NO_SPACE),
    (r'ensurepip is not available|No module named (ensurepip|venv)', NO_VENV),
    (r'Killed signal terminated program|virtual memory exhausted', NO_MEMORY),
    (r'detected CUDA version .* mismatches', WRONG_CUDA),
    (r'CUDA_HOME environment variable is not set', NO_NVCC),
    (r'Python\.h: No such file', NO_HEADERS),
    (
        r"command '?(x86_64-linux-gnu-)?(gcc|g\+\+|cc|c\+\+|clang)'? failed: No such"
        r'|unable to execute',
        NO_COMPILER,
    ),
    (
        r'NewConnectionError|ConnectTimeoutError|NameResolutionError|ReadTimeoutError'
        r'|Temporary failure in name resolution|Network is unreachable|ProxyError',
        NO_NETWORK,
    ),
)


def explain_log(output: str, what: str) -> Problem | None:
    """Recognise the reason of a failure in a command's output.

    Args:
        output: Output of the failed command.
        what: What the command did, for messages.

    Returns:
        The problem with its remedy, ``None`` when the output says nothing known.
    """
    for pattern, problem in _LOG_PATTERNS:
        if re.search(pattern, output):
            return Problem(f'{what} failed. {problem.reason}', problem.remedy)
    missing = re.search(r'No matching distribution found for ([^\s(]+)', output)
    if missing and 'from versions: none' in output:
        return Problem(
            f'{what} failed: the package index cannot be reached, or has no '
            f'{missing[1].partition("=")[0]} at all.',
            NO_NETWORK.remedy,
        )
    if missing:
        return Problem(
            f'{what} failed: the package index has no {missing[1]} that fits this '
            'Python and this system.',
            'Python 3.11 on 64-bit Linux is verified, 3.10 to 3.13 should do: '
            'make PYTHON=/path/to/python3.11 ... ; with a mirror (PIP_INDEX_URL), '
            'check that it has the package.',
        )
    return None
