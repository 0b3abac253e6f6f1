#!/usr/bin/env bash
# What --trace and --timeline write: whole files or none, through links, into pipes and devices; and
# what is refused before anything is played.
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
call run "$scenario" --trace /dev/stdout
is_trace 'the trace comes before the report' "$work/out"
expect_has 'which follows' 'step time' "$out"

refused() { # NAME WHOLE_MESSAGE ARGUMENTS
  local name=$1 message=$2
  shift 2
  call run "$@"
  expect "$name exits 2" 2 "$code"
  expect 'and says why' "$message" "$err"
  expect 'and prints no result' '' "$out"
}
for option in --trace --timeline; do
  refused "$option without a name" "$option: error: expected the name of a file, found nothing" \
    "$scenario" "$option" ''
  refused "$option with --crosscheck" \
    "$option: error: has no effect with --crosscheck, which plays the step several times
hint: leave one of the two out" --crosscheck "$scenario" "$option" "$work/x.json"
  refused "$option of two scenarios" "$option: error: needs a single scenario
hint: a run for each: danlu run $scenario $option FILE" \
    "$scenario" "$scenario" "$option" "$work/x.json"
  refused "$option to a directory" "$option: error: '$work' is a directory, not a file
hint: for example $work/out.json" "$scenario" "$option" "$work"
  refused "$option into no folder" \
    "$option: error: '$work/no/x.json' cannot be written: there is no folder '$work/no'" \
    "$scenario" "$option" "$work/no/x.json"
done
same=$work/../${work##*/}/x.json
refused 'one file for both' "--timeline: error: '$same' is the file of --trace too
hint: each needs a file of its own" "$scenario" --trace "$work/x.json" --timeline "$same"
refused 'a timeline of another kind' \
  "--timeline: error: '$work/x.txt' ends neither in .json nor in .csv
hint: .json is a trace for Perfetto, .csv a table" "$scenario" --timeline "$work/x.txt"
refused 'a timeline without faults' "$scenario: error: --timeline needs a scenario with faults
hint: for example --set faults=llama3-405b --set faults.days=54" \
  "$scenario" --trace "$work/x.json" --timeline "$work/x.csv"
expect 'nothing is written where something is refused' '' "$(find "$work" -name 'x.*')"
expect 'no half-written file stays' '' "$(find "$work" -name '*.tmp')"

end_of_checks
