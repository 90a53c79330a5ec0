"""Turns the results of tests/kernels/matrix into a page such as docs/reference/kernels.md, or compares with it.

usage: table.py [--write] RESULTS PAGE

RESULTS holds a folder for each kernel: output (the proof's lines), code (its exit code),
times ("RELEASE BOOT ALL") and origin. PAGE is kernels.md, or kernels-MACHINE.md for another machine. A column of the page is a kernel's major.minor version, so that
a patch release changes nothing; a kernel that the page has no column for, or whose column nobody ran
here, is named and not compared. Exit code 1: a proof failed or a cell differs.
"""

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

INTRODUCTION = """\
# Signals by kernel{on_machine}

<!-- Made by `{command} --write`: not edited by hand. -->

On each kernel below, each hook of each signal was loaded and attached, what it watches was done, and
the event that came out was checked. A cell names the rung of the attach ladder that was chosen; ✓ says
that the event was right, ✗ that it was not, `unsupported` that this kernel has no way to it and that
Chandra said so.

`not tried` says that the proof needs what was not there: a guest, whose CPUs may be taken away, or an
interpreter of Python.

Made by `{command} --write`. {repeated}
"""
REPEATED = "`./dev kernels` and `./dev test` do it again and fail where a cell\ndiffers."
REPEATED_BY_ITSELF = "`{command}` does it again and fails where a cell differs;\nit takes long, and `./dev test` leaves it out."

NOT_TRIED = "not tried"


@dataclass
class Kernel:
    """One kernel's outcome: the cells of its column, and how it went."""

    heading: str
    release: str
    origin: str
    boot: str
    total: str
    code: int
    cells: dict[tuple[str, str], str] = field(default_factory=dict)


def cell_of(record: dict) -> str:
    """The text of a cell: the rung and whether its event was right."""
    verdict = record.get("verdict", "")
    rung = record.get("rung") or verdict
    if verdict in ("unsupported", "off", NOT_TRIED):
        return verdict
    good = verdict == "active" and record.get("event_ok") is True
    return f"{rung} {'✓' if good else '✗'}"


def read_kernel(folder: Path) -> Kernel:
    """Reads one kernel's results folder."""
    release, boot, total = (folder / "times").read_text().split()
    origin = (folder / "origin").read_text().strip()
    version = re.match(r"\d+\.\d+", release)
    heading = version.group() if version else release
    if origin.startswith("native"):
        heading = f"{heading} {origin}"
    code = int((folder / "code").read_text())
    kernel = Kernel(heading, release, origin, boot, total, code)
    for line in (folder / "output").read_text(errors="replace").splitlines():
        try:
            record = json.loads(line)
            kernel.cells[record["signal"], record["hook"]] = cell_of(record)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return kernel


def read_results(results: Path) -> list[Kernel]:
    """All kernels, oldest first; of two of one version, the first by name."""
    by_heading: dict[str, Kernel] = {}
    for folder in sorted(results.iterdir()):
        kernel = read_kernel(folder)
        by_heading.setdefault(kernel.heading, kernel)
    return sorted(by_heading.values(), key=lambda kernel: [int(n) for n in kernel.heading.split()[0].split(".")])


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |\n"


def introduction(machine: str) -> str:
    """What stands above the table of a machine; "" is the one that all tests are run on."""
    if not machine:
        return INTRODUCTION.format(on_machine="", command="./dev kernels", repeated=REPEATED)
    command = f"./dev kernels --{machine}"
    repeated = REPEATED_BY_ITSELF.format(command=command)
    return INTRODUCTION.format(on_machine=f" for {machine}", command=command, repeated=repeated)


def render(kernels: list[Kernel], machine: str) -> str:
    """The whole page."""
    hooks = list(dict.fromkeys(hook for kernel in kernels for hook in kernel.cells))
    page = introduction(machine) + "\n"
    page += row(["signal", "hook", *(kernel.heading for kernel in kernels)])
    page += row(["---"] * (2 + len(kernels)))
    for hook in hooks:
        page += row([*hook, *(kernel.cells.get(hook, "") for kernel in kernels)])
    page += "\nThe kernels, in an emulator unless native; seconds to the first process, and with the proof:\n\n"
    page += row(["column", "release", "from", "boot", "in all"])
    page += row(["---"] * 5)
    for kernel in kernels:
        page += row([kernel.heading, kernel.release, kernel.origin.split(",")[0], kernel.boot, kernel.total])
    return page


def read_page(page: Path) -> dict[str, dict[tuple[str, str], str]]:
    """The committed table: heading → hook → cell."""
    columns: dict[str, dict[tuple[str, str], str]] = {}
    headings: list[str] = []
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[:2] == ["signal", "hook"]:
            headings = cells[2:]
            columns = {heading: {} for heading in headings}
        elif headings and not line.startswith("|"):
            break
        elif headings and cells[0] != "---":
            for heading, cell in zip(headings, cells[2:]):
                if cell:
                    columns[heading][cells[0], cells[1]] = cell
    return columns


def differences(kernels: list[Kernel], page: Path) -> list[str]:
    """What the page says otherwise than the kernels that ran, in words; `failures` has what went wrong."""
    if not page.exists():
        return [f"{page.name} is not there yet: --write makes it"]
    found = []
    committed = read_page(page)
    for kernel in kernels:
        column = committed.pop(kernel.heading, None)
        if column is None:
            print(f"{kernel.heading}: no such column in {page.name}, not compared")
        if column is None or not kernel.cells:
            continue
        for hook in sorted(column.keys() | kernel.cells.keys()):
            before, now = column.get(hook, "nothing"), kernel.cells.get(hook, "nothing")
            if now == NOT_TRIED and before != now:
                print(f"{kernel.heading} {'/'.join(hook)}: {page.name} has {before}, not tried here")
                continue
            if before != now and not now.endswith("✗"):
                found.append(f"{kernel.heading} {'/'.join(hook)}: {page.name} has {before}, here it is {now}")
    for heading in committed:
        print(f"{heading}: in {page.name}, not run here")
    return found


def failures(kernel: Kernel) -> list[str]:
    """What went wrong on one kernel, in words."""
    bad = [f"{kernel.heading} {'/'.join(hook)}: {cell}" for hook, cell in kernel.cells.items() if cell.endswith("✗")]
    if not bad and not kernel.cells:
        return [f"{kernel.heading}: the proof said nothing (exit code {kernel.code})"]
    if not bad and kernel.code != 0:
        return [f"{kernel.heading}: the proof ended with exit code {kernel.code}"]
    return bad


def main(arguments: list[str]) -> int:
    write = arguments[:1] == ["--write"]
    results, page = (Path(argument) for argument in arguments[write:])
    kernels = read_results(results)
    failed = [text for kernel in kernels for text in failures(kernel)]
    if not kernels:
        failed.append("no kernel ran")
    passed = sum(not cell.endswith("✗") for kernel in kernels for cell in kernel.cells.values())
    if write and failed:
        print(f"{page} left as it was")
    elif write:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(render(kernels, page.stem.partition("-")[2]))
        print(f"wrote {page}")
    else:
        failed += differences(kernels, page)
    for text in failed:
        print(f"FAILED {text}")
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
