# shellcheck shell=bash
# Shared by ./danlu and ./test, which source it: gets the build packages, then configures and
# builds preset `release` when something changed. Everything it says goes to stderr: on a terminal
# one line that is written over, elsewhere a line for every quarter of what takes long.
#
#   DANLU_BUILD_DIR    build folder to use in place of build/release
#   DANLU_SKIP_SETUP   1: the packages are there (installed by other means); do not look for them

danlu_packages=(
  libsimgrid-dev libboost-graph-dev libspdlog-dev libfmt-dev libyaml-cpp-dev libexpat1-dev
  libtomlplusplus-dev libisal-dev libsqlite3-dev libjemalloc-dev
  libcli11-dev nlohmann-json3-dev libgtest-dev zlib1g-dev cmake ninja-build g++ pkg-config
)

danlu_say() {
  printf 'danlu: %s\n' "$*" >&2
}

# Copies the output of a step (stdin) to stdout and tells stderr how far the step named $1 is: from
# the counts of ninja, or the packages that apt-get fetches, unpacks and sets up.
danlu_watch() {
  local name=$1 line done=0 all=0 told=0
  while IFS= read -r line; do
    printf '%s\n' "$line"
    if [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
      done=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
    elif [[ $line =~ ^([0-9]+)\ upgraded,\ ([0-9]+)\ newly ]]; then
      all=$((3 * (BASH_REMATCH[1] + BASH_REMATCH[2])))
    elif [[ $all != 0 && $line =~ ^(Get:|Unpacking |Setting up ) ]]; then
      done=$((done < all ? done + 1 : all))
    else
      continue
    fi
    if [[ -t 2 ]]; then
      printf '\r\033[Kdanlu: %s [%s/%s]' "$name" "$done" "$all" >&2
    elif ((all >= 20 && 4 * done / all > told)); then
      told=$((4 * done / all))
      danlu_say "$name [$done/$all]"
    fi
  done
  if [[ -t 2 ]]; then
    printf '\r\033[K' >&2
  fi
}

# Runs $2..., a step named $1, with its output after what is in the log, and tells how far it is.
danlu_run() {
  local name=$1 start=$SECONDS
  shift
  if [[ -t 2 ]]; then
    printf '\r\033[Kdanlu: %s' "$name" >&2
  fi
  "$@" </dev/null 2>&1 | danlu_watch "$name" >>"$danlu_state/log" || return
  if ((SECONDS - start >= 10)); then
    danlu_say "$name took $((SECONDS - start)) s"
  fi
}

# $1: the repository root, as an absolute path.
danlu_init() {
  danlu_root=$1
  danlu_build=${DANLU_BUILD_DIR:-$danlu_root/build/release}
  [[ $danlu_build == /* ]] || danlu_build=$PWD/$danlu_build
  danlu_binary=$danlu_build/bin/danlu
  danlu_state=$danlu_build/.danlu
}

# What to install where this script cannot do it.
danlu_explain() {
  cat >&2 <<'TEXT'
danlu: install the following, then run this again.
  Debian 12 or newer, as root:
    apt-get update
    apt-get install libsimgrid-dev libboost-graph-dev libspdlog-dev libfmt-dev libyaml-cpp-dev \
      libexpat1-dev libtomlplusplus-dev libisal-dev libsqlite3-dev \
      libjemalloc-dev libcli11-dev nlohmann-json3-dev libgtest-dev zlib1g-dev cmake ninja-build \
      g++ pkg-config
  Elsewhere, what those packages provide, under your system's names:
    libsimgrid-dev       SimGrid 3.32 or newer: headers, shared library, pkg-config file; smpicc and
                         smpirun, which a test plays against
    libboost-graph-dev   Boost.Graph 1.74 or newer: headers
    libspdlog-dev        spdlog 1.10 or newer: logging
    libfmt-dev           {fmt} 9 or newer: text formatting
    libyaml-cpp-dev      yaml-cpp 0.7 or newer: YAML parser
    libexpat1-dev        Expat 2.4 or newer: XML parser
    libtomlplusplus-dev  toml++ 3 or newer: TOML parser, headers
    libisal-dev          ISA-L 2.30 or newer: compression
    libsqlite3-dev       SQLite 3.36 or newer: tables of sweeps
    libjemalloc-dev      jemalloc 5.2 or newer: memory allocator
    libcli11-dev         CLI11 2.1 or newer: command line parser, headers only
    nlohmann-json3-dev   JSON for Modern C++ 3.11 or newer, headers only
    libgtest-dev         GoogleTest 1.12 or newer: tests
    zlib1g-dev           zlib 1.2.11 or newer: tests read with it what ISA-L has compressed
    cmake                CMake 3.25 or newer
    ninja-build          Ninja
    g++                  GCC 12 or newer: a C++20 compiler
    pkg-config           pkg-config or pkgconf
  Where there is no dpkg, set DANLU_SKIP_SETUP=1 once they are installed: the packages are then
  taken to be there. It is needed only until the first build succeeds.
  Without root: docs/reference/install.md.
TEXT
}

# Prints the packages that are not installed, separated by blanks. One dpkg-query call.
danlu_missing() {
  local installed name
  if ! command -v dpkg-query >/dev/null; then
    printf '%s' "${danlu_packages[*]}"
    return
  fi
  # dpkg-query fails when one name is unknown, and still lists the others.
  # shellcheck disable=SC2016
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${danlu_packages[@]}" \
    2>/dev/null) || true
  local missing=()
  for name in "${danlu_packages[@]}"; do
    [[ $'\n'$installed$'\n' == *$'\n'"$name installed"$'\n'* ]] || missing+=("$name")
  done
  printf '%s' "${missing[*]}"
}

# Installs what is missing. Returns 2 when that cannot be done.
danlu_install() {
  local missing as_root=()
  missing=$(danlu_missing)
  [[ -n $missing ]] || return 0
  danlu_say "missing packages: $missing"
  if ! command -v apt-get >/dev/null; then
    danlu_say "there is no apt-get here to install them with"
    danlu_explain
    return 2
  fi
  if [[ $(id -u) != 0 ]]; then
    if ! command -v sudo >/dev/null; then
      danlu_say "installing them takes root or sudo, and this is neither"
      danlu_explain
      return 2
    fi
    as_root=(sudo)
  fi
  danlu_say "installing them with ${as_root[*]:+sudo }apt-get"
  : >"$danlu_state/log"
  # A failed update is no reason to stop: the lists already there may do.
  danlu_run 'reading package lists' "${as_root[@]}" apt-get update || true
  # shellcheck disable=SC2086
  if ! danlu_run 'installing packages' "${as_root[@]}" \
    env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    -o DPkg::Lock::Timeout=300 $missing; then
    cat "$danlu_state/log" >&2
    danlu_say "apt-get failed"
    danlu_explain
    return 2
  fi
  if command -v dpkg-query >/dev/null; then
    missing=$(danlu_missing)
    if [[ -n $missing ]]; then
      danlu_say "still missing after apt-get: $missing"
      danlu_explain
      return 2
    fi
  fi
}

# True when the file $1 holds exactly the line $2.
danlu_stamped() {
  local line
  [[ -f $1 ]] && IFS= read -r line <"$1" && [[ $line == "$2" ]]
}

danlu_packages_known() {
  [[ -x $danlu_binary ]] && danlu_stamped "$danlu_state/packages" "${danlu_packages[*]}"
}

# True when the binary is at least as new as every file and folder that it may be built from.
# Folders count: one that gained or lost a file is newer. What cannot be an input is left out.
danlu_fresh() {
  local entry inputs=()
  danlu_packages_known || return 1
  [[ -f $danlu_build/build.ninja ]] || return 1
  danlu_stamped "$danlu_state/built" "$danlu_root" || return 1
  for entry in "$danlu_root"/*; do
    case ${entry##*/} in
      build | tests | *.md) ;;
      *) [[ $entry == "$danlu_build" ]] || inputs+=("$entry") ;;
    esac
  done
  [[ -z $(find "${inputs[@]}" -newer "$danlu_state/built" -print -quit) ]]
}

# Runs a step ($2...) named $1 with its output in the log, which is shown when the step fails.
danlu_step() {
  local name=$1
  shift
  : >"$danlu_state/log"
  danlu_run "$name" "$@" && return 0
  grep -Ev '^\[[0-9]+/[0-9]+\] (Building|Linking|Scanning) ' "$danlu_state/log" >&2 || true
  danlu_say "$name failed (build folder: $danlu_build)"
  return 2
}

# Configures when there is no build.ninja, the presets changed or the repository moved. A changed
# CMakeLists.txt is left to ninja, which configures again by itself.
danlu_configure() {
  local fresh=() stamp=$danlu_state/configured
  if [[ -f $danlu_build/build.ninja && ! $danlu_root/CMakePresets.json -nt $stamp ]] &&
    danlu_stamped "$stamp" "$danlu_root"; then
    return 0
  fi
  if [[ -f $stamp ]] && ! danlu_stamped "$stamp" "$danlu_root"; then
    fresh=(--fresh)
  fi
  # A stamp is made before its step and counts after it, so a change during the step is seen.
  printf '%s\n' "$danlu_root" >"$stamp.new" || return 2
  danlu_step configuring cmake -S "$danlu_root" --preset release -B "$danlu_build" \
    "${fresh[@]}" || return 2
  mv -f "$stamp.new" "$stamp"
}

# $1: the ninja target. Runs with the lock held.
danlu_prepare_locked() {
  if [[ $1 == bin/danlu ]] && danlu_fresh; then
    return 0 # another copy built it while this one waited
  fi
  if [[ ${DANLU_SKIP_SETUP:-} != 1 ]] && ! danlu_packages_known; then
    danlu_install || return 2
  fi
  local what='building danlu'
  [[ $1 == bin/danlu ]] || what='building danlu and its tests'
  [[ -x $danlu_binary ]] || danlu_say "$what (the first time takes a few minutes)"
  danlu_configure || return 2
  printf '%s\n' "$danlu_root" >"$danlu_state/built.new" || return 2
  danlu_step "$what" cmake --build "$danlu_build" --target "$1" || return 2
  if [[ ! -x $danlu_binary ]]; then
    danlu_say "the build left no $danlu_binary"
    return 2
  fi
  printf '%s\n' "${danlu_packages[*]}" >"$danlu_state/packages" || return 2
  mv -f "$danlu_state/built.new" "$danlu_state/built"
}

# Makes the ninja target $1 (bin/danlu or all) current. Returns 2, with the reason on stderr, when
# that cannot be done. Copies that start at the same time take turns.
danlu_prepare() {
  if [[ $1 == bin/danlu ]] && danlu_fresh; then
    return 0
  fi
  if ! mkdir -p "$danlu_state"; then
    danlu_say "cannot write to $danlu_build (DANLU_BUILD_DIR names another build folder)"
    return 2
  fi
  (
    if command -v flock >/dev/null; then
      flock 9 || exit 2
    fi
    danlu_prepare_locked "$1" 9>&-
  ) 9>"$danlu_state/lock"
}
