#!/usr/bin/env bash
# danlu sweep by way of a folder: what is collected is what danlu sweep FILE writes, whoever played
# which point, how often, and whatever became of the processes; and what is refused.
# Usage: sweep_folder_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"

tiny_scenario own.yaml >base.yaml
cp "$root/topologies/dgx-a100.yaml" own.yaml
printf 'extends: base.yaml\nname: tiny\n' >tiny.yaml
over=(--over training.micro_batch=1..3 --over 'parallelism.tensor=2,4')
lines_of() { cat "$1"/results/*.jsonl 2>/dev/null | wc -l; }

call sweep tiny.yaml "${over[@]}" -o direct.csv --plot direct.svg
expect 'at once' 0 "$code"
call sweep tiny.yaml "${over[@]}" -o direct.sqlite
direct=$(<direct.csv)
# micro_batch 3 does not divide the batch of 8: these two points are known without being played,
# and the first is played while it is planned.
call sweep plan tiny.yaml "${over[@]}" -o sweep
expect 'planned' 0 "$code"
expect 'and told' 'Sweep of tiny

  6 points, 1 ran, 2 invalid, 3 missing

  danlu sweep run sweep' "$out"
call sweep status sweep
expect 'points are missing' 6 "$code"
call sweep collect sweep -o early.csv
expect 'a table of what is there' 6 "$code"
expect_has 'says so' '3,2,4,missing,not yet played,,,,' "$(<early.csv)"
call sweep collect sweep --plot early.svg
expect 'a drawing of it' 6 "$code"
expect_has 'says so, too' '>not drawn: 3 missing</text>' "$(<early.svg)"

# The files that it rests on may go, but for topologies: their keys alone are in the plan.
mkdir gone
mv base.yaml tiny.yaml gone
call sweep worker sweep --chunk 1/2 # 0, 2, 4: one of them is to be played
expect 'a part' 0 "$code"
expect 'is played' 1 "$(lines_of sweep)"
call sweep worker sweep --chunk 1/2
expect 'and not again' 1 "$(lines_of sweep)"
call sweep run sweep
expect 'and the rest' 0 "$code"
expect 'is told' 'Sweep of tiny

  6 points, 4 ran, 2 invalid

  danlu sweep collect sweep' "$out"
expect 'of three points' 3 "$(lines_of sweep)"
collected() { # NAME: the sweep comes to the same
  call sweep collect sweep -o collected.csv
  expect "$1" 0 "$code"
  expect "$1: same bytes" "$direct" "$(<collected.csv)"
}
collected 'in parts'
call sweep collect sweep --plot collected.svg
expect 'the same drawing' "$(<direct.svg)" "$(<collected.svg)"
call sweep collect sweep -o collected.sqlite
check 'the same database' cmp direct.sqlite collected.sqlite
call sweep collect sweep --json
expect_has 'its document' '"schema": "danlu.sweep/1"' "$out"
call sweep status sweep --json
expect_has 'and that of its status' '"schema": "danlu.sweep-status/1"' "$out"

# Lines that are there twice, torn, or changed.
cat sweep/results/part-*.jsonl >sweep/results/again.jsonl
collected 'results twice'
rm sweep/results/again.jsonl
for part in sweep/results/part-*.jsonl; do
  truncate -s -2 "$part" # the brace and the end of the line
done
call sweep status sweep
expect_has 'torn lines are none' '2 missing' "$out"
call sweep run sweep
collected 'torn lines'
for part in sweep/results/part-*.jsonl; do
  sed -i 's/"step.mfu":\[0\./"step.mfu":[1./' "$part"
done
call sweep status sweep
expect_has 'changed ones are none' '3 missing' "$out"
call sweep run sweep
collected 'changed lines'

# Points that fail, of too many tasks.
cp gone/*.yaml .
failing=(--over 'training.micro_batch=4,1' --set training.global_batch=64)
call sweep tiny.yaml "${failing[@]}" --max-tasks 600 -o direct.csv
expect 'one fails' 6 "$code"
call sweep plan tiny.yaml "${failing[@]}" --max-tasks 600 -o failing
call sweep run failing
expect 'in a folder, too' 6 "$code"
expect_has 'is told with what repeats it' '--set training.micro_batch=1' "$out"
expect_has 'and why' 'this step has' "$out"
call sweep run failing
expect 'and is a result' 1 "$(lines_of failing)"
call sweep run failing --retry-failed
expect 'unless it is asked for' 2 "$(lines_of failing)"
call sweep collect failing -o collected.csv
expect 'with the same words' "$(<direct.csv)" "$(<collected.csv)"
call sweep run failing --retry-failed --time-limit 0.000001s
expect 'without time nothing is begun' 2 "$(lines_of failing)"
# No time for any point: each has failed, and the next is played.
call sweep plan tiny.yaml "${over[@]}" -o short
call sweep run short --point-limit 0.001s
expect 'points that take too long' 6 "$code"
expect_has 'have failed' '6 points, 1 ran, 2 invalid, 3 failed' "$out"
expect_has 'with the reason' 'it took longer than 0.001 s, the limit of a point' "$out"
expect 'each once' 3 "$(lines_of short)"
call sweep run short --retry-failed
call sweep collect short -o collected.csv
expect 'and may be played with more' "$direct" "$(<collected.csv)"
call sweep plan tiny.yaml "${over[@]}" -o late --point-limit 0.001s
expect 'no point could be played while it was planned' 0 "$code"
expect_has 'which is told' '4 failed' "$out"
rm -r late
call sweep plan tiny.yaml "${over[@]}" -o late
call sweep worker late --time-limit 0.000001s
expect 'which a worker says' 6 "$code"

refused() { expect_refused "$1" sweep "${@:2}"; } # ERR OPTION...
nothing_varies="--over: error: nothing varies: the scenario has no section 'sweep', or --set fixes \
its keys
hint: for example --over cluster.gpus=64..512:x2"
refused "FILE is required
Run with --help for more information."
refused "$nothing_varies" tiny.yaml
refused "$nothing_varies" plan tiny.yaml -o x
refused "plan excludes --over
Run with --help for more information." --over parallelism.tensor=2 plan tiny.yaml "${over[@]}" -o x
refused "DIR is required
Run with --help for more information." run
refused "-o: error: 'sweep' holds a sweep
hint: danlu sweep run sweep goes on with it" plan tiny.yaml "${over[@]}" -o sweep
refused "-o: error: 'own.yaml' is a file, not a folder" plan tiny.yaml "${over[@]}" -o own.yaml
refused "--show: error: 'step.mfuu' is no figure of the first point that runs
hint: did you mean 'step.mfu'?" plan tiny.yaml "${over[@]}" --show step.mfuu -o new
check 'nothing is half-written' test ! -e new
refused "none/manifest.jsonl: error: cannot be read: No such file or directory
hint: danlu sweep plan FILE --over KEY=VALUES -o DIR makes one" run none
refused "--chunk: error: expected NUMBER/OF, found '3/2'
hint: for example --chunk 2/3: every third point, from the second on" worker sweep --chunk 3/2
refused "--time-limit: Missing mandatory unit
Run with --help for more information." run sweep --time-limit 5
refused "-o: error: expected a file .csv, .jsonl, .sqlite or .db, found 'points.txt'
hint: for example -o points.csv" collect sweep -o points.txt
refused "-o: error: 'sweep/results/points.csv' is a file of the sweep
hint: for example points.csv" collect sweep -o sweep/results/points.csv
refused "--plot: error: 'sweep/manifest.jsonl' is a file of the sweep
hint: for example out.svg" collect sweep --plot sweep/manifest.jsonl
refused "--axes: error: 'step.mfuu' is no figure of the sweep
hint: did you mean 'step.mfu'?" collect sweep --plot none.svg --axes y=step.mfuu
check 'nothing is written' test ! -e none.svg
call sweep plan tiny.yaml --over parallelism.tensor=4 -o changed --show step.mfu
call sweep plan tiny.yaml "${over[@]}" -o changing
sed -i 's/hop_latency: .*/hop_latency: 5 us/; s/switches: 6/switches: 4/' own.yaml
printf 'network: {preset: none}\n' >>own.yaml
refused "point 1: error: is here not what was planned
hint: it says: unknown network 'none'" run changing
rm own.yaml
call sweep run changing
expect 'what a point rests on is gone' 2 "$code"
expect 'and that is no result' 0 "$(lines_of changing)"
# What another build has planned: the line is as it was written there, with its checksum.
header=$(head -1 sweep/manifest.jsonl)
build=$(grep -o '"version":"[^"]*' <<<"$header" | cut -d'"' -f4)
check 'a build is told by its sources' grep -qxE '[0-9.]+\+[0-9a-f]{12}' <<<"$build"
header=$(sed "s/\"$build\"/\"0.1.0+000000000000\"/; s/,\"checksum\":.*//" <<<"$header")
checksum=$(printf '%s' "$header" | gzip -c | tail -c 8 | head -c 4 | od -An -tx4 | tr -d ' ')
cp -r sweep other
printf '%s,"checksum":"%s"}\n' "$header" "$checksum" >other/manifest.jsonl
refused "other/manifest.jsonl:1:1: error: danlu 0.1.0+000000000000 made this plan, and this is \
danlu $build
hint: plan the sweep again, in another folder" status other
sed -i '2s/"tensor":"2"/"tensor":"4"/; 2s/"2"/"8"/' sweep/manifest.jsonl
refused "sweep/manifest.jsonl:2:1: error: this line is not as it was written
hint: plan the sweep again, in another folder" status sweep
sed -i '$d' failing/manifest.jsonl
refused "failing/manifest.jsonl:2:1: error: expected 2 points, found 1
hint: plan the sweep again, in another folder" status failing
end_of_checks
