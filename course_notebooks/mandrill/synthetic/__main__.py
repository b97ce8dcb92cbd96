"""Command line: python -m mandrill.synthetic OUT [--photos 3000] [--individuals 150] [--size 96] [--seed 2021]."""

import argparse
import sys
import time

from .write import Parameters, draw_set


def main(arguments: list[str] | None = None) -> int:
    """Draw a set; 0 when it is there, 2 with one line on stderr when it can't be."""
    default = Parameters()
    parser = argparse.ArgumentParser(
        prog="python -m mandrill.synthetic",
        description="Draw synthetic mandrill faces in the layout of the Mandrillus Face Database.",
        epilog="The same parameters give the same bytes. A set that is there already is left alone.",
    )
    parser.add_argument("out", metavar="OUT", help="folder to create")
    parser.add_argument("--photos", type=int, default=default.photos, help="default: %(default)s")
    parser.add_argument("--individuals", type=int, default=default.individuals, help="default: %(default)s")
    parser.add_argument("--size", type=int, default=default.size, help="pixels a side; default: %(default)s")
    parser.add_argument("--seed", type=int, default=default.seed, help="default: %(default)s")
    parser.add_argument("--processes", type=int, default=None, help="default: the CPUs of this job")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    try:
        parameters = Parameters(options.photos, options.individuals, options.size, options.seed)
        drawn = draw_set(options.out, parameters, options.processes)
    except (ValueError, OSError) as error:
        print(f"mandrill.synthetic: {error}", file=sys.stderr)
        return 2
    if drawn:
        print(f"{options.out}: {parameters.photos} synthetic photos of {parameters.individuals} individuals, "
              f"drawn in {time.monotonic() - start:.0f} s")
    else:
        print(f"{options.out}: already drawn with these parameters, nothing to do")
    return 0


if __name__ == "__main__":
    sys.exit(main())
