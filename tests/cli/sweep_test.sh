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
call sweep "$file" --over cluster.topology=dgx-a100,dgx-a10O --show step.mfu -o "$work/named.csv"
expect_has 'what is invalid, with the hint' "did you mean 'dgx-a100'?" "$(<"$work/named.csv")"
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
call sweep "$file" --over training.memory_reserve='6 GiB' --json
expect_has 'options of a point as words of a shell' \
  "\"options\": \"--set 'training.memory_reserve=6 GiB'\"" "$out"
call sweep "$file" --over parallelism.tensor=4 --max-tasks 1 -o "$work/points.csv"
expect 'a point that cannot be played' 6 "$code"
expect_has 'is a result, too' '0,4,failed,' "$(<"$work/points.csv")"
call sweep "$file" --over model=gpt3-175b --set training.sequence_length=2048
expect 'one that does not fit' 0 "$code"
expect_has 'says so' 'no_fit' "$out"

# Two machines of three sizes; one size that the plan cannot have.
drawn=(--over cluster.topology=dgx-a100,hgx-a800 --over cluster.gpus=16,24,32)
call sweep "$file" "${drawn[@]}" --show step.time_s --plot "$work/lines.svg"
expect 'drawn' 0 "$code"
expect 'and no complaint' '' "$err"
lines=$(<"$work/lines.svg")
expect 'a dot for each point and in the legend' 6 "$(grep -c '<circle' "$work/lines.svg")"
expect_has 'the first figure upwards' '>step.time_s (s)</text>' "$lines"
expect_has 'the last key across, a line for each of the others' \
  '<desc>cluster.gpus across, step.time_s upwards, a line for each cluster.topology;' "$lines"
expect_has 'what is invalid is told' '>not drawn: 2 invalid</text>' "$lines"
if [[ -x $(command -v xmllint) ]]; then
  expect 'it is XML' '' "$(xmllint --noout "$work/lines.svg" 2>&1)"
fi
call sweep "$file" "${drawn[@]}" --show step.time_s --plot "$work/again.svg" --jobs 1
expect 'the same bytes with one process' "$lines" "$(<"$work/again.svg")"
call sweep "$file" "${drawn[@]}" --show step.time_s --plot "$work/other.svg" \
  --axes x=cluster.topology,y=step.mfu -o "$work/points.csv"
expect 'other axes' 0 "$code"
expect_has 'are drawn' \
  '<desc>cluster.topology across, step.mfu upwards, a line for each cluster.gpus' \
  "$(<"$work/other.svg")"
expect 'what is drawn is shown' \
  'point,cluster.topology,cluster.gpus,status,reason,step.time_s,step.mfu' \
  "$(head -1 "$work/points.csv")"
call sweep "$file" --over model=gpt3-175b --set training.sequence_length=2048 --plot "$work/one.svg"
expect_has 'what does not fit is hollow' '>hollow: does not fit in memory (1)</text>' \
  "$(<"$work/one.svg")"

# The section of a scenario: GPUs and batch together, on each of two machines.
own=scenarios/sweep/weak-scaling.yaml
call sweep "$own" -o "$work/section.csv" --plot "$work/section.svg"
expect 'the section' 0 "$code"
expect_has 'says what goes together' \
  'training.global_batch    64, 256, 1024   together with cluster.gpus' "$out"
expect 'a point for each row and machine' \
  '0,dgx-a100,16,64|1,dgx-a100,64,256|2,dgx-a100,256,1024|3,hgx-a800,16,64|4,hgx-a800,64,256|'\
'5,hgx-a800,256,1024' "$(tail -n +2 "$work/section.csv" | cut -d, -f1-4 | paste -sd'|')"
expect_has 'is drawn' 'a line for each cluster.topology' "$(<"$work/section.svg")"
call run "$own" --set cluster.topology=hgx-a800 --set cluster.gpus=64 \
  --set training.global_batch=256 --no-advice --format csv
expect 'a point as run plays it' "$(grep -m 1 ',step.time_s,' "$work/out" | cut -d, -f6)" \
  "$(grep '^4,' "$work/section.csv" | cut -d, -f7)"
call sweep "$own" --over training.micro_batch=1,2 --set cluster.topology=dgx-h100 \
  -o "$work/joined.csv"
expect 'with --over, and a key that --set fixes' \
  'point,cluster.gpus,training.global_batch,training.micro_batch,status|0,16,64,1,ran|'\
'1,16,64,2,ran|2,64,256,1,ran|3,64,256,2,ran|4,256,1024,1,ran|5,256,1024,2,ran' \
  "$(cut -d, -f1-5 "$work/joined.csv" | paste -sd'|')"
call sweep "$own" --over cluster.topology=dgx-h100 -o "$work/over.csv"
expect 'a key that --over has anew' '0,16,64,dgx-h100|1,64,256,dgx-h100|2,256,1024,dgx-h100' \
  "$(tail -n +2 "$work/over.csv" | cut -d, -f1-4 | paste -sd'|')"
call sweep "$own" --set 'sweep={}' --over cluster.gpus=16 --show step.mfu
expect_has 'without the section' '1 point, 1 ran' "$out"
call show "$own"
printf '%s\n' "$out" >"$work/shown.yaml"
section_of() { grep -A 2 '^sweep:' "$1" | sed 's/  # .*//'; }
section_of "$work/shown.yaml" >"$work/section"
call show "$work/shown.yaml"
expect 'danlu show has it' 3 "$(wc -l <"$work/section")"
expect 'and reads it' "$(<"$work/section")" "$(section_of "$work/out")"
call sweep plan "$own" -o "$work/planned"
call sweep run "$work/planned"
call sweep collect "$work/planned" -o "$work/collected.csv"
expect 'in a folder' "$(<"$work/section.csv")" "$(<"$work/collected.csv")"
check 'whose points are no sweeps' lacks "$(<"$work/planned/manifest.jsonl")" 'sweep:'
mkdir "$work/extending"
printf 'extends: %s\nsweep: {over: {cluster.gpus: 16}}\n' "$root/$own" >"$work/extending/one.yaml"
call sweep "$work/extending/one.yaml" --show step.mfu
expect_has 'the nearest file says what is swept' '1 point, 1 ran' "$out"
for option in '--over cluster.gpus' '--set cluster.gpus' '--set training.global_batch'; do
  call sweep "$own" "${option% *}" "${option#* }=16"
  expect "$option" 2 "$code"
  expect_has 'has its place' "$own:18:5: error: cluster.gpus contradicts $option" "$err"
done

# As a database. The queries of the page, with what they give.
call sweep "$own" -o "$work/points.sqlite" --show step.time_s,step.mfu
expect 'a database' 0 "$code"
expect 'of SQLite' 'SQLite format 3' "$(head -c 15 "$work/points.sqlite")"
ask() { # SQL
  if command -v sqlite3 >/dev/null; then
    sqlite3 "$work/points.sqlite" "$1"
  else
    python3 - "$work/points.sqlite" "$1" <<'PYTHON'
import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute(sys.argv[2]):
    print("|".join("" if value is None else str(value) for value in row))
PYTHON
  fi
}
if command -v sqlite3 >/dev/null || python3 -c 'import sqlite3' 2>/dev/null; then
  queries=0
  while IFS= read -r -d $'\f' sql && IFS= read -r -d $'\f' answer; do
    queries=$((queries + 1))
    expect "the query $sql" "${answer%$'\n'}" "$(ask "$sql")"
  done < <(awk '/^```/ { if (inside) printf "\f"; inside = !inside && /^```(sql|text)$/; next }
    inside { print }' docs/explain/sweep.md)
  expect 'queries of the page' 3 "$queries"
  expect 'settings that are numbers are numbers' 'integer|text' \
    "$(ask 'SELECT typeof("cluster.gpus"), typeof("cluster.topology") FROM points LIMIT 1')"
  expect 'units' 'step.time_s|figure|s|
step.mfu|figure||' "$(ask "SELECT * FROM columns WHERE kind = 'figure'")"
else
  echo 'no sqlite3, no python3: the queries of the page are not tried'
fi

# Refused only while it is planned: the switches of this node do not reduce.
nvls=(--over 'training.micro_batch=1,2' --set communication.tensor.algorithm=nvls)
call run "$file" --no-advice "${nvls[@]:2}"
why=$err
call sweep "$file" "${nvls[@]}"
expect 'no point is valid' 2 "$code"
expect 'as run says it' "$why" "$err"

refused() { expect_refused "$1" sweep "$file" "${@:2}"; } # ERR OPTION...
refused "swept parallelism.tensr=1: error: unknown key 'tensr' in 'parallelism'
hint: did you mean 'tensor'?" --over parallelism.tensr=1,2
refused "swept parallelism.tensor=[1,2]: error: 'parallelism.tensor' must be one value, found a list
hint: values stand without brackets: 1,2,4" --over 'parallelism.tensor=[1,2]'
refused "--over: error: a range is of bare numbers, found '1kW..4kW:x2'
hint: list the values: 1 kW,2 kW,4 kW" --over 'cluster.gpu.power=1kW..4kW:x2'
refused "--over: error: a range is of bare numbers, found '300..700:100 W'
hint: list the values: 300 W,400 W,500 W,600 W,700 W" --over 'cluster.gpu.power=300..700:100 W'
refused "--over: error: expected KEY=VALUES, found 'cluster.gpus'
hint: for example --over cluster.gpus=64..512:x2" --over cluster.gpus
refused "--over: error: expected a range that rises, found '8..2'
hint: for example 64..512:x2 (by a factor) or 2..8:2 (by a step)" --over cluster.gpus=8..2
refused "--over: error: expected a range that rises, found '8..16:x1'
hint: for example 64..512:x2 (by a factor) or 2..8:2 (by a step)" --over cluster.gpus=8..16:x1
refused "--over: error: '8,,16' has an empty value
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
refused "-o: error: expected a file .csv, .jsonl, .sqlite or .db, found 'points.txt'
hint: for example -o points.csv" --over parallelism.tensor=4 -o points.txt
drawing() { # ERR OPTION...: no drawing, in words
  refused "$@" --plot "$work/none.svg"
  check 'and nothing is written' same "$(find "$work" -name 'none.svg*')" ''
}
gpus=(--over cluster.gpus=16,32)
drawing "--axes: error: expected x=KEY, y=FIGURE or by=KEY, found 'z=1'
hint: for example --axes x=cluster.gpus,y=step.mfu,by=cluster.topology" "${gpus[@]}" --axes z=1
drawing "--axes: error: x is given twice
hint: leave one of the two out" "${gpus[@]}" --axes x=cluster.gpus,x=cluster.gpus
drawing "--axes: error: 'cluster.gpu' is no key of the sweep
hint: did you mean 'cluster.gpus'?" "${gpus[@]}" --axes x=cluster.gpu
drawing "--axes: error: 'training.z' is no key of the sweep
hint: there is cluster.gpus" "${gpus[@]}" --axes by=training.z
drawing "--axes: error: x and by are both cluster.gpus
hint: leave by out" "${gpus[@]}" --axes x=cluster.gpus,by=cluster.gpus
drawing "--axes: error: there is no other key than by=cluster.gpus to go across
hint: for example --axes x=cluster.gpus" "${gpus[@]}" --axes by=cluster.gpus
drawing "--axes: error: 'step.mfuu' is no figure of the first point that runs
hint: did you mean 'step.mfu'?" "${gpus[@]}" --axes y=step.mfuu
drawing "--axes: error: 'memory.fits' is no number: yes
hint: for example y=step.time_s" "${gpus[@]}" --axes y=memory.fits
drawing "--axes: error: points differ in cluster.gpus, which has 2 values and is neither x nor by
hint: a sweep of one of them, as in --over cluster.gpus=16" "${gpus[@]}" \
  --over training.micro_batch=1,2 --over parallelism.tensor=2,4
drawing "--axes: error: 31 lines, one for each training.micro_batch, cannot be told apart; 30 can
hint: a sweep of fewer values, or that key as x" --over training.micro_batch=1..31 "${gpus[@]}"
refused "--axes: error: has no effect without --plot
hint: for example --plot points.svg" "${gpus[@]}" --axes x=cluster.gpus
refused "--plot: error: '$work/x.csv' is the file of -o too
hint: each needs a file of its own" "${gpus[@]}" -o "$work/x.csv" --plot "$work/x.csv"
refused "--plot: error: '$file' is a file that this run reads
hint: for example scenarios/search/out.svg" "${gpus[@]}" --plot "$file"
call sweep "$file" --over parallelism.tensr=4,8
expect 'a key that there is not' 2 "$code"
expect_has 'as run says it' "did you mean 'tensor'" "$err"
end_of_checks
