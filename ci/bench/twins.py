# SPDX-License-Identifier: Apache-2.0
"""Two designs, each as text for the scheduler VM and as Verilog of the same meaning, line for line.
usage: twins.py pico|counters sva|v CYCLES >FILE      pico sva 100 is pico:45, the built-in workload"""
import sys

EDGES = [15, 30, 9, 12, 18, 21, 24, 27, 33, 36, 42, 48, 54, 60, 66, 72, 84, 96, 120, 150, 204, 312, 480, 624]
COMBS = [6, 8, 10, 12, 14, 16, 20, 22, 26, 28, 34, 40, 46, 52, 64, 88, 128]
COUNTERS = 45


class Vm:
    def __init__(self, signals):
        print(".svm 1.0\n.state 4\n.limits nba=64 args=4")
        for name, width in signals:
            print(".signal %s %u = %u'd0" % (name, width, width))

    def process(self, name, body, again):
        print(".proc %s" % name)
        lines = [" " + self.text(*word) for word in body] + ([" jmp top"] if again else [])
        print("\n".join(["top:" + lines[0]] + lines[1:] if again else lines))

    def text(self, what, *more):
        return {"fold": lambda to, of, by, n: "set %s = { %%%s 32'd%u mul:32 32'd%u add:32 }" % (to, of, by, n),
                "set": lambda to, n: "set %s = { 32'd%u }" % (to, n),
                "copy": lambda to, of: "set %s = { %%%s }" % (to, of),
                "toggle": lambda s: "set %s = { %%%s not:1 }" % (s, s),
                "nba": lambda to, of: "nba %s = { %%%s }" % (to, of),
                "count": lambda s, n: "nba %s = { %%%s 32'd%u add:32 }" % (s, s, n),
                "delay": lambda n: "wait.time %u" % n,
                "posedge": lambda s: "wait.edge pos { %%%s }" % s,
                "change": lambda s: "wait.edge star %s" % s,
                "print": lambda form, *of: 'svc display "%s"' % form + "".join(", { %%%s }" % s for s in of),
                "finish": lambda: "svc finish"}[what](*more)

    def end(self):
        pass


class Verilog:
    def __init__(self, signals):
        print("module top;")
        for name, width in signals:
            print("reg [%u:0] %s = %u'd0;" % (width - 1, name, width))

    def process(self, name, body, again):
        print("%s begin : %s" % ("always" if again else "initial", name))
        print("\n".join("  %s;" % self.text(*word) for word in body) + "\nend")

    def text(self, what, *more):
        return {"fold": lambda to, of, by, n: "%s = %s * 32'd%u + 32'd%u" % (to, of, by, n),
                "set": lambda to, n: "%s = 32'd%u" % (to, n),
                "copy": lambda to, of: "%s = %s" % (to, of),
                "toggle": lambda s: "%s = ~%s" % (s, s),
                "nba": lambda to, of: "%s <= %s" % (to, of),
                "count": lambda s, n: "%s <= %s + 32'd%u" % (s, s, n),
                "delay": lambda n: "#%u" % n,
                "posedge": lambda s: "@(posedge %s)" % s,
                "change": lambda s: "@(%s)" % s,
                "print": lambda form, *of: '$display("%s", %s)' % (form, ", ".join(of)),
                "finish": lambda: "$finish(0)"}[what](*more)

    def end(self):
        print("endmodule")


def clocked(out, cycles, begin, last):
    """The processes that both designs share: a clock of period 10, and one that ends it all."""
    out.process("p%u" % begin, [("delay", 5), ("toggle", "clk")], True)
    out.process("p%u" % (begin + 1), [("delay", 10 * cycles + 3)] + last + [("finish",)], False)


def pico(language, cycles):
    first = 4
    middle = first + len(EDGES)
    out = language([("clk", 1), ("k0", 32), ("k1", 32), ("m", 32)] +
                   [(s % p, 32) for p in range(first, middle) for s in ("t%u", "acc%u")] +
                   [("c%u" % p, 32) for p in range(middle, middle + len(COMBS))])
    out.process("p0", [("set", "k0", 0x10001)], False)
    out.process("p1", [("set", "k1", 0x20002)], False)
    clocked(out, cycles, 2, [("fold", "m", "m", 5, j) for j in range(1, 99)] +
            [("print", "pico45 m=%h acc4=%h acc27=%h c44=%h", "m", "acc4", "acc27", "c44")])
    for p, n in enumerate(EDGES, first):
        t, acc = "t%u" % p, "acc%u" % p
        out.process("p%u" % p, [("posedge", "clk")] + [("fold", t, t, 5, j) for j in range(1, n - 3)] +
                    [("nba", acc, t)], True)
    for p, n in enumerate(COMBS, middle):
        c, acc = "c%u" % p, "acc%u" % (p - len(EDGES))
        out.process("p%u" % p, [("copy", c, acc)] + [("fold", c, c, 7, j) for j in range(1, n - 3)] +
                    [("change", acc)], True)
    out.end()


def counters(language, cycles):
    names = ["n%u" % i for i in range(COUNTERS)]
    out = language([("clk", 1)] + [(s, 32) for s in names])
    shown = [("print", "counters " + " ".join("%h" for _ in some), *some) for some in
             (names[at:at + 4] for at in range(0, COUNTERS, 4))]
    clocked(out, cycles, 0, shown)
    for i, s in enumerate(names):
        out.process("p%u" % (i + 2), [("posedge", "clk"), ("count", s, 2 * i + 1)], True)
    out.end()


if __name__ == "__main__":
    {"pico": pico, "counters": counters}[sys.argv[1]]({"sva": Vm, "v": Verilog}[sys.argv[2]], int(sys.argv[3]))
