#!/usr/bin/env bash
# danlu sweep as a user runs it: a point is what danlu run says, points that cannot run are results,
# files, formats, exit codes; the same for any number of processes.
# Usage: sweep_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"
file=scenarios/search/small.yaml
over=(--over 'parallelism.tensor=2..4:x2,3' --over 'parallelism.pipeline=1,2')

call sweep "$file" "${over[@]}" -o "$work/points.csv"
expect 'done' 0 "$code"
expect 'and no complaint' '' "$err"
expect_has 'counted' '6 points' "$out"
expect 'a line for each point, the last axis fastest' \
  'point,parallelism.tensor,parallelism.pipeline|0,2,1|1,2,2|2,4,1|3,4,2|4,3,1|5,3,2' \
  "$(cut -d, -f1-3 "$work/points.csv" | paste -sd'|')"
expect 'what does not divide is a result' 2 "$(grep -c ',invalid,' "$work/points.csv")"
for point in 0,2,1 3,4,2; do
  IFS=, read -r _ tensor pipeline <<<"$point"
  call run "$file" --set "parallelism.tensor=$tensor" --set "parallelism.pipeline=$pipeline" \
    --no-advice --format csv
  expect "point $point as run plays it" \
    "$(grep -m 1 ',step.time_s,' "$work/out" | cut -d, -f6)" \
    "$(grep "^$point," "$work/points.csv" | rev | cut -d, -f4 | rev)"
done
for jobs in 1 3; do
  call sweep "$file" "${over[@]}" -o "$work/again.csv" --jobs "$jobs"
  expect "the same bytes with $jobs processes" "$(<"$work/points.csv")" "$(<"$work/again.csv")"
done

call sweep "$file" --over parallelism.tensor=4 --show step.mfu,memory.fits -o "$work/points.jsonl"
expect 'JSON Lines' 0 "$code"
expect_has 'settings by key' '{"point":0,"settings":{"parallelism.tensor":"4"},"status":"ran"' \
  "$(<"$work/points.jsonl")"
expect_has 'figures by name' '"memory.fits":true' "$(<"$work/points.jsonl")"
call sweep "$file" --over parallelism.tensor=4 --show step.mfu,memory.fits -o "$work/again.jsonl.gz"
expect 'compressed by name' "$(<"$work/points.jsonl")" "$(gzip -dc "$work/again.jsonl.gz")"
call sweep "$file" --over parallelism.tensor=4 --json
expect_has 'its schema' '"schema": "danlu.sweep/1"' "$out"
call sweep "$file" --over parallelism.tensor=4 --max-tasks 1 -o "$work/points.csv"
expect 'a point that cannot be played' 6 "$code"
expect_has 'is a result, too' '0,4,failed,' "$(<"$work/points.csv")"
call sweep "$file" --over model=gpt3-175b --set training.sequence_length=2048
expect 'one that does not fit' 0 "$code"
expect_has 'says so' 'no_fit' "$out"

# Refused only while it is planned: the switches of this node do not reduce.
nvls=(--over 'training.micro_batch=1,2' --set communication.tensor.algorithm=nvls)
call run "$file" --no-advice "${nvls[@]:2}"
why=$err
call sweep "$file" "${nvls[@]}"
expect 'no point is valid' 2 "$code"
expect 'as run says it' "$why" "$err"

refused() { # ERR OPTION...: exit 2, and the complaint whole
  local message=$1
  shift
  call sweep "$file" "$@"
  expect "refused: $*" 2 "$code"
  expect 'in words' "$message" "$err"
}
refused "--over: error: expected KEY=VALUES, found 'cluster.gpus'
hint: for example --over cluster.gpus=64..512:x2" --over cluster.gpus
refused "--over: error: expected a range that rises, found '8..2'
hint: for example 64..512:x2 (by a factor) or 2..8:2 (by a step)" --over cluster.gpus=8..2
refused "--over: error: expected a range that rises, found '8..16:x1'
hint: for example 64..512:x2 (by a factor) or 2..8:2 (by a step)" --over cluster.gpus=8..16:x1
refused "--over: error: 'cluster.gpus=8,,16' has an empty value
hint: values are separated by single commas" --over cluster.gpus=8,,16
refused "--over: error: cluster.gpus has the value '8' twice
hint: leave one of the two out" --over cluster.gpus=8,4..8:4
refused "--over: error: cluster.gpus and cluster say the same
hint: give all values of a key in one --over" --over cluster.gpus=8 --over 'cluster={gpus: 16}'
refused "--over: error: cluster.gpus contradicts --set cluster.gpus
hint: leave one of the two out" --over cluster.gpus=8 --set cluster.gpus=16
refused "--over: error: 1000000 points are more than 10000
hint: fewer values, or several sweeps" --over training.global_batch=1..1000 \
  --over training.micro_batch=1..1000
refused "--show: error: 'step.mfuu' is no figure of the first point that runs
hint: did you mean 'step.mfu'?" --over parallelism.tensor=3,4 --show step.mfuu
refused "-o: error: expected a file .csv or .jsonl, found 'points.txt'
hint: for example -o points.csv" --over parallelism.tensor=4 -o points.txt
call sweep "$file" --over parallelism.tensr=4,8
expect 'a key that there is not' 2 "$code"
expect_has 'as run says it' "did you mean 'tensor'" "$err"
end_of_checks
