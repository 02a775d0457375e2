# SPDX-License-Identifier: Apache-2.0
"""usage: vcd.py FOLDER: for each NAME, are NAME.ours.vcd and NAME.theirs.vcd the same changes at the same times? What is
ours is read a second time through GTKWave's own reader where that is installed."""
import glob, os, re, shutil, subprocess, sys

FORM = {"0": "0", "1": "0", "x": "x", "z": "z"}  # what fills a value up, by its first digit


def read(path):
    """Timescale, and for each variable of the top module its width and its changes; refuses what the standard does not know."""
    scope, var, changes, scale, now, tokens = [], {}, {}, None, None, iter(open(path).read().split())

    def until_end():
        words = []
        for word in tokens:
            if word == "$end":
                return words
            words.append(word)
        raise ValueError("no $end")

    def put(code, value):
        if now is None:
            raise ValueError("a value before the first time")
        for name, width in var[code]:
            if len(value) > width or value.strip("01xz"):
                raise ValueError("%s is %d wide and gets %s" % (name, width, value))
            seen, value = changes[name], value.rjust(width, FORM[value[0]])
            if seen and seen[-1][0] == now:
                seen.pop()
            if not seen or seen[-1][1] != value:
                seen.append((now, value))

    for word in tokens:
        if word == "$scope":
            scope.append(until_end()[1])
        elif word == "$upscope":
            scope.pop()
            until_end()
        elif word == "$timescale":
            scale = "".join(until_end())
        elif word == "$var":
            kind, width, code, name = until_end()[:4]
            var.setdefault(code, [])
            if scope == ["top"] and kind in ("reg", "wire"):
                name = name.lstrip("\\")
                if name in changes:
                    raise ValueError("%s is there twice" % name)
                var[code].append((name, int(width)))
                changes[name] = []
        elif word in ("$dumpvars", "$dumpall", "$dumpon", "$dumpoff", "$end"):
            pass
        elif word[0] == "$":
            until_end()
        elif word[0] == "#":
            if now is not None and int(word[1:]) < now:
                raise ValueError("time goes back to %s" % word)
            now = int(word[1:])
        elif word[0] in "bB":
            put(next(tokens), word[1:].lower())
        elif word[0] in "01xzXZ":
            put(word[1:], word[0].lower())
        else:
            raise ValueError("what is %s?" % word)
    return scale, changes


def compare(ours, theirs, whole):
    """None, or what differs first. The simulator leaves memories out, unless it is asked for a word."""
    (scale, a), (other, b) = ours, theirs
    if whole and scale != other:
        return "timescale %s, the simulator's is %s" % (scale, other)
    lacking = set(b) - set(a) | {name for name in set(a) - set(b) if "[" not in name}
    if lacking:
        return "variables in one dump only: %s" % ", ".join(sorted(lacking))
    for name in b:
        for one, other in zip(a[name] + [None], b[name] + [None]):
            if one != other:
                say = lambda c: "%s at %d" % (c[1], c[0]) if c else "no more changes"
                return "%s: %s, the simulator says %s" % (name, say(one), say(other))
    return None if any(b.values()) else "nothing in it"


def through_gtkwave(path):
    fst, back = path + ".fst", path + ".back"
    for command in (["vcd2fst", path, fst], ["fst2vcd", "-f", fst, "-o", back]):
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return back


def main(folder):
    passed, failed, gtkwave = 0, 0, shutil.which("vcd2fst") and shutil.which("fst2vcd")
    for path in sorted(glob.glob(os.path.join(folder, "*.theirs.vcd"))):
        name = os.path.basename(path)[:-len(".theirs.vcd")]
        try:
            ours, theirs = os.path.join(folder, name + ".ours.vcd"), read(path)
            wrong = compare(read(ours), theirs, True)
            if not wrong and gtkwave:
                wrong = compare(read(through_gtkwave(ours)), theirs, False)
                wrong = wrong and "through vcd2fst: " + wrong
        except (OSError, ValueError, KeyError, StopIteration, subprocess.SubprocessError) as e:
            wrong = "%s: %s" % (type(e).__name__, e)
        passed, failed = passed + (not wrong), failed + bool(wrong)
        print("%s vcd: %s: %s" % ("not ok" if wrong else "ok", name, wrong or "%d changes of %d variables" % (
            sum(map(len, theirs[1].values())), len(theirs[1]))))
    if not gtkwave:
        print("vcd: a second reading: skipped: vcd2fst and fst2vcd are not installed (package gtkwave)")
    print("%d passed, %d failed" % (passed, failed))
    return failed or not passed


sys.exit(main(sys.argv[1]))
