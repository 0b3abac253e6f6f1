#!/usr/bin/env bash
# danlu search as a user runs it: what it prints, that its command gives the same step, exit codes,
# files, formats; the same for any number of processors.
# Usage: search_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"
file=scenarios/search/small.yaml

field() { # KEY FILE: the first number after "KEY":
  grep -m 1 "\"$1\":" "$2" | tr -dc '0-9.e+-' | sed 's/^e*//'
}

call search "$file" --json
expect 'done' 0 "$code"
expect 'and no complaint' '' "$err"
expect_has 'its schema' '"schema": "danlu.search/1"' "$out"
cp "$work/out" "$work/search.json"
options=$(grep -m 1 '"options"' "$work/search.json" | sed 's/.*: "\(.*\)",*/\1/')
# shellcheck disable=SC2086
call run "$file" $options --no-advice --json
expect 'the plan runs' 0 "$code"
best=$(grep -m 1 -A 3 '"rank": "1"' "$work/search.json" | sed -n 's/.*"step_s": \([^,]*\).*/\1/p')
expect 'its options make the same step' "$best" \
  "$(sed -n '/"step": {/,/}/s/.*"time_s": \([^,]*\).*/\1/p' "$work/out" | head -1)"
for jobs in 1 3; do
  call search "$file" --json --jobs "$jobs"
  expect "the same with $jobs threads" \
    "$(grep -v -e wall_s -e peak_memory_bytes "$work/search.json")" \
    "$(grep -v -e wall_s -e peak_memory_bytes "$work/out")"
done

# What danlu run would advise of the best: fewer stages, which are not varied here.
call search "$file" --set search.parallelism.tensor=4 \
  --set search.parallelism.pipeline=4 --json
advised=$(grep -m 1 -A 2 '"saving": {' "$work/out" | sed -n 's/.*"change": "\(.*\)",*/\1/p')
expect 'a change that is none of the plans' \
  '--set parallelism.pipeline=2 --set parallelism.data=2' "$advised"

call search "$file" --svg "$work/map.svg" --map tensor,micro_batch --top 2
expect 'done with a map' 0 "$code"
expect_has 'a map of these' 'Best step by tensor (down) and micro_batch (across)' "$out"
expect_has 'a drawing' '</svg>' "$(<"$work/map.svg")"
call search "$file" --svg "$work/map.svg"
expect_has 'hatched where nothing fits' 'fill="url(#no)"' "$(<"$work/map.svg")"
call search "$file" --format csv
expect_has 'as CSV' 'best' "$out"

# Plans that do not fit are valid all the same, and what the run takes is without faults.
call search "$file" --set faults=rsc-1 --set training.tokens=1e11
expect_has 'valid ones' ' with or without room in memory' "$out"
expect_has 'faults left out' ", the scenario's faults left out: danlu run has them" "$out"
call search "$file" --set training.tokens=1e11
expect 'no faults to be left out' 0 "$(grep -c 'left out: danlu run' "$work/out")"

call search "$file" --front --json --jobs 1
expect 'the front' 0 "$code"
cp "$work/out" "$work/front.json"
expect 'begins with the best' "$options" \
  "$(sed -n '/"front": \[/,/\]/s/.*"options": "\(.*\)",*/\1/p' "$work/front.json" | head -1)"
options=$(sed -n '/"front": \[/,/\]/s/.*"options": "\(.*\)",*/\1/p' "$work/front.json" | tail -1)
last=$(sed -n '/"front": \[/,/\]/s/.*"memory_peak_bytes": \([^,]*\).*/\1/p' "$work/front.json" |
  tail -1)
# shellcheck disable=SC2086
call run "$file" $options --no-advice --json
expect 'and ends with a plan of that memory' "$last" "$(grep -m 1 '"peak_bytes"' "$work/out" |
  sed 's/.*: \([^,]*\),*/\1/')"
call search "$file" --front --json --jobs 3
expect 'the same front with 3 threads' \
  "$(grep -v -e wall_s -e peak_memory_bytes "$work/front.json")" \
  "$(grep -v -e wall_s -e peak_memory_bytes "$work/out")"
call search "$file" --front --svg "$work/front.svg" --format csv
expect_has 'as CSV' 'front' "$out"
expect_has 'as a drawing' 'memory of the fullest GPU (GiB' "$(<"$work/front.svg")"
call search "$file" --front --gpus 8,16
expect 'no front of several' 2 "$code"

call search "$file" --gpus 8,16,48 --set training.global_batch=32 --json
expect 'for numbers of GPUs' 0 "$code"
expect_has 'its schema' '"schema": "danlu.search-gpus/1"' "$out"
expect_has 'what was set stands in the command' \
  '--set training.global_batch=32 --set cluster.gpus=8 --set parallelism.' "$out"
call search "$file" --gpus 16,37 --set training.global_batch=32
expect_has 'one that has no plan' \
  "37: the scenario's own plan cannot be read: tensor (4) x pipeline (2)" "$out"
# Tensor 4 x pipeline 2, as in the file, do not divide 12: others do.
call search "$file" --gpus 12 --set training.global_batch=48
expect 'and not of the degrees of the file' 0 "$code"
expect 'from which it starts where they fit' 0 "$(grep -c 'cannot be read' "$work/out")"
# Without degrees 48 GPUs are 48 replicas, which do not divide the batch; three stages leave 16.
sed -e '/^parallelism:/,/^[^ ]/{/^parallelism:/d;/^ /d}' -e 's/^name:.*/name: no plan/' "$file" \
  >"$work/no_plan.yaml"
call search "$work/no_plan.yaml" --set cluster.gpus=48 --set training.global_batch=16 \
  --set search.parallelism.pipeline=[1,3] --set search.parallelism.tensor=1 --set model.layers=6
expect 'a plan is found where the scenario has none' 0 "$code"
expect_has 'and why it has none' \
  'the scenario as it stands cannot be read: micro_batch (1) x data (48)' "$out"
expect 'from which no changes lead' 0 "$(grep -c 'From the scenario' "$work/out")"
# shellcheck disable=SC2046
call run $(sed -n 's/^ *danlu run //p' "$work/out") --no-advice
expect 'and its command runs' 0 "$code"
call search "$work/no_plan.yaml" --gpus 48 --set cluster.gpus=48 --set training.global_batch=16 \
  --set search.parallelism.pipeline=[1,3] --set search.parallelism.tensor=1 --set model.layers=6
expect_has 'so it is for numbers of GPUs' 'the scenario as it stands cannot be read: ' "$out"
call search "$work/no_plan.yaml" --set 'training.schedule={kind: 1f1b, chunks: 2}' \
  --set search.parallelism.pipeline=2 --set search.parallelism.tensor=4
expect 'degrees are found that only stages allow' 0 "$code"
call search "$work/no_plan.yaml" --set model.hiden=6
expect 'what is wrong elsewhere is an error' 2 "$code"
expect_has 'and said' "unknown key 'hiden' in 'model'" "$err"
call search "$file" --gpus 8,16 --svg "$work/none.svg"
expect 'no map of several' 2 "$code"

# One that does not fit as it stands.
call search "$file" --set parallelism.tensor=1 --set parallelism.pipeline=1 \
  --set search.parallelism.zero=[0,1]
expect 'a scenario that does not fit' 0 "$code"
expect_has 'which is said' 'the scenario as it stands does not fit in memory' "$out"
expect_has 'what makes it fit' 'Single changes with which the scenario fits' "$out"
expect 'each with its step' '' "$(sed -n '/with which the scenario fits/,/^$/p' "$work/out" |
  grep 'no fit')"

# Where a key of the map is without effect: ZeRO, of plans without replicas.
call search "$file" --map zero,tensor --set search.parallelism.zero=[0,1] --json
expect 'a map' 0 "$code"
expect_has 'has a place for these' '"zero": "-"' "$out"

# Who looks on: a file gets whole lines, the first after ten seconds, which are slept away.
long=scenarios/deepseek-v3-h800-dualpipe.yaml
pids=()
for quiet in '' --quiet; do
  # shellcheck disable=SC2086
  "$danlu" search "$long" --jobs 1 $quiet >/dev/null 2>"$work/looks-on$quiet" &
  pids+=($!)
done
sleep 0.3
kill -STOP "${pids[@]}"
sleep 10
kill -CONT "${pids[@]}"
for _ in {1..900}; do
  grep -q after "$work/looks-on" && grep -q hint "$work/looks-on" && break
  sleep 0.1
done
kill "${pids[@]}"
wait "${pids[@]}" 2>/dev/null
expect 'how far it is, after ten seconds' 1 \
  "$(grep -c -m 1 '^after [1-9][0-9] s: looking for valid plans that fit' "$work/looks-on")"
expect 'how many plans, and how long they take' 1 \
  "$(grep -c '^note: [0-9,]* plans are valid and [0-9,]* of them fit in memory; .* take about ' \
    "$work/looks-on")"
expect 'in whole lines' 0 "$(grep -c $'\r' "$work/looks-on")"
expect 'and nothing where nobody wants it' '' "$(<"$work/looks-on--quiet")"
call search "$file" --quiet -v
expect 'not both' 2 "$code"

call search "$file" --map tensor
expect 'half a map' 2 "$code"
expect_has 'what is expected' "expected two keys, found 'tensor'" "$err"
call search "$file" --map tensr,pipeline
expect 'an axis that there is not' 2 "$code"
expect 'in words' "--map: error: 'tensr' is nothing that varies
hint: did you mean 'tensor'?" "$err"
call search "$file" --svg "$file"
expect 'over what is read' 2 "$code"
expect_has 'in words' 'is a file that this run reads' "$err"
call search "$file" --svg "$work/none/map.svg"
expect 'where nothing can be written' 2 "$code"
call search "$file" --set search.parallelism.tensor=[]
expect 'an empty list' 2 "$code"
call search "$file" --set search.parallelism.tensor=[3]
expect 'no plan can run' 1 "$code"
expect_has 'in words' 'no plan can run with the values that the search tries' "$err"
call search "$file" --set model=gpt3-175b --set training.sequence_length=2048
expect 'no plan fits' 1 "$code"
expect_has 'in words' 'plans fits in memory: the smallest needs' "$err"
call search "$file" --top 0
expect 'no plans asked for' 2 "$code"
end_of_checks
