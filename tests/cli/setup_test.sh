#!/usr/bin/env bash
# Tries ./danlu, ./test and scripts/setup.sh on a copy with a toy project, with stand-ins for
# dpkg-query, apt-get, sudo and id. Usage: setup_test.sh REPOSITORY_ROOT
set -euo pipefail

root=$(readlink -f -- "${1:?usage: setup_test.sh REPOSITORY_ROOT}")
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
unset DANLU_SKIP_SETUP CDPATH VERBOSE
# shellcheck source=tests/support/checks.sh
source "$root/tests/support/checks.sh"
explain_failure() {
  sed 's/^/  stdout: /' "$work/out"
  sed 's/^/  stderr: /' "$work/err"
}

says() { grep -qF -e "$2" "$work/$1"; }
silent() { [[ ! -s $work/$1 ]]; }

# The only programs that the scripts may find, besides the stand-ins.
mkdir "$work/tools" "$work/fakes" "$work/user"
for tool in awk bash cat cmake ctest dirname env find flock grep id mkdir mktemp mv ninja nproc \
  readlink rm sed sleep tee; do
  if path=$(command -v "$tool"); then
    ln -s "$(readlink -f -- "$path")" "$work/tools/$tool"
  fi
done
rm "$work/tools/cmake" # counted: one line per call
cat >"$work/tools/cmake" <<FAKE
#!/usr/bin/env bash
printf '%s\n' "\$*" >>"$work/cmake.calls"
exec "$(readlink -f -- "$(command -v cmake)")" "\$@"
FAKE
# coreutils and awk may be one program that looks at its name; links by real name break those.
if [[ $(readlink -f -- "$(command -v cat)") != */cat ]]; then
  printf 'setup_test: multi-call coreutils, not tried here\n'
  exit 0
fi

# fake NAME: makes a stand-in from stdin; every call is noted in NAME.calls.
fake() {
  {
    printf '#!/usr/bin/env bash\nprintf "%%s\\n" "$*" >>"%s"\n' "$work/$1.calls"
    cat
  } >"$work/fakes/$1"
  chmod +x "$work/fakes/$1"
}
# What is installed is the list of names in the file `installed`.
fake_dpkg() {
  fake dpkg-query <<FAKE
status=0
for name in "\${@:4}"; do
  if grep -qxF -e "\$name" "$work/installed"; then printf '%s installed\n' "\$name"
  else status=1; fi
done
exit \$status
FAKE
}
fake_apt() {
  fake apt-get <<FAKE
[[ \$1 == install ]] || exit 0
for name in "\$@"; do printf '%s\n' "\$name" >>"$work/installed"; done
FAKE
}
fake_id() {
  fake id <<FAKE
echo $1
FAKE
}
calls() {
  if [[ -f $work/$1.calls ]]; then
    grep -c '' "$work/$1.calls" || true
  else
    echo 0
  fi
}
packages=(libsimgrid-dev libboost-graph-dev libspdlog-dev libfmt-dev libyaml-cpp-dev libexpat1-dev
  libtomlplusplus-dev libisal-dev libsqlite3-dev libjemalloc-dev
  libcli11-dev nlohmann-json3-dev libgtest-dev zlib1g-dev cmake ninja-build g++ pkg-config)

# A copy with a toy project: bin/danlu is a script, src/danlu, and there are three tests.
fresh_copy() {
  rm -rf -- "$work/repo" "$work/fakes" "$work"/*.calls
  mkdir -p "$work/repo/scripts" "$work/repo/src" "$work/repo/.ci" "$work/fakes"
  cp "$root/danlu" "$root/test" "$root/CMakePresets.json" "$work/repo/"
  cp "$root/scripts/setup.sh" "$work/repo/scripts/"
  cp "$root/.ci/run" "$work/repo/.ci/"
  cat >"$work/repo/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(toy LANGUAGES NONE)
add_custom_command(
  OUTPUT bin/danlu
  COMMAND ${CMAKE_COMMAND} -E echo built >> ${CMAKE_BINARY_DIR}/builds
  COMMAND ${CMAKE_COMMAND} -E sleep 0.1
  COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/src/danlu bin/danlu
  DEPENDS src/danlu)
add_custom_target(program ALL DEPENDS bin/danlu)
enable_testing()
add_test(NAME good COMMAND ${CMAKE_COMMAND} -E true)
add_test(NAME also_good COMMAND ${CMAKE_COMMAND} -E true)
add_test(NAME skipped COMMAND bash -c "exit 77")
set_tests_properties(skipped PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME bad COMMAND ${CMAKE_COMMAND} -E false)
add_test(NAME slow COMMAND ${CMAKE_COMMAND} -E false)
set_tests_properties(slow PROPERTIES LABELS slow)
add_test(NAME long COMMAND ${CMAKE_COMMAND} -E true)
set_tests_properties(long PROPERTIES LABELS long)
CMAKE
  cat >"$work/repo/src/danlu" <<'PROGRAM'
#!/usr/bin/env bash
echo "args:$# $* pwd:$PWD"
[[ ${1:-} == stdin ]] && cat
exit "${TOY_STATUS:-0}"
PROGRAM
  chmod +x "$work/repo/src/danlu"
  printf '%s\n' "${packages[@]}" >"$work/installed"
}
# try COMMAND...: sets status; stdout and stderr are in files out and err.
try() {
  status=0
  (cd "$work/user" && PATH=$work/fakes:$work/tools DANLU_BUILD_DIR="$work/bin dir" \
    "$@") </dev/null >"$work/out" 2>"$work/err" || status=$?
}
danlu() { try "$work/repo/danlu" "$@"; }
new() {
  rm -rf -- "$work/bin dir"
  fresh_copy
}
chmod +x "$work/tools/cmake"
: >"$work/out"
: >"$work/err"

# No apt-get, no dpkg-query.
new
danlu run x.yaml
check 'no apt: status' same "$status" 2
check 'no apt: says what is missing' says err 'missing packages: libsimgrid-dev libboost-graph-dev'
check 'no apt: says so' says err 'no apt-get'
check 'no apt: says what a package provides' says err 'Boost.Graph 1.74 or newer'
check 'no apt: says what the cross-check needs' says err 'smpirun'
check 'no apt: stdout is empty' silent out
for name in "${packages[@]}"; do
  check "no apt: names $name" grep -q "^    $name  " "$work/err"
done
check 'no apt: built nothing' same "$(calls cmake)" 0

# The same with the packages vouched for, and afterwards without.
try env DANLU_SKIP_SETUP=1 "$work/repo/danlu" 'a b' c
check 'vouched: status' same "$status" 0
check 'vouched: arguments and folder' same "$(<"$work/out")" "args:2 a b c pwd:$work/user"
danlu
check 'built: needs no apt any more' same "$status" 0

# Some packages missing, root.
new
fake_dpkg
fake_apt
fake_id 0
printf '%s\n' "${packages[@]:2}" >"$work/installed"
danlu
check 'install: status' same "$status" 0
check 'install: says which' says err 'missing packages: libsimgrid-dev libboost-graph-dev'
check 'install: says only those' same "$(grep -c libspdlog-dev "$work/err")" 0
check 'install: installs only those' grep -qE \
  '^install -y .*libsimgrid-dev libboost-graph-dev$' "$work/apt-get.calls"
check 'install: stdout is the program alone' same "$(grep -c '' "$work/out")" 1

# Everything there: one dpkg-query, no apt-get; the second call runs neither, nor cmake.
new
fake_dpkg
fake_apt
danlu
check 'complete: status' same "$status" 0
check 'complete: one dpkg-query' same "$(calls dpkg-query)" 1
check 'complete: no apt-get' same "$(calls apt-get)" 0
before=$(calls cmake)
start=${EPOCHREALTIME/[.,]/}
danlu
elapsed=$((${EPOCHREALTIME/[.,]/} - start))
check 'again: status' same "$status" 0
check 'again: quiet' silent err
check 'again: no dpkg-query' same "$(calls dpkg-query)" 1
check 'again: no cmake' same "$(calls cmake)" "$before"
check "again: ${elapsed} us" test "$elapsed" -lt 500000
status=0
(cd "$work/user" && echo piped | PATH=$work/fakes:$work/tools DANLU_BUILD_DIR="$work/bin dir" \
  "$work/repo/danlu" stdin) >"$work/out" 2>"$work/err" || status=$?
check 'stdin goes to the program' says out piped
try env TOY_STATUS=7 "$work/repo/danlu"
check 'the status is the program'\''s' same "$status" 7
ln -s "$work/repo/danlu" "$work/user/link"
try ./link
check 'through a link' same "$status" 0

# A changed source builds; a changed CMakeLists.txt or preset configures; a document does neither.
echo 'echo changed' >>"$work/repo/src/danlu"
sed -i '/^exit/d' "$work/repo/src/danlu"
danlu
check 'changed source: built' says out changed
check 'changed source: quiet' silent err
check 'changed source: not configured' same "$(grep -c -- --preset "$work/cmake.calls")" 1
echo '# comment' >>"$work/repo/README.md"
before=$(calls cmake)
danlu
check 'document: not built' same "$(calls cmake)" "$before"
# shellcheck disable=SC2016
echo 'file(WRITE ${CMAKE_BINARY_DIR}/again "")' >>"$work/repo/CMakeLists.txt"
danlu
check 'changed CMakeLists.txt: configured' test -f "$work/bin dir/again"
echo >>"$work/repo/CMakePresets.json"
danlu
check 'changed presets: configured' same "$(grep -c -- --preset "$work/cmake.calls")" 2
touch "$work/repo/src/extra"
danlu
rm "$work/repo/src/extra"
before=$(calls cmake)
danlu
check 'removed file: looked again' differ "$(calls cmake)" "$before"

# A failing build: log on stderr, status 2, the old binary is not run.
mv "$work/repo/src/danlu" "$work/repo/src/gone"
danlu
check 'failing build: status' same "$status" 2
check 'failing build: log' says err 'src/danlu'
check 'failing build: says so' says err 'building danlu failed'
check 'failing build: stdout is empty' silent out
mv "$work/repo/src/gone" "$work/repo/src/danlu"
danlu
check 'mended build: status' same "$status" 0

# The repository moved: configured afresh.
mv "$work/repo" "$work/elsewhere"
try "$work/elsewhere/danlu"
check 'moved: status' same "$status" 0
mv "$work/elsewhere" "$work/repo"

# No root: sudo, and without sudo a message.
new
fake_dpkg
fake_apt
fake_id 1000
fake sudo <<<'exec "$@"'
: >"$work/installed"
danlu
check 'sudo: status' same "$status" 0
check 'sudo: used' test "$(calls sudo)" -ge 1
check 'sudo: apt-get ran' test "$(calls apt-get)" -ge 1
new
fake_dpkg
fake_apt
fake_id 1000
: >"$work/installed"
danlu
check 'no sudo: status' same "$status" 2
check 'no sudo: says so' says err 'root or sudo'
check 'no sudo: apt-get did not run' same "$(calls apt-get)" 0
fake_id 0
fake apt-get <<<'echo "E: no network"; exit 100'
danlu
check 'apt-get fails: status' same "$status" 2
check 'apt-get fails: its output' says err 'E: no network'
check 'apt-get fails: what to install' says err 'CMake 3.25 or newer'
fake apt-get <<<'exit 0'
danlu
check 'apt-get lies: status' same "$status" 2
check 'apt-get lies: says so' says err 'still missing after apt-get'

# What takes long says how far it is: some lines where there is no terminal, one that is written
# over where there is one. Forty files to build, and 48 steps of apt-get: three for each package.
new
fake_dpkg
fake_id 0
: >"$work/installed"
fake apt-get <<FAKE
[[ \$1 == install ]] || exit 0
echo '0 upgraded, 16 newly installed, 0 to remove and 0 not upgraded.'
for what in Get:1 Unpacking 'Setting up'; do
  for number in {1..16}; do echo "\$what package-\$number"; done
done
for name in "\$@"; do printf '%s\n' "\$name" >>"$work/installed"; done
FAKE
cat >>"$work/repo/CMakeLists.txt" <<'CMAKE'
foreach(number RANGE 1 40)
  add_custom_command(OUTPUT many/${number}
    COMMAND ${CMAKE_COMMAND} -E touch many/${number})
  list(APPEND many many/${number})
endforeach()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/many)
add_custom_target(files DEPENDS ${many})
CMAKE
sed -i 's|DEPENDS src/danlu)|DEPENDS src/danlu files)|' "$work/repo/CMakeLists.txt"
danlu
check 'long: status' same "$status" 0
for quarter in 'installing packages [12/48]' 'installing packages [48/48]' 'building danlu [' \
  'building danlu (the first time'; do
  check "long: $quarter" says err "$quarter"
done
check 'long: four lines for the packages' same "$(grep -c 'packages \[' "$work/err")" 4
check 'long: four lines for the build' same "$(grep -c 'danlu \[' "$work/err")" 4
check 'long: no line is written over' same "$(grep -c $'\r' "$work/err")" 0
if command -v script >/dev/null; then
  terminal=$(readlink -f -- "$(command -v script)")
  rm -rf -- "$work/bin dir"
  try "$terminal" -qec "$work/repo/danlu" /dev/null
  check 'terminal: status' same "$status" 0
  check 'terminal: counts' says out 'building danlu [40/'
  check 'terminal: on one line' same "$(grep -c 'building danlu \[' "$work/out")" 1
fi

# Four copies at once build once.
new
fake_dpkg
fake_apt
running=()
for number in 1 2 3 4; do
  (cd "$work/user" && PATH=$work/fakes:$work/tools DANLU_BUILD_DIR="$work/bin dir" \
    "$work/repo/danlu" "$number") >"$work/out.$number" 2>"$work/err.$number" &
  running+=($!)
done
status=0
for process in "${running[@]}"; do
  wait "$process" || status=1
done
check 'at once: all succeed' same "$status" 0
check 'at once: all ran' same "$(cat "$work"/out.? | grep -c '^args:1')" 4
check 'at once: built once' same "$(grep -c '' "$work/bin dir/builds")" 1
check 'at once: configured once' same "$(grep -c -- --preset "$work/cmake.calls")" 1

# ./test: ctest's status, the last line, its arguments; and .ci/run the same with what takes long.
try "$work/repo/test"
check 'test: fails' same "$status" 8
check 'test: last line' same "$(tail -n 1 "$work/out")" '2 passed, 1 failed'
check 'test: skipped' says out '1 skipped'
try "$work/repo/test" -R good
check 'test -R good: status' same "$status" 0
check 'test -R good: last line' same "$(tail -n 1 "$work/out")" '2 passed, 0 failed'
check 'test -R good: build is quiet' silent err
try "$work/repo/.ci/run"
check '.ci/run: status' same "$status" 8
check '.ci/run: last line' same "$(tail -n 1 "$work/out")" '3 passed, 1 failed'
try "$work/repo/test" --long -R long
check 'test --long: last line' same "$(tail -n 1 "$work/out")" '1 passed, 0 failed'
try "$work/repo/test" -R no_such_test
check 'test, none found: fails' differ "$status" 0

# Nothing of all this in the default build folder; and that is where it goes by default.
check 'the named build folder alone' test ! -e "$work/repo/build"
status=0
(cd "$work/user" && unset DANLU_BUILD_DIR && PATH=$work/fakes:$work/tools \
  "$work/repo/test" -R good) >"$work/out" 2>"$work/err" || status=$?
check 'default folder: status' same "$status" 0
check 'default folder: last line' same "$(tail -n 1 "$work/out")" '2 passed, 0 failed'
check 'default folder: binary' test -x "$work/repo/build/release/bin/danlu"

end_of_checks
