#!/usr/bin/env bash
# The pages docs/develop/first-*.md are carried out: their files and changes go into a copy of the
# sources, the copy is built, and each page's commands (```bash) are run; what they print is held to
# the page (```text). UPDATE_DOCS=1 writes it there.
# Usage: recipes.sh SOURCE_FOLDER BUILD_FOLDER
set -euo pipefail

root=$1
work=$2/recipes
mkdir -p "$work"
copy=$work/copy
rm -rf "$copy"
mkdir "$copy"
cp -r "$root"/{CMakeLists.txt,CMakePresets.json,sim,src,scenarios,topologies,docs,tests} "$copy"

# What stands between the fences of that language in a page.
blocks() { # LANGUAGE PAGE
  awk -v language="$1" '
    $0 == "```" language { inside = 1; next }
    inside && $0 == "```" { inside = 0; next }
    inside { print }
  ' "$2"
}
# The file that the page's first cpp block is.
file_of_page() {
  sed -n 's/^`\(.*\.cpp\)`:$/\1/p' "$1"
}

pages=("$root"/docs/develop/first-*.md)
for page in "${pages[@]}"; do
  file=$(file_of_page "$page")
  if [[ -n $file ]]; then
    blocks cpp "$page" > "$copy/$file"
  fi
  # With a line for each file, git counts the lines of hunks itself.
  blocks diff "$page" | awk '/^--- a/ { f = substr($2, 3); print "diff --git a/" f " b/" f } 1' \
    > "$work/change.diff"
  if ! (cd "$copy" && GIT_CEILING_DIRECTORIES=$work git apply --recount "$work/change.diff"); then
    echo "$page: its changes no longer fit the sources" >&2
    exit 1
  fi
done

cmake -S "$copy" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON \
  -DDANLU_BUILD_TESTS=OFF > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
cmake --build "$work/build" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

failed=0
for page in "${pages[@]}"; do
  blocks bash "$page" | sed "s|\./danlu|$work/build/bin/danlu|g" > "$work/commands"
  (cd "$copy" && DANLU_TOPOLOGIES=$copy/topologies bash -e ../commands) > "$work/printed"
  blocks text "$page" > "$work/expected"
  if [[ ${UPDATE_DOCS:-} ]]; then
    awk -v printed="$work/printed" '
      $0 == "```text" { print; while ((getline line < printed) > 0) print line; skip = 1; next }
      skip && $0 == "```" { skip = 0 }
      !skip { print }
    ' "$page" > "$work/page"
    cp "$work/page" "$page"
  elif ! diff "$work/expected" "$work/printed"; then
    echo "$page: this is not what its commands print" >&2
    failed=1
  fi
done
exit "$failed"
