import subprocess
import sys

from case_steps import ROOT, TOOLS

# A process of its own: a crash in C code would end the tests.
command = [sys.executable, str(ROOT / TOOLS['weak']), *sys.argv[1:]]
done = subprocess.run(command, capture_output=True, text=True)
print('exit code', done.returncode, done.stderr)
