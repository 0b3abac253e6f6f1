#!/usr/bin/env bash
# Shows that each check of tidy.sh can fail: a clean tree passes, and a tree with one violation of
# each kind gets exactly one finding for each. Usage: tidy_test.sh REPOSITORY_ROOT
# shellcheck disable=SC2016
set -euo pipefail

root=$(readlink -f -- "${1:?usage: tidy_test.sh REPOSITORY_ROOT}")
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
tree=$work/tree
failures=0
expected=()

# put PATH: writes a file of the tree from stdin.
put() {
  mkdir -p "$(dirname -- "$tree/$1")"
  cat >"$tree/$1"
}
# header PATH LINE...: a header that is right but for the lines, which start at line 4.
header() {
  local path=$1
  shift
  printf '%s\n' '// A header.' '#pragma once' '' "$@" | put "$path"
}
# expect FILE:LINE WORDS: the next run must report that.
expect() {
  expected+=("$1: error: |$2")
}
fail() {
  failures=$((failures + 1))
  printf 'FAILED: %s\n' "$*"
}
# run NAME STATUS: runs tidy.sh on the tree; its findings must be the expected ones and no others.
run() {
  local status=0 line item
  "$root/tests/tidy/tidy.sh" "$tree" >"$work/out" 2>&1 || status=$?
  [[ $status == "$2" ]] || fail "$1: exit status $status, not $2"
  for item in "${expected[@]}"; do
    grep -F -e "${item%%|*}" "$work/out" | grep -qF -e "${item#*|}" || fail "$1: no finding $item"
  done
  while IFS= read -r line; do
    for item in "${expected[@]}"; do
      [[ $line != "${item%%|*}"*"${item#*|}"* ]] || continue 2
    done
    fail "$1: unexpected finding $line"
  done < <(grep ' error: ' "$work/out" || true)
  expected=()
}

# ---- A tree where everything is right, with what looks like a violation and is none.
put .clang-format <<<'{ BasedOnStyle: Google, ColumnLimit: 0 }'
header sim/base/units.hpp '#include <cstdio>' '' 'inline int units() { return 1; }'
header sim/cluster/cluster.hpp '#include <boost/graph/adjacency_list.hpp>' '' \
  '#include "sim/base/units.hpp"'
header sim/engine/engine.hpp '#include <simgrid/s4u.hpp>' '' '#include "sim/tasks/plan.hpp"'
header sim/scenario/scenario.hpp '#include <yaml-cpp/yaml.h>' '' \
  '#include "sim/collective/ring.hpp"'
header sim/collective/ring.hpp '#include <vector>'
put sim/tasks/plan.hpp <<'CPP'
// A header; std::cout, exit(1) and using namespace std are fine in a comment.
#pragma once

#include <iosfwd>

#include "../cluster/cluster.hpp"

/* printf("x"); and
   std::cerr << 1; as well */
inline const char* text() { return "std::cout << exit(1); // \" using namespace std"; }
inline const char* raw() {
  return R"text(
#include <iostream>
exit(1); std::cout << "x";
)text";
}
inline int separated() { return 1'000'000; }
inline void on_exit(int) {}
inline void call() { on_exit(1); }
CPP
put sim/danlu.hpp <<'CPP'
// What an embedding program includes.
#pragma once

#include "sim/session/pool.hpp"
CPP
header sim/session/pool.hpp '#include "sim/report/report.hpp"'
put sim/session/pool.cpp <<<'void live() { _exit(0); }'
put src/main.cpp <<'CPP'
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "sim/engine/engine.hpp"

using namespace std;

int main() { std::exit(0); }
CPP
put src/program.cpp <<'CPP'
#include <iostream>

void print() { std::cout << "ok"; }
CPP
{
  printf '// '
  for ((i = 0; i < 97; ++i)); do printf 'é'; done
  printf '\n'
} | put src/wide.cpp
put docs/index.md <<'MD'
# Index

[Guide](guide.md#start), [decisions](adr/README.md), [outside](https://example.org/x), [here](#a).

```
[not a link](nowhere.md)
```

`[nor this](nowhere.md)` and [by name][guide].

[guide]: guide.md "Guide"
MD
put docs/guide.md <<<'[Back](index.md), [the licence](../LICENSE), [folder](adr/)'
put docs/adr/README.md <<<'[One](0001.md)'
put docs/adr/0001.md <<<'One.'
put LICENSE <<<'Text.'
put schemas/scenario.json <<<'{}'
put scenarios/small/a.yaml <<<'# yaml-language-server: $schema=../../schemas/scenario.json'
put build/release/generated.hpp <<<'using namespace std;'
run 'clean tree, without git' 0
if command -v git >/dev/null; then
  git -C "$tree" init -q
  put .gitignore <<<'out/'
  put out/ignored.hpp <<<'using namespace std;'
  run 'clean tree, with git' 0
  rm -rf -- "$tree/.git" "$tree/out"
fi

# ---- (a) Every include edge that is not allowed.
everything='base cluster collective schedule workload program fold tasks engine report'
everything+=' scenario validation campaign'
read -ra layers <<<"$everything session"
declare -A allowed=(
  [base]=''
  [cluster]='base'
  [collective]='base cluster'
  [schedule]='base'
  [workload]='base cluster collective schedule'
  [program]='base cluster collective schedule workload'
  [fold]='base cluster collective workload program'
  [tasks]='base cluster collective schedule workload program fold'
  [engine]='base cluster collective tasks'
  [report]='base cluster collective schedule workload program fold tasks campaign'
  [scenario]='base cluster collective schedule workload campaign'
  [validation]='base cluster collective workload scenario'
  [campaign]='base'
  [session]="$everything"
)
for from in "${layers[@]}"; do
  lines=()
  for to in "${layers[@]}"; do
    lines+=("#include \"sim/$to/x.hpp\"")
    if [[ $from != "$to" && " ${allowed[$from]} " != *" $to "* ]]; then
      expect "sim/$from/edges.hpp:$((3 + ${#lines[@]}))" "sim/$from must not include sim/$to"
    fi
  done
  # Alphabetic, as clang-format wants them, but at their places: one block each.
  printf '%s\n' '// A header.' '#pragma once' '// clang-format off' "${lines[@]}" |
    put "sim/$from/edges.hpp"
done
run 'edges' 1
rm "$tree"/sim/*/edges.hpp

header sim/session/all.hpp '#include "sim/danlu.hpp"'
expect sim/session/all.hpp:4 'sim/session must not include sim/danlu.hpp'
header sim/base/a.hpp '#include "../cluster/cluster.hpp"'
expect sim/base/a.hpp:4 'sim/base must not include sim/cluster'
header sim/base/b.hpp '#include "cluster/cluster.hpp"'
expect sim/base/b.hpp:4 'sim/base must not include sim/cluster'
header sim/base/c.hpp '#include "src/main.hpp"'
expect sim/base/c.hpp:4 'nothing in sim/ includes src/'
header sim/base/d.hpp '#include "../../src/main.hpp"'
expect sim/base/d.hpp:4 'nothing in sim/ includes src/'
header sim/other/e.hpp 'int e();'
expect sim/other/e.hpp:1 'no such folder'
header sim/f.hpp 'int f();'
expect sim/f.hpp:1 'no such folder'

# ---- (b) Third parties and the console.
header sim/tasks/simgrid.hpp '#include <simgrid/s4u.hpp>'
expect sim/tasks/simgrid.hpp:4 '<simgrid> is for sim/engine/ alone'
header src/xbt.hpp '#include <xbt/log.h>'
expect src/xbt.hpp:4 '<xbt> is for sim/engine/ alone'
header src/yaml.hpp '#include <yaml-cpp/yaml.h>'
expect src/yaml.hpp:4 '<yaml-cpp> is for sim/scenario/ alone'
header tests/boost.hpp '#include <boost/graph/graph_traits.hpp>'
expect tests/boost.hpp:4 '<boost/graph> is for sim/cluster/ or sim/tasks/ alone'
header sim/report/cli.hpp '#include <CLI/CLI.hpp>'
expect sim/report/cli.hpp:4 '<CLI> is for src/ alone'
header sim/report/iostream.hpp '#include <iostream>'
expect sim/report/iostream.hpp:4 'no <iostream> in sim/'
put sim/report/console.cpp <<'CPP'
void a() { std::cout << 1; }
void b() { std::cerr << 1; }
void c() { printf("x"); }
void d() { std::fprintf(stderr, "x"); }
void e() { exit(1); }
void f() { std::exit(1); }
const char* g() { return std::getenv("HOME"); }
CPP
expect sim/report/console.cpp:1 'no std::cout'
expect sim/report/console.cpp:2 'no std::cout, cerr'
expect sim/report/console.cpp:3 'no printf'
expect sim/report/console.cpp:4 'no printf'
expect sim/report/console.cpp:5 'no exit()'
expect sim/report/console.cpp:6 'no exit()'
expect sim/report/console.cpp:7 'no getenv()'

put src/console.cpp <<'CPP'
void a() { fmt::print(stderr, "x"); }
void b() { std::fputs("stderr", stdout); }
// stderr
CPP
expect src/console.cpp:1 'only src/program.cpp writes to a terminal'
expect src/console.cpp:2 'only src/program.cpp writes to a terminal'

# ---- (c) Text.
printf '#!/bin/sh\n\techo tab\n' | put scripts/tab.sh
expect scripts/tab.sh:2 'a tab'
printf '#!/bin/sh\necho blank \n' | put scripts/blank.sh
expect scripts/blank.sh:2 'at the end of the line'
printf '# %099d\n' 0 | put tests/CMakeLists.txt
expect tests/CMakeLists.txt:1 '101 columns'
for ((i = 0; i < 601; ++i)); do printf '// %d\n' "$i"; done | put src/long.cpp
expect src/long.cpp:601 '601 lines'
put src/comment.hpp <<<'#pragma once'
expect src/comment.hpp:1 'start the header with a // comment'
put src/once.hpp <<<'// A header.'
expect src/once.hpp:1 'no `#pragma once`'
header src/using.hpp 'using namespace std;'
expect src/using.hpp:4 'no `using namespace` in a header'
line=0
for word in TO{DO,} FIX{ME,} X{XX,} HA{CK,}; do
  line=$((line + 1))
  printf '// %s: later\n' "$word"
done | put src/later.cpp
for line in 1 3 5 7; do
  expect "src/later.cpp:$line" 'do something later'
done

# ---- (d) Links.
put docs/alone.md <<<'Nothing leads here, though [this](guide.md) leads out.'
expect docs/alone.md:1 'nothing leads here'
put docs/adr/0002.md <<<'Linked from a file of another folder alone.'
put docs/guide.md <<'MD'
[Two](adr/0002.md) and [none](missing.md)
and [out](../../x), ![image](none.png "x").
MD
expect docs/adr/0002.md:1 'or from a linked file in docs/adr/'
expect docs/guide.md:1 'link to missing.md'
expect docs/guide.md:2 'link to ../../x leaves'
expect docs/guide.md:2 'link to none.png'
put README.md <<<'[lost]: docs/lost.md'
expect README.md:1 'link to docs/lost.md'

# ---- (e) Schemas.
put scenarios/none.yaml <<<'name: none'
expect scenarios/none.yaml:1 'first line must be'
put topologies/lost.yaml <<<'# yaml-language-server: $schema=../schemas/lost.json'
expect topologies/lost.yaml:1 'no schema at ../schemas/lost.json'

# ---- (f) Layout.
put src/layout.cpp <<<'int  main(){return 0;}'
formatter=
for name in clang-format-14 clang-format; do
  if command -v "$name" >/dev/null && [[ $("$name" --version) == *' version 14.'* ]]; then
    formatter=$name
  fi
done
if [[ -n $formatter ]]; then
  expect src/layout.cpp:1 "layout; run"
fi
run 'violations' 1

# ---- Without clang-format there is a note, and no more.
rm -rf -- "$tree"
header sim/base/units.hpp 'int  x;'
mkdir "$work/bin"
for tool in awk bash cat find grep mktemp rm sort xargs; do
  ln -s "$(command -v "$tool")" "$work/bin/$tool"
done
bash=$(command -v bash)
status=0
PATH=$work/bin "$bash" "$root/tests/tidy/tidy.sh" "$tree" >"$work/out" 2>&1 || status=$?
[[ $status == 0 ]] || fail "without clang-format: exit status $status"
grep -q 'note: no clang-format' "$work/out" || fail 'without clang-format: no note'

[[ $failures == 0 ]] || exit 1
printf 'tidy_test: all findings as expected\n'
