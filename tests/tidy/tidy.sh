#!/usr/bin/env bash
# Checks what the compiler does not: include edges, third-party confinement, text, links, layout.
# Prints `file:line: error: what to do` for each finding and exits 1 when there is one.
# Usage: tidy.sh REPOSITORY_ROOT
set -euo pipefail
export LC_ALL=C

cd -- "${1:?usage: tidy.sh REPOSITORY_ROOT}"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
found=$work/found
: >"$found"

# ---- The files: those of the commit to come; without git, all but build/.
list_files() {
  local top
  if top=$(git rev-parse --show-toplevel 2>/dev/null) && [[ $top -ef . ]]; then
    git ls-files -z --cached --others --exclude-standard
  else
    find . \( -path ./build -o -path ./.git \) -prune -o -type f -printf '%P\0'
  fi
}
all=() cpp=() text=() markdown=() yaml=() docs=()
while IFS= read -r -d '' file; do
  # A file that git still lists may be deleted already.
  [[ -f $file && $file != build/* ]] || continue
  all+=("$file")
  case $file in
    *.hpp | *.cpp) cpp+=("$file") text+=("$file") ;;
    *.sh | *.cmake | CMakeLists.txt | */CMakeLists.txt | danlu | test | .ci/run) text+=("$file") ;;
    *.md) markdown+=("$file") ;;
    scenarios/*.yaml | topologies/*.yaml) yaml+=("$file") ;;
  esac
  [[ $file != docs/* ]] || docs+=("$file")
done < <(list_files)

# over COMMAND... -- FILE...: runs the command on the files, as often as their number asks for.
over() {
  local command=()
  while [[ $1 != -- ]]; do
    command+=("$1")
    shift
  done
  shift
  [[ $# == 0 ]] || printf '%s\0' "$@" | xargs -0 "${command[@]}"
}

# ---- (a) and (b): C++ code, without its comments and literals.
cat >"$work/cpp.awk" <<'AWK'
BEGIN {
  # From each folder of sim/, the folders whose headers it may include.
  allow["base"] = ""
  allow["cluster"] = "base"
  allow["schedule"] = "base"
  allow["workload"] = "base cluster collective schedule"
  allow["collective"] = "base cluster"
  allow["program"] = "base cluster collective schedule workload"
  allow["fold"] = "base cluster collective workload program"
  allow["tasks"] = "base cluster collective schedule workload program fold"
  allow["engine"] = "base cluster collective tasks"
  allow["report"] = "base cluster collective schedule workload program fold tasks campaign"
  allow["scenario"] = "base cluster collective schedule workload campaign"
  allow["validation"] = "base cluster workload collective scenario"
  allow["campaign"] = "base"
  allow["import"] = "base scenario"
  allow["search"] = "base cluster collective schedule workload program fold report scenario"
  everything = "base cluster collective schedule workload program fold tasks engine report " \
    "scenario validation campaign import search"
  allow["session"] = everything
  allow["danlu.hpp"] = everything " session" # what an embedding program includes
  for (from in allow) {
    count = split(allow[from], list, " ")
    for (i = 1; i <= count; ++i) edge[from, list[i]] = 1
  }
  # The only folders that may include a library's headers.
  home["simgrid"] = home["xbt"] = "sim/engine"
  home["yaml-cpp"] = "sim/scenario"
  home["expat.h"] = "sim/scenario"
  home["toml++"] = "sim/scenario"
  home["boost/graph"] = "sim/cluster sim/tasks"
  home["CLI"] = "src"
  home["sqlite3.h"] = "src"
  home["isa-l"] = "sim/base"
  home["zlib.h"] = "tests"
  for (library in home) {
    count = split(home[library], list, " ")
    for (i = 1; i <= count; ++i) at_home[library, list[i]] = 1
  }
  sq = sprintf("%c", 39)
}
function error(text) { printf "%s:%d: error: %s\n", FILENAME, FNR, text }
# `path` as seen from the folder of the current file, when it starts with a dot.
function resolve(path, dir, parts, count, i, out, kept) {
  if (path !~ /^\.\.?\//) return path
  dir = FILENAME
  sub(/[^\/]*$/, "", dir)
  count = split(dir path, parts, "/")
  kept = 0
  for (i = 1; i <= count; ++i) {
    if (parts[i] == "" || parts[i] == ".") continue
    if (parts[i] == ".." && kept > 0) { --kept; continue }
    out[++kept] = parts[i]
  }
  path = out[1]
  for (i = 2; i <= kept; ++i) path = path "/" out[i]
  return path
}
function check_include(path, parts, count, to, library, where) {
  count = split(path, parts, "/")
  for (library in home) {
    if (index(path "/", library "/") == 1 && !((library, area) in at_home)) {
      where = home[library]
      gsub(/ /, "/ or ", where)
      error("<" library "> is for " where "/ alone; go through what that folder offers")
    }
  }
  if (layer == "") return
  if (path == "iostream") error("no <iostream> in sim/; take a std::ostream& and include <ostream>")
  path = resolve(path)
  sub(/^danlu\//, "", path)
  sub(/^sim\//, "", path)
  count = split(path, parts, "/")
  to = parts[1]
  if (to == "src" && count > 1) {
    error("nothing in sim/ includes src/; move what is shared into sim/")
  } else if ((count > 1 || to == "danlu.hpp") && (to in allow) && to != layer &&
             !((layer, to) in edge)) {
    where = allow[layer] == "" ? "nothing else" : allow[layer]
    error("sim/" layer " must not include sim/" to " (it may include: " where ")")
  }
}
# The line without comments and with empty literals; remembers what goes on in the next line.
function code(line, out, at, token, end) {
  out = ""
  while (line != "") {
    if (in_comment) {
      at = index(line, "*/")
      if (at == 0) return out
      in_comment = 0
      line = substr(line, at + 2)
      out = out " "
      continue
    }
    if (in_raw != "") {
      at = index(line, in_raw)
      if (at == 0) return out
      line = substr(line, at + length(in_raw))
      in_raw = ""
      continue
    }
    if (!match(line, /\/\/|\/\*|["\047]/)) return out line
    token = substr(line, RSTART, RLENGTH)
    out = out substr(line, 1, RSTART - 1)
    line = substr(line, RSTART + RLENGTH)
    if (token == "//") return out
    if (token == "/*") { in_comment = 1; continue }
    if (token == sq && out ~ /[0-9][0-9a-fA-F]*$/) continue # a digit separator
    if (token == "\"" && out ~ /(^|[^A-Za-z0-9_])(u8|u|U|L)?R$/) {
      end = index(line, "(")
      in_raw = ")" substr(line, 1, end - 1) "\""
      line = substr(line, end + 1)
      out = out "\"\""
      continue
    }
    out = out token token
    while (line != "") { # to the end of the literal
      end = substr(line, 1, 1)
      line = substr(line, end == "\\" ? 3 : 2)
      if (end == token) break
    }
  }
  return out
}
FNR == 1 {
  in_comment = 0
  in_raw = ""
  count = split(FILENAME, parts, "/")
  layer = ""
  area = parts[1] == "sim" && count > 2 ? parts[1] "/" parts[2] : parts[1]
  if (parts[1] == "sim") {
    layer = parts[2]
    if (!(layer in allow)) {
      error("sim/ has no such folder; move the file, or add the folder to tests/tidy/tidy.sh")
    }
  }
  header = FILENAME ~ /\.hpp$/
}
!in_comment && in_raw == "" && /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
  path = $0
  sub(/^[^<"]*[<"]/, "", path)
  sub(/[>"].*$/, "", path)
  check_include(path)
  next
}
{
  text = code($0)
  if (header && text ~ /(^|[^A-Za-z0-9_])using[ \t]+namespace([^A-Za-z0-9_]|$)/) {
    error("no `using namespace` in a header; write the names out")
  }
  if (FILENAME ~ /^src\// && FILENAME !~ /^src\/program\.cpp$/ &&
      text ~ /(^|[^A-Za-z0-9_])(std(out|err)|std::w?(cout|cerr|clog))([^A-Za-z0-9_]|$)/) {
    error("only src/program.cpp writes to a terminal; call print() or complain(), which escape")
  }
  if (layer == "") next
  if (text ~ /(^|[^A-Za-z0-9_])std::w?(cout|cerr|clog)([^A-Za-z0-9_]|$)/) {
    error("no std::cout, cerr or clog in sim/; write to a std::ostream& that is passed in")
  }
  if (text ~ /(^|[^A-Za-z0-9_])(secure_)?getenv[ \t]*\(/) {
    error("no getenv() in sim/; let src/ read the environment and pass what it says")
  }
  if (text ~ /(^|[^A-Za-z0-9_])v?f?printf[ \t]*\(/) {
    error("no printf in sim/; use fmt::format, and a std::ostream& that is passed in")
  }
  # A process that the pool has made ends there.
  if (FILENAME !~ /^sim\/session\/pool\.cpp$/ &&
      text ~ /(^|[^A-Za-z0-9_.>:]|std::|[^A-Za-z0-9_]::)(exit|_exit|_Exit|quick_exit)[ \t]*\(/) {
    error("no exit() in sim/; throw an exception and let src/ end the program")
  }
}
AWK
over awk -f "$work/cpp.awk" -- "${cpp[@]}" >>"$found"

# ---- (c): text.
cat >"$work/text.awk" <<'AWK'
function error(line, text) { printf "%s:%d: error: %s\n", name, line, text }
function finish() {
  if (name ~ /\.[hc]pp$/ && lines > 600) {
    error(lines, lines " lines; split the file, 600 is the most")
  }
  if (name ~ /\.hpp$/ && !guarded) error(1, "no `#pragma once`; add it below the first comment")
}
FNR == 1 {
  if (NR > 1) finish()
  name = FILENAME
  guarded = 0
  if (name ~ /\.hpp$/ && $0 !~ /^\/\//) {
    error(1, "start the header with a // comment that says what it is for")
  }
}
{ lines = FNR }
/^#pragma once[ \t\r]*$/ { guarded = 1 }
/\t/ { error(FNR, "a tab; use blanks") }
/[ \t\r]$/ { error(FNR, "blank or carriage return at the end of the line; remove it") }
length($0) > 100 {
  text = $0
  gsub(/[\200-\277]/, "", text) # columns, not bytes
  if (length(text) > 100) error(FNR, length(text) " columns; break the line, 100 is the most")
}
/TOD[O]|FIXM[E]|XX[X]|HAC[K]/ {
  if ($0 ~ /(^|[^A-Za-z0-9_])(TOD[O]|FIXM[E]|XX[X]|HAC[K])([^A-Za-z0-9_]|$)/) {
    error(FNR, "a note to do something later; do it, or open an issue")
  }
}
END { if (NR > 0) finish() }
AWK
over awk -f "$work/text.awk" -- "${text[@]}" >>"$found"

# ---- (d): links. Each line of the result is FILE, LINE, TARGET, RESOLVED, separated by tabs.
cat >"$work/links.awk" <<'AWK'
function resolve(path, dir, parts, count, i, out, kept) {
  dir = FILENAME
  sub(/[^\/]*$/, "", dir)
  if (substr(path, 1, 1) == "/") dir = ""
  count = split(dir path, parts, "/")
  kept = 0
  for (i = 1; i <= count; ++i) {
    if (parts[i] == "" || parts[i] == ".") continue
    if (parts[i] == "..") {
      if (kept == 0) return "/outside"
      --kept
      continue
    }
    out[++kept] = parts[i]
  }
  path = kept > 0 ? out[1] : "."
  for (i = 2; i <= kept; ++i) path = path "/" out[i]
  return path
}
function link(target, path) {
  if (substr(target, 1, 1) == "<") {
    target = substr(target, 2)
    sub(/>.*$/, "", target)
  } else {
    sub(/[ \t].*$/, "", target)
  }
  path = target
  sub(/[#?].*$/, "", path)
  if (path == "" || path ~ /^[A-Za-z][A-Za-z0-9+.-]*:/ || path ~ /^\/\//) return
  gsub(/%20/, " ", path)
  printf "%s\t%d\t%s\t%s\n", FILENAME, FNR, target, resolve(path)
}
FNR == 1 { fence = "" }
/^[ \t>]*(```|~~~)/ {
  mark = $0
  sub(/^[ \t>]*/, "", mark)
  mark = substr(mark, 1, 3)
  if (fence == "") fence = mark
  else if (fence == mark) fence = ""
  next
}
fence != "" { next }
{
  line = $0
  gsub(/``[^`]*``/, "", line)
  gsub(/`[^`]*`/, "", line)
  if (match(line, /^ ? ? ?\[[^]]+\]:[ \t]+/)) {
    if (substr(line, 1, RLENGTH) !~ /\[\^/) link(substr(line, RLENGTH + 1))
    next
  }
  while (match(line, /\]\([ \t]*(<[^>]*>|[^() \t]+)([ \t]+["\047(][^)]*)?[ \t]*\)/)) {
    target = substr(line, RSTART + 2, RLENGTH - 3)
    line = substr(line, RSTART + RLENGTH)
    sub(/^[ \t]+/, "", target)
    link(target)
  }
}
AWK
over awk -f "$work/links.awk" -- "${markdown[@]}" >"$work/links"
while IFS=$'\t' read -r file line target path; do
  if [[ $path == /outside ]]; then
    printf '%s:%d: error: link to %s leaves the repository; give a full address\n' \
      "$file" "$line" "$target"
  elif [[ ! -e $path ]]; then
    printf '%s:%d: error: link to %s, which does not exist; mend or remove it\n' \
      "$file" "$line" "$target"
  fi
done <"$work/links" >>"$found"

# Reached from docs/index.md: what it links, and what a reached file links in its own folder.
if [[ ${#docs[@]} -gt 0 ]]; then
  printf '%s\n' "${docs[@]}" | awk -F '\t' -v links="$work/links" '
    function dir(path) { sub(/[^\/]*$/, "", path); return path }
    function reach(path) {
      if (path in reached) return
      reached[path] = 1
      queue[++last] = path
    }
    BEGIN {
      while ((getline < links) > 0) {
        ++count
        from[count] = $1
        to[count] = $4
      }
      reach("docs/index.md")
      for (first = 1; first <= last; ++first) {
        path = queue[first]
        for (i = 1; i <= count; ++i) {
          if (from[i] != path) continue
          if (path == "docs/index.md" || dir(to[i]) == dir(path)) {
            reach(to[i])
            reach(to[i] "/index.md") # a link to a folder shows these
            reach(to[i] "/README.md")
          }
        }
      }
    }
    !($0 in reached) {
      printf "%s:1: error: nothing leads here; link it from docs/index.md", $0
      if (dir($0) != "docs/") printf " or from a linked file in %s", dir($0)
      printf "\n"
    }' >>"$found"
fi

# ---- (e): the editor's schema in shipped scenarios and topologies.
for file in "${yaml[@]}"; do
  first=
  IFS= read -r first <"$file" || true
  schema=${first#*yaml-language-server: \$schema=}
  schema=${schema%%[[:space:]]*}
  if [[ $first != '#'*'yaml-language-server: '\$schema=* ]]; then
    # shellcheck disable=SC2016
    printf '%s:1: error: first line must be `# yaml-language-server: $schema=PATH`\n' "$file"
  elif [[ -z $schema || ! -f ${file%/*}/$schema ]]; then
    printf '%s:1: error: no schema at %s; give its path from this file\n' "$file" "$schema"
  fi
done >>"$found"

# A test that no list of the build names is never run.
for file in "${cpp[@]}"; do
  case $file in
    tests/*_test.cpp) ;;
    *) continue ;;
  esac
  if ! grep -qF -- "  ${file#tests/}" tests/CMakeLists.txt; then
    printf '%s:1: error: no test of the build; list it in tests/CMakeLists.txt\n' "$file"
  fi
done >>"$found"

# ---- (f): layout of C++ code. Other versions of clang-format differ in small ways.
formatter=
for name in clang-format-14 clang-format; do
  if command -v "$name" >/dev/null && [[ $("$name" --version) == *' version 14.'* ]]; then
    formatter=$name
    break
  fi
done
if [[ -z $formatter ]]; then
  printf 'tidy: note: no clang-format 14 here; the layout of C++ code is not checked\n'
elif [[ ${#cpp[@]} -gt 0 ]]; then
  printf '%s\0' "${cpp[@]}" |
    { xargs -0 "$formatter" --dry-run -Werror --ferror-limit=1 2>&1 || true; } |
    awk -F : -v tool="$formatter" '
      / error: / && !seen[$1]++ {
        printf "%s:%d: error: layout; run %s -i %s\n", $1, $2, tool, $1
      }' >>"$found"
fi

if [[ -s $found ]]; then
  sort -t : -k 1,1 -k 2,2n "$found"
  printf 'tidy: %d findings in %d files\n' "$(grep -c '' "$found")" "${#all[@]}"
  exit 1
fi
printf 'tidy: %d files, no findings\n' "${#all[@]}"
