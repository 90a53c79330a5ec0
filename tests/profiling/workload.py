"""Python code whose shares and shape are known, for every release from 3.8 on.

usage: workload.py NAME WAY SECONDS [DEPTH]

It names its process "warm-up" for a moment and then NAME, works for so many seconds of CPU time, and prints how many
nanoseconds of it each leaf took by the thread's own clock. A leaf's work is a number of rounds of the same loop, in one
function that all call.
"""

import sys
import threading
import time


def burn(rounds):
    total = 0
    for number in range(rounds * 40):
        total += number & 3
    return total


class Leaves:
    def __init__(self):
        self.spent = {}

    def timed(self, name, rounds):
        begun = time.thread_time_ns()
        burn(rounds)
        self.spent[name] = self.spent.get(name, 0) + time.thread_time_ns() - begun

    def leaf_a(self):
        self.timed("leaf_a", 60)

    def leaf_b(self):
        self.timed("leaf_b", 30)

    def leaf_c(self):
        self.timed("leaf_c", 10)


def middle_x(leaves):
    leaves.leaf_a()
    leaves.leaf_b()


def middle_y(leaves):
    leaves.leaf_c()


def recurse(depth, leaves):
    if depth > 0:
        return recurse(depth - 1, leaves)
    middle_x(leaves)
    middle_y(leaves)
    return 0


def shares(leaves, depth):
    recurse(depth, leaves)


def generate(leaves):
    leaves.timed("generator", 20)
    yield 1


def in_generator(leaves):
    for _ in generate(leaves):
        pass


def in_comprehension(leaves):
    return [leaves.timed("comprehension", 10) for _ in range(2)]


def key_of(leaves):
    leaves.timed("key", 20)
    return 0


# Built-in functions: the interpreter's loop is entered once more for what they call.
def in_sorted(leaves):
    return sorted([leaves], key=key_of)


def mapped(leaves):
    leaves.timed("mapped", 20)


def in_map(leaves):
    return list(map(mapped, [leaves]))


class Guard:
    def __init__(self, leaves):
        self.leaves = leaves

    def __len__(self):
        self.leaves.timed("special", 20)
        return 1


def in_special(leaves):
    return len(Guard(leaves))


def kinds(leaves, _):
    in_generator(leaves)
    in_comprehension(leaves)
    in_sorted(leaves)
    in_map(leaves)
    in_special(leaves)


async def awaited(leaves):
    leaves.timed("awaited", 20)


async def awaiting(leaves):
    await awaited(leaves)


def coroutines(leaves, _):
    import asyncio

    asyncio.run(rounds_of_coroutines(leaves))


async def rounds_of_coroutines(leaves):
    for _ in range(50):
        await awaiting(leaves)


def asleep(leaves):
    begun = time.monotonic_ns()
    time.sleep(0.02)
    leaves.spent["asleep"] = leaves.spent.get("asleep", 0) + time.monotonic_ns() - begun


def waits(leaves, _):
    asleep(leaves)
    leaves.timed("awake", 10)


def work(way, seconds, depth, leaves):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        way(leaves, depth)


def in_threads(way, seconds, depth):
    """Two threads, each of which has leaves of its own."""
    both = [Leaves(), Leaves()]
    threads = [threading.Thread(target=work, args=(way, seconds / 2, depth, one)) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    all_spent = {}
    for one in both:
        for name, spent in one.spent.items():
            all_spent[name] = all_spent.get(name, 0) + spent
    return all_spent


def rename(name):
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)


def main():
    name, way, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    depth = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    sys.setrecursionlimit(10000)
    # Who profiles both names has met the process, and what it runs, when it gets the second.
    rename("warm-up")
    warm_up = time.thread_time() + 0.2
    while time.thread_time() < warm_up:
        burn(10)
    rename(name)
    leaves = Leaves()
    if way == "threads":
        spent = in_threads(shares, seconds, depth)
    else:
        if way == "waits":
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                waits(leaves, depth)
        else:
            work(globals()[way], seconds, depth, leaves)
        spent = leaves.spent
    for leaf, nanoseconds in spent.items():
        print(leaf, nanoseconds)
    print("burn_line", burn.__code__.co_firstlineno + 3)


main()
