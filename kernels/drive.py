"""Start a kernel as a notebook server does, run the code of stdin in it, show what it says. See check.py.

Runs in the kernel's own environment: jupyter_client comes with ipykernel. Usage: python drive.py KERNEL SECONDS.
Exit status: 3 if the kernel does not start, 4 if the code fails or takes longer than SECONDS.
"""

import sys

from jupyter_client.manager import start_new_kernel


def main(name: str, seconds: float) -> int:
    try:
        manager, client = start_new_kernel(startup_timeout=seconds, kernel_name=name)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 3
    try:
        reply = client.execute_interactive(sys.stdin.read(), timeout=seconds, allow_stdin=False)
        return 0 if reply["content"]["status"] == "ok" else 4
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 4
    finally:
        client.stop_channels()
        manager.shutdown_kernel()  # asked, not killed: Apptainer takes its mount away


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])))
