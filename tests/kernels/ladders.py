"""Prints the ladders of all signals for tests/kernels/load_each.c, best rung first.

usage: ladders.py FOLDER

FOLDER holds the signals' folders. A line for each rung: "SIGNAL HOOK RUNG PROGRAM…".
"""

import sys
import tomllib
from pathlib import Path


def main() -> None:
    for file in sorted(Path(sys.argv[1]).glob("*/signal.toml")):
        signal = tomllib.loads(file.read_text())
        for hook in signal["hook"]:
            for rung in hook["ladder"]:
                programs = rung["programs"] + rung.get("tail_calls", [])
                print(file.parent.name, hook["name"], rung["rung"], *programs)


if __name__ == "__main__":
    main()
