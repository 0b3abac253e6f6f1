#!/usr/bin/env python3
"""Which wrong changes of one line the unit, oracle and property tests notice.

    tests/mutation/mutate.py [--only TEXT] [--build FOLDER] [--jobs N] [--list]

Works on a copy of the tracked files in FOLDER (build/mutation), with a build of its own there; the
checkout is never touched, and an interrupted run is mended by the next. Each change of mutants.txt is
applied to the copy, built, and the tests that claim the file run until one fails; then it is taken
back. Transcripts and generated pages do not count. Hours for the whole table, so it is run by hand.

A line of the table whose text is not found exactly once is refused before anything is built, and so
is a table whose claiming tests fail without any change. Exit code: 0 all caught, 1 some survived, 2
the table or the build is wrong.
"""

import argparse
import filecmp
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Not units of the code: scripts, transcripts, pages that are generated.
NOT_COUNTED = r"^(cli|fuzz|smpi|tidy|units_must_not_compile|validation)/|^Keys\."


def read_table(path):
    """The claims (prefix, regex) and the mutants (line, file, before, after)."""
    claims, mutants, file, before = [], [], None, None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("tests "):
            _, prefix, regex = line.split(None, 2)
            claims.append((prefix, regex))
        elif line.startswith("- "):
            before = line[2:]
        elif line.startswith("+ ") and file and before:
            mutants.append((number, file, before, line[2:]))
            before = None
        else:
            file = line
    return claims, mutants


def problems_of(claims, mutants):
    for number, file, before, after in mutants:
        found = (ROOT / file).read_text().count(before) if (ROOT / file).exists() else 0
        if found != 1:
            yield f"mutants.txt:{number}: {file} has this {found} times: {before}"
        if before == after:
            yield f"mutants.txt:{number}: nothing changes"
        if not any(file.startswith(prefix) for prefix, _ in claims):
            yield f"mutants.txt:{number}: no tests claim {file}"


def copy_tree(to):
    """Tracked and new files; one that is equal stays, so that it is not built anew."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split("\n")
    kept = set(filter(None, listed))
    for old in [p for p in to.rglob("*") if p.is_file() and str(p.relative_to(to)) not in kept]:
        old.unlink()
    for name in kept:
        source, target = ROOT / name, to / name
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or not filecmp.cmp(source, target, shallow=False):
            shutil.copyfile(source, target)


def run(command, log, **more):
    log.write(f"$ {' '.join(map(str, command))}\n")
    log.flush()
    return subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, **more).returncode


def run_tests(build, regex, jobs, log):
    """The name of a test that fails, "" if all pass, None if there is none."""
    command = ["ctest", "-j", str(jobs), "-R", regex, "-E", NOT_COUNTED, "-LE", "^(slow|bench)$",
               "--stop-on-failure", "--timeout", "300", "--no-tests=error"]
    done = subprocess.run(command, cwd=build, capture_output=True, text=True)
    log.write(done.stdout + done.stderr)
    failed = re.search(r"\d+ - (\S+) \((?:Failed|Timeout|Subprocess|SEGFAULT|\w+)", done.stdout)
    if done.returncode == 0:
        return ""
    return failed.group(1) if failed else None


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="changes whose file or text has this in it")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "mutation")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--list", action="store_true", help="check the table, run nothing")
    options = parser.parse_args()

    claims, mutants = read_table(HERE / "mutants.txt")
    problems = list(problems_of(claims, mutants))
    if problems:
        print("\n".join(problems), file=sys.stderr)
        return 2
    mutants = [m for m in mutants if options.only in m[1] or options.only in m[2]]
    claim = lambda file: next(regex for prefix, regex in claims if file.startswith(prefix))
    if options.list:
        for number, file, before, after in mutants:
            print(f"{number:4} {file}\n     - {before}\n     + {after}")
        print(f"{len(mutants)} changes")
        return 0

    source, build = options.build.resolve() / "source", options.build.resolve() / "build"
    source.mkdir(parents=True, exist_ok=True)
    copy_tree(source)
    with open(options.build / "log.txt", "w") as log:
        make = ["cmake", "--build", build, "--target", "danlu_tests", "-j", str(options.jobs)]
        if run(["cmake", "-S", source, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG"], log) or run(make, log):
            print(f"the build fails without any change, see {log.name}", file=sys.stderr)
            return 2
        for regex in dict.fromkeys(claim(m[1]) for m in mutants):
            failed = run_tests(build, regex, options.jobs, log)
            if failed != "":
                print(f"without any change fails {failed or 'to find a test'}: {regex}",
                      file=sys.stderr)
                return 2
        survived, caught, broken = [], 0, []
        for number, file, before, after in mutants:
            begin, target = time.monotonic(), source / file
            text = target.read_text()
            try:
                target.write_text(text.replace(before, after))
                if run(make, log):
                    broken.append(number)
                    verdict = "DOES NOT COMPILE"
                else:
                    failed = run_tests(build, claim(file), options.jobs, log)
                    verdict = f"caught by {failed or 'a crash'}" if failed != "" else "SURVIVED"
                    caught += failed != ""
                    survived += [number] if failed == "" else []
            finally:
                target.write_text(text)
            print(f"{number:4} {file}: {after.strip()[:60]}: {verdict} "
                  f"({time.monotonic() - begin:.0f} s)", flush=True)
    print(f"{caught} of {len(mutants)} caught; survived: {survived or 'none'}"
          + (f"; do not compile: {broken}" if broken else ""))
    return 2 if broken else 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
