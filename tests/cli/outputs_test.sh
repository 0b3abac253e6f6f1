#!/usr/bin/env bash
# What --trace, --timeline and --svg write: whole files or none, through links, into pipes and
# devices; and what is refused before anything is played.
# Usage: outputs_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"
scenario=scenarios/learn/02-two-gpus-and-a-wire.yaml
is_trace() { expect_has "$1" '"traceEvents"' "$(head -c 200 "$2")"; }

call run "$scenario" --trace "$work/trace.json"
expect 'a trace is written' 0 "$code"
is_trace 'it is a Chrome trace' "$work/trace.json"

echo old >"$work/real.json"
chmod 600 "$work/real.json"
ln -s real.json "$work/link.json"
ln -s new.json "$work/dangling.json"
call run "$scenario" --trace "$work/link.json"
is_trace 'a link leads to the file' "$work/real.json"
expect 'and stays a link' real.json "$(readlink "$work/link.json")"
expect 'the file keeps its permissions' 600 "$(stat -c %a "$work/real.json")"
call run "$scenario" --trace "$work/dangling.json"
is_trace 'also to one that was not there' "$work/new.json"
expect 'and stays' new.json "$(readlink "$work/dangling.json")"

mkfifo "$work/pipe"
cat "$work/pipe" >"$work/read" &
call run "$scenario" --trace "$work/pipe"
wait
is_trace 'a pipe is written to' "$work/read"
check 'and stays a pipe' same "$(stat -c %F "$work/pipe")" fifo
call run "$scenario" --trace /dev/null
expect 'so is a device' 0 "$code"
expect 'and it stays one' 'character special file' "$(stat -c %F /dev/null)"
call run "$scenario" --trace /dev/full
expect 'a full device exits 2' 2 "$code"
expect 'and says so' '/dev/full: error: cannot be written: No space left on device' "$err"
expect_has 'the report is printed all the same' 'step time' "$out"
(ulimit -f 1 && "$danlu" run "$scenario" --trace "$work/large.json" >/dev/null 2>"$work/err")
expect 'so does a limit of the size of files' 2 $?
expect 'and says so' "$work/large.json: error: cannot be written: File too large" "$(<"$work/err")"
expect 'and nothing half-written stays' '' "$(find "$work" -name 'large*' -o -name '.danlu-*')"
call run "$scenario" --trace /dev/stdout
is_trace 'the trace comes before the report' "$work/out"
expect_has 'which follows' 'step time' "$out"

# What ends in .gz is compressed: the same text, the same bytes whenever it is written.
larger=scenarios/learn/06-pipeline-and-bubbles.yaml
call run "$larger" --trace "$work/large.json"
call run "$larger" --trace "$work/large.json.gz"
expect 'a compressed trace is written' 0 "$code"
gzip -dc "$work/large.json.gz" | cmp -s - "$work/large.json"
expect 'it is that trace' 0 $?
check 'and much smaller' test "$(stat -c %s "$work/large.json.gz")" -lt \
  $(($(stat -c %s "$work/large.json") / 8))
call run "$larger" --trace "$work/again.JSON.GZ"
check 'its bytes do not depend on the time' cmp -s "$work/large.json.gz" "$work/again.JSON.GZ"
(ulimit -f 1 && "$danlu" run "$larger" --trace "$work/cut.json.gz" >/dev/null 2>"$work/err")
expect 'it is whole' "$work/cut.json.gz: error: cannot be written: File too large" "$(<"$work/err")"
expect 'or not there' '' "$(find "$work" -name 'cut*' -o -name '.danlu-*')"
days=scenarios/learn/09-failures-and-ettr.yaml
for ending in json csv; do
  call run "$days" --timeline "$work/days.$ending"
  call run "$days" --timeline "$work/days.$ending.gz"
  gzip -dc "$work/days.$ending.gz" | cmp -s - "$work/days.$ending"
  expect "so is a timeline, $ending" 0 $?
done
call run "$scenario" --svg "$work/drawing.svg.gz"
expect_has 'so is a drawing' '</svg>' "$(gzip -dc "$work/drawing.svg.gz")"

complete_gzip() { [[ ! -e $1 ]] || gzip -t "$1"; }
complete() { [[ ! -e $1 || $(tail -c 3 "$1") == *']}'* ]]; }
refused() { # NAME WHOLE_MESSAGE ARGUMENTS
  local name=$1 message=$2
  shift 2
  call run "$@"
  expect "$name exits 2" 2 "$code"
  expect 'and says why' "$message" "$err"
  expect 'and prints no result' '' "$out"
}
for option in --trace --timeline --svg; do
  ending=json
  [[ $option == --svg ]] && ending=svg
  refused "$option without a name" "$option: error: expected the name of a file, found nothing" \
    "$scenario" "$option" ''
  refused "$option with --crosscheck" \
    "$option: error: has no effect with --crosscheck, which plays the step several times
hint: leave one of the two out" --crosscheck "$scenario" "$option" "$work/x.json"
  refused "$option of two scenarios" "$option: error: needs a single scenario
hint: a run for each: danlu run $scenario $option FILE" \
    "$scenario" "$scenario" "$option" "$work/x.json"
  refused "$option to a directory" "$option: error: '$work' is a directory, not a file
hint: for example $work/out.$ending" "$scenario" "$option" "$work"
  refused "$option into no folder" \
    "$option: error: '$work/no/x.json' cannot be written: there is no folder '$work/no'" \
    "$scenario" "$option" "$work/no/x.json"
done
refused 'a folder where no file can be' \
  "--trace: error: '/proc/x.json' cannot be written: No such file or directory" \
  "$scenario" --trace /proc/x.json
longest=$(printf 'a%.0s' {1..250}).json
call run "$scenario" --trace "$work/$longest"
is_trace 'the longest name there can be' "$work/$longest"
refused 'a longer one' "--trace: error: '$work/a$longest' cannot be written: File name too long" \
  "$scenario" --trace "$work/a$longest"

# Nothing is written over what is read, whatever name leads there.
cp scenarios/learn/01-one-gpu.yaml "$work/base.yaml"
cp -r topologies "$work/mine"
printf '%s\n' 'extends: base.yaml' 'name: own' 'cluster: {gpus: 2}' 'training: {global_batch: 2}' \
  'faults: {days: 1, random: false, trace: events.csv, causes: {gpu: {component: gpu}},' \
  '         checkpoint: {interval: 1 h, write: 10 s}}' \
  >"$work/own.yaml"
printf 'time,cause\n1 h,gpu\n' >"$work/events.csv"
ln "$work/own.yaml" "$work/hard.json"
ln -s own.yaml "$work/soft.json"
for name in own.yaml hard.json soft.json base.yaml events.csv mine/lesson.yaml \
  mine/gpus/lesson.yaml; do
  before=$(<"$work/$name")
  DANLU_TOPOLOGIES=$work/mine refused "over what is read, $name" \
    "--trace: error: '$work/$name' is a file that this run reads
hint: for example $(dirname "$work/$name")/out.json" "$work/own.yaml" --trace "$work/$name"
  expect 'it stays' "$before" "$(<"$work/$name")"
done
refused 'a timeline over the events' \
  "--timeline: error: '$work/events.csv' is a file that this run reads
hint: for example $work/out.json" "$work/own.yaml" --timeline "$work/events.csv"
call run "$work/own.yaml" --timeline "$work/days.csv"
expect 'a name of its own is right' 0 "$code"
ln -s x.json "$work/to-x.json"
refused 'one file for both, by a link that leads nowhere yet' \
  "--timeline: error: '$work/to-x.json' is the file of --trace too
hint: each needs a file of its own" "$scenario" --trace "$work/x.json" --timeline "$work/to-x.json"
same=$work/../${work##*/}/x.json
refused 'one file for both' "--timeline: error: '$same' is the file of --trace too
hint: each needs a file of its own" "$scenario" --trace "$work/x.json" --timeline "$same"
refused 'a timeline of another kind' \
  "--timeline: error: '$work/x.txt' ends neither in .json nor in .csv
hint: .json is a trace for Perfetto, .csv a table; .json.gz and .csv.gz compress them" \
  "$scenario" --timeline "$work/x.txt"
# What a name says is what is written; devices and pipes may have any.
refused 'a trace under the name of a text' "--trace: error: '$work/x.txt' does not end in .json
hint: it is a trace for Perfetto; .json.gz compresses it" "$scenario" --trace "$work/x.txt"
refused 'a drawing under the name of pixels' "--svg: error: '$work/x.png' does not end in .svg
hint: it is a drawing as SVG; .svg.gz compresses it" "$scenario" --svg "$work/x.png"
call validate tests/validation/korthikanti-2022.csv --plot "$work/x.pdf"
expect 'so is one of a validation' 2 "$code"
expect 'and it says so' "--plot: error: '$work/x.pdf' does not end in .svg
hint: it is a drawing as SVG; .svg.gz compresses it" "$err"
call run "$scenario" --svg >(cat >"$work/drawn")
expect 'a drawing goes into a pipe' 0 "$code"
call run "$scenario" --svg "$work/X.SVG"
expect 'letters may be large' 0 "$code"
# What is shown of a trace.
for option in ranks:rank:3 microbatches:microbatch:7; do
  IFS=: read -r several one last <<<"$option"
  refused "--trace-$several without a trace" "--trace-$several: error: has no effect without --trace
hint: for example --trace step.json" "$larger" "--trace-$several" 0
  for bad in x 1-0 0- -3 0,,1 0:1 1.5; do
    refused "--trace-$several '$bad'" \
      "--trace-$several: error: expected $several and ranges of them, found '$bad'
hint: for example 0-7,12" "$larger" --trace "$work/x.json" "--trace-$several=$bad"
  done
  refused "--trace-$several of nothing" \
    "--trace-$several: error: expected $several and ranges of them, found ''
hint: for example 0-7,12" "$larger" --trace "$work/x.json" "--trace-$several" ''
  refused 'one that is not there' \
    "--trace-$several: error: there is no $one $((last + 1)): the scenario has 0 to $last" \
    "$larger" --trace "$work/x.json" "--trace-$several" "0,1-$((last + 1))"
done
call run "$larger" --trace "$work/some.json" --trace-microbatches '1, 3-4'
expect 'some microbatches are shown' '1
3
4' "$(grep -o '"microbatch": [0-9]*' "$work/some.json" | cut -d ' ' -f 2 | sort -nu)"
expect 'and what is of none' "$(grep -c '"name": "optimizer"' "$work/large.json")" \
  "$(grep -c '"name": "optimizer"' "$work/some.json")"

# A large one is announced, with what makes it less. In a device it takes no room here.
many=scenarios/gpt3-175b-a100.yaml
many_hint='--trace-ranks 0-7 writes some ranks; --trace-microbatches 0-3 some microbatches'
call run "$many" --no-advice --trace /dev/null
expect 'a large trace is announced' \
  "note: the trace has 1.4e+06 slices, which take about 552.1 ms and a file of 263.2 MiB
hint: $many_hint; a name that ends in .gz compresses it to 18.43 MiB" "$err"
call run "$many" --no-advice --trace /dev/null --trace-microbatches 0-3
expect 'some microbatches of it are not' '' "$err"

refused 'a timeline without faults' "$scenario: error: --timeline needs a scenario with faults
hint: for example --set faults=llama3-405b --set faults.days=54" \
  "$scenario" --trace "$work/x.json" --timeline "$work/x.csv"
expect 'nothing is written where something is refused' '' "$(find "$work" -name 'x.*')"

# ---- Signals. A background process of a script ignores SIGINT, one of timeout's does not.
slow="$work/slow.yaml"
sed "s|^name: .*|name: slow|" scenarios/gpt3-175b-64-a100-selective.yaml >"$slow"
interrupted() { # NAME SIGNAL SECONDS ARGUMENTS
  local name=$1 signal=$2 seconds=$3
  shift 3
  timeout --preserve-status -s "$signal" "$seconds" "$danlu" run "$@" >"$work/out" 2>"$work/err"
  local code=$?
  expect "SIG$signal $name" "$((128 + $(kill -l "$signal")))" "$code"
}
# gpipe has no rounds that could be counted: two seconds on the fastest machine so far.
heavy=(--set fold=off --set training.global_batch=8192 --set training.schedule.kind=gpipe
  --set training.schedule.chunks=1)
for signal in INT TERM HUP; do
  interrupted 'while playing' "$signal" 0.4 "$slow" "${heavy[@]}"
  expect 'prints nothing' '' "$(<"$work/out")"
  # That it takes long was said before; the signal itself adds nothing.
  expect 'says nothing more' '' "$(grep -vE '^(note: slow: this step has|hint: )' "$work/err")"
  interrupted 'while children play' "$signal" 0.4 "$slow" "$slow" "${heavy[@]}"
done
sleep 0.2
expect 'no child stays' '' "$(pgrep -f "$slow")"
for delay in 0.1 0.2 0.3 0.4 0.5 0.6 0.7; do
  timeout -s TERM "$delay" "$danlu" run "$slow" --set fold=off \
    --set training.global_batch=16 --trace "$work/cut.json" >/dev/null
  check 'a trace is whole or not there' complete "$work/cut.json"
  timeout -s TERM "$delay" "$danlu" run scenarios/gpt3-175b-a100.yaml --no-advice \
    --trace "$work/cut.json.gz" >/dev/null 2>&1
  check 'so is a compressed one' complete_gzip "$work/cut.json.gz"
done
expect 'no half-written file stays' '' "$(find "$work" -name '.danlu-*')"

end_of_checks
