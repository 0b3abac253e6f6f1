#!/usr/bin/env bash
# A sweep in a folder whose processes are killed at random moments comes to the same bytes as one
# that nobody disturbed. DANLU_SEED repeats the moments, as far as the machine does.
# Usage: sweep_kill_test.sh REPO_ROOT DANLU_BINARY POINTS KILLS
set -uo pipefail
root=$1
danlu=$2
points=$3
kills=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"
RANDOM=${DANLU_SEED:=17}
echo "DANLU_SEED=$DANLU_SEED"

tiny_scenario >"$work/tiny.yaml"
plan() { # DIR VALUES ARGUMENTS...
  call sweep plan "$work/tiny.yaml" --over "training.global_batch=$2" -o "$work/$1" "${@:3}"
  expect "$1 is planned" 0 "$code"
}
collected() { # DIR: the table
  call sweep collect "$work/$1" -o "$work/$1.csv"
  cat "$work/$1.csv"
}
fresh() { # a copy of the plan, without results
  rm -rf "$work/killed"
  cp -r "$work/planned" "$work/killed"
}

plan planned "4..$((4 * points)):4"
fresh
call sweep run "$work/killed"
expect 'undisturbed' 0 "$code"
undisturbed=$(collected killed)
expect 'all points are there' "$((points + 1))" "$(wc -l <"$work/killed.csv")"

# Kills, one after the other, a random one of so many workers that share the points, and starts it
# again; begins anew where all is played before there were enough.
kill_workers() { # WORKERS
  local workers=$1 killed=0 whole=0 ids=() i code
  start_worker() { # NUMBER from 0
    "$danlu" sweep worker "$work/killed" --chunk "$(($1 + 1))/$workers" >/dev/null 2>&1 &
    ids[$1]=$!
  }
  while ((killed < kills)); do
    fresh
    for ((i = 0; i < workers; ++i)); do start_worker "$i"; done
    while ((killed < kills)); do
      sleep "0.$(printf %03d $((RANDOM % 250)))"
      i=$((RANDOM % workers))
      kill -KILL "${ids[i]}" 2>/dev/null
      wait "${ids[i]}" 2>/dev/null # the shell tells of it otherwise
      code=$?
      start_worker "$i"
      ((code == 137)) || break # it was through
      killed=$((killed + 1))
    done
    for ((i = 0; i < workers; ++i)); do
      wait "${ids[i]}"
      expect "worker $i of $workers" 0 $?
    done
    whole=$((whole + 1))
    expect "$workers workers, killed $killed times" "$undisturbed" "$(collected killed)"
  done
  echo "$workers workers: $killed kills in $whole sweeps"
}
kill_workers 1
kill_workers 3

# The same of all at once on this machine.
fresh
"$danlu" sweep run "$work/killed" --jobs 3 >/dev/null 2>&1 &
sleep 0.2
kill -KILL $! 2>/dev/null
wait $! 2>/dev/null
call sweep run "$work/killed"
expect 'run again' 0 "$code"
expect 'and as undisturbed' "$undisturbed" "$(collected killed)"

# A point that takes long, since gpipe has no rounds that could be counted: SIGTERM drops it, and
# no process is left.
plan long 8,8192 --set training.schedule.kind=gpipe
cp -r "$work/long" "$work/died"
"$danlu" sweep run "$work/long" >/dev/null 2>&1 &
until [[ $(pgrep -P $!) ]]; do sleep 0.01; done
kill -TERM $!
wait $!
expect 'ended by SIGTERM' 143 $?
for ((tries = 0; tries < 100; ++tries)); do # its children see that it is gone
  [[ $(pgrep -f "$work/long") ]] || break
  sleep 0.02
done
expect 'with all its processes' '' "$(pgrep -f "$work/long")"
call sweep status "$work/long"
expect_has 'and no result' '1 missing' "$out"
call sweep run "$work/long"
long=$(collected long)

# What kills the process of a point, or that which plays for it: once, and it is played again;
# twice, and it has failed.
died() { # child|player...
  "$danlu" sweep worker "$work/died" --retry-failed >/dev/null 2>&1 &
  local worker=$! child player before='' who
  for who; do
    until child=$(pgrep -P "$worker") && [[ $child != "$before" ]] &&
      player=$(pgrep -P "$child"); do
      sleep 0.01
    done
    kill -KILL "${!who}"
    before=$child
  done
  wait "$worker"
}
died player child
expect 'killed twice' 0 $?
expect_has 'it has failed' '1,8192,failed,this machine has not enough memory for it' \
  "$(collected died)"
for who in child player; do
  rm -rf "$work/died/results"
  mkdir "$work/died/results"
  died "$who"
  expect "$who killed once" 0 $?
  expect 'it has not failed' "$long" "$(collected died)"
done
end_of_checks
