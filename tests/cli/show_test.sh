#!/usr/bin/env bash
# Every shipped scenario, shown and read back, gives the same bytes of JSON (but for the lines that
# tell of danlu's own time and memory).
# Usage: show_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"

result() { # FILE
  "$danlu" run "$1" --json --no-advice 2>&1 | grep -v -e '"wall_s"' -e '"peak_memory_bytes"'
}
for file in scenarios/*.yaml scenarios/*/*.yaml; do
  # What names a file beside it is shown beside it: the sources stay where they are.
  "$danlu" show "$file" >"$work/shown.yaml"
  expect "$file" "$(result "$file")" "$(result "$work/shown.yaml")"
done
end_of_checks
