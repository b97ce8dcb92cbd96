"""Every notebook server pays for what its start script imports."""

import subprocess
import sys


def test_the_start_script_imports_the_standard_library_only():
    heavy = "jupyterhub batchspawner wrapspawner pydantic sqlalchemy requests tornado"
    code = ("import sys, spawner_profiles.singleuser\n"
            f"sys.exit(' '.join(name for name in {heavy.split()} if name in sys.modules) or 0)")
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
