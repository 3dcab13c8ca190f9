"""As duty.c, in Python: what `a` to `d` spend, they spend in what they call."""

import sys
import time


def spin(ns):
    until = time.thread_time_ns() + ns
    while time.thread_time_ns() < until:
        sink = 0
        for i in range(1000):
            sink += i * i


def a(ns):
    spin(ns)


def b(ns):
    spin(ns)


def c(ns):
    spin(ns)


def d(ns):
    spin(ns)


end = time.thread_time_ns() + int(sys.argv[1]) * 1_000_000
spent = [0, 0, 0, 0]
chance = 1
while time.thread_time_ns() < end:
    for index, function in enumerate((a, b, c, d)):
        chance = (chance * 6364136223846793005 + 1442695040888963407) % 2**64
        began = time.thread_time_ns()
        function((index + 1) * (500_000 + (chance >> 33) % 1_000_000))
        spent[index] += time.thread_time_ns() - began
for name, ns in zip("abcd", spent):
    print(name, ns)
