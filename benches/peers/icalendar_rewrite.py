#!/usr/bin/env python3
"""Rewrites every .ics file of a folder in memory, as the criterion bench `rewrite` does, and prints MB/s."""

import argparse
import pathlib
import time

from rewriting import rewritten


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--base", default="https://meet.example.org")
    parser.add_argument("--seconds", type=float, default=5.0, help="measure for at least this long")
    arguments = parser.parse_args()
    contents = [path.read_bytes() for path in sorted(arguments.folder.rglob("*.ics"))]
    size, moved, started = 0, 0, time.process_time()
    while (elapsed := time.process_time() - started) < arguments.seconds:
        for content in contents:
            moved += rewritten(content, arguments.base) is not None
            size += len(content)
    elapsed = time.process_time() - started
    print(f"{len(contents)} files, {size / 1e6 / elapsed:.2f} MB/s, {moved} rewrites in {elapsed:.1f} s CPU")


if __name__ == "__main__":
    main()
