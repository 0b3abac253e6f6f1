#!/usr/bin/env bash
# The founding comparison: what the A800's and the H800's NVLink of 400 GB/s cost against 600 and
# 900: as shipped, with the same overlap for both, with the best of sixteen plans for each, and with
# the best of all.
# Usage: plans_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root/scenarios/a800-vs-h100" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"

within() { awk -v x="$1" -v low="$2" -v high="$3" 'BEGIN { exit !(x >= low && x <= high) }'; }
step() { # FILE
  "$danlu" run "$1.yaml" --json --no-advice | sed -n '/"step": {/,/}/s/.*"time_s": \([^,]*\).*/\1/p'
}
loss() { awk -v a="$(step "$1")" -v b="$(step "$2")" 'BEGIN { printf "%.2f", 100 * (b / a - 1) }'; }

# By hand, nothing hidden: a mean rank of the plan as shipped does 15,440 collectives, on the A800
# 111 us longer than on the A100, on the H800 174 us longer than on the H100 (7/8 x 57.23 MB at 163
# instead of 367 GB/s is 171 us, and steps). 15,440 x 111 us = 1.71 s of 28.34 s is 6.0 %, 15,440 x
# 174 us = 2.69 s of 12.28 s is 21.9 %; stages that wait add a little.
check 'A800 as shipped' within "$(loss a100 a800)" 5.9 6.6
check 'H800 as shipped' within "$(loss h100 h800)" 22 24.5

./plans.sh "$danlu" >"$work/out" 2>"$work/err"
expect 'sixteen plans, a head, the best and four winners' 22 "$(grep -c '' "$work/out")"
expect 'and no complaint' '' "$(<"$work/err")"
fields() { # PLAN: A100 A800 loss H100 H800 loss
  grep -F "$1 " "$work/out" | sed 's/%//g' |
    awk '{ print $(NF-5), $(NF-4), $(NF-3), $(NF-2), $(NF-1), $NF }'
}
eight='tensor: 8, pipeline: 8, chunks: 3'
four='tensor: 4, pipeline: 16, chunks: 6'
read -r _ _ a800 _ _ h800 <<<"$(fields "$eight, overlap: {tensor: full, chunks: 4}")"
check 'A800, both overlapped' within "$a800" 1.0 1.6
check 'H800, both overlapped' within "$h800" 10 13

# Half as many collectives, 6/7 as long, and nothing hidden: 3/7 of 1.71 s of a step of 26 s is
# 2.8 %, 3/7 of 2.69 s of 10.6 s is 11 %.
read -r _ _ a800 _ _ h800 <<<"$(fields "$four, overlap: {tensor: none}")"
check 'A800, half the tensor-parallel ranks' within "$a800" 2.6 3.6
check 'H800, half the tensor-parallel ranks' within "$h800" 10 14.5

read -r a100 a800 a800_loss h100 h800 h800_loss <<<"$(fields 'each with its best')"
check 'A800, each with its best' within "$a800_loss" 0.3 1.0
check 'H800, each with its best' within "$h800_loss" 4 5.5
expect 'the tuned files are the best: A100' "$a100" "$(printf %.2f "$(step a100-tuned)")"
expect 'the tuned files are the best: A800' "$a800" "$(printf %.2f "$(step a800-tuned)")"
expect 'the tuned files are the best: H100' "$h100" "$(printf %.2f "$(step h100-tuned)")"
expect 'the tuned files are the best: H800' "$h800" "$(printf %.2f "$(step h800-tuned)")"

# What danlu search found among all plans (docs/explain/search.md).
check 'A800, the best of all plans' within "$(loss a100-best a800-best)" 0.3 1.0
check 'H800, the best of all plans' within "$(loss h100-best h800-best)" 3.5 5

end_of_checks
