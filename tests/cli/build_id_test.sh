#!/usr/bin/env bash
# Which sources a build is from: the same wherever they lie, another when a file of the library is
# changed, renamed, added or gone, and the same when anything else is.
# Usage: build_id_test.sh REPO_ROOT
set -uo pipefail
root=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/support/checks.sh
source "$root/tests/support/checks.sh"

id() { # FOLDER
  cmake -DROOT="$work/$1" -DVERSION=0.1.0 -DOUT="$work/id.cpp" -P "$root/src/build_id.cmake" &&
    grep -o '"0.1.0+[0-9a-f]*"' "$work/id.cpp"
}
mkdir -p "$work/one/sim/deep"
echo a >"$work/one/sim/a.cpp"
echo b >"$work/one/sim/deep/b.hpp"
first=$(id one)
check 'it has twelve digits' test "${#first}" = 20
cp -r "$work/one" "$work/two"
check 'elsewhere' same "$(id two)" "$first"
touch "$work/two/sim/a.cpp"
mkdir "$work/two/src"
echo c >"$work/two/src/c.cpp"
echo d >"$work/two/sim/CMakeLists.txt"
check 'beside other files' same "$(id two)" "$first"
changed() { # NAME COMMAND...: in a copy
  local name=$1
  shift
  rm -rf "$work/other"
  cp -r "$work/one" "$work/other"
  (cd "$work/other/sim" && "$@")
  check "$name" differ "$(id other)" "$first"
}
changed 'a file changed' sed -i s/b/c/ deep/b.hpp
changed 'a file renamed' mv a.cpp b.cpp
changed 'a file more' touch c.hpp
changed 'a file less' rm a.cpp
end_of_checks
