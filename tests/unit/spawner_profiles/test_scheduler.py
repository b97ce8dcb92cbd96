"""Commands of a scheduler: no shell, and none that hangs is left behind."""

import asyncio
from pathlib import Path

from spawner_profiles.scheduler import run_command


def test_a_command_that_hangs_is_ended_and_gone(tmp_path):
    script = tmp_path / "hangs"
    script.write_text(f"#!/bin/sh\necho $$ >{tmp_path}/pid\nexec sleep 60\n")
    script.chmod(0o755)
    code, out, err = asyncio.run(run_command(str(script), timeout=0.5))
    assert code and not out and "gave no answer" in err
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_words_of_an_argument_reach_no_shell(tmp_path):
    code, out, _ = asyncio.run(run_command("echo", f"$(touch {tmp_path}/made); >x"))
    assert code == 0 and out == f"$(touch {tmp_path}/made); >x\n" and not (tmp_path / "made").exists()
