#!/usr/bin/env bash
# Times whole commands on one core: wall time (best of N), peak memory, tasks and tasks per second.
# Each run's simulated step is compared with the expected one, so a benchmark that computes the
# wrong thing fails. Usage: bench.sh REPO_ROOT DANLU_BINARY [RUNS]
#
# Budgets are printed, not enforced: machines are noisy. A step off by more than 0.1 % is an error.
set -euo pipefail
root=$1
danlu=$2
runs=${3:-5}
pin=()
if command -v taskset >/dev/null; then
  pin=(taskset -c 0)
fi

field() { # the first number after "NAME": in the JSON
  grep -m 1 "\"$1\":" | tr -dc '0-9.e+-' | sed 's/^e*//'
}

row='%-32s %8s %7s %7s %8s %9s %9s  %s\n'
failed=0
# shellcheck disable=SC2059
printf "$row" command 'wall s' budget MB tasks tasks/s 'step s' ''
bench() { # NAME EXPECTED_STEP BUDGET_S ARGUMENTS...
  local name=$1 expected=$2 budget=$3
  shift 3
  local best='' json=''
  for ((i = 0; i < runs; ++i)); do
    local begin=$EPOCHREALTIME
    json=$("${pin[@]}" "$danlu" run --json "$@")
    best=$(awk -v b="$begin" -v e="$EPOCHREALTIME" -v best="$best" \
      'BEGIN { d = e - b; printf "%.3f", best == "" || d < best ? d : best }')
  done
  local step tasks bytes verdict=ok
  step=$(field time_s <<<"$json")
  tasks=$(field tasks_played <<<"$json")
  bytes=$(field peak_memory_bytes <<<"$json")
  if ! awk -v a="$step" -v b="$expected" 'BEGIN { d = a / b - 1; exit d > 1e-3 || d < -1e-3 }'; then
    verdict="WRONG: expected a step of $expected s"
    failed=1
  fi
  local megabytes rate
  megabytes=$(awk -v b="$bytes" 'BEGIN { printf "%.1f", b / 1e6 }')
  rate=$(awk -v t="$tasks" -v w="$best" 'BEGIN { printf "%.0f", t / w }')
  # shellcheck disable=SC2059
  printf "$row" "$name" "$best" "$budget" "$megabytes" "$tasks" "$rate" "${step:0:8}" "$verdict"
}

cd "$root"
bench 'GPT-3 175B, 64 GPUs, selective' 13.0262 0.5 scenarios/gpt3-175b-64-a100-selective.yaml
bench 'GPT-3 175B, 64 GPUs, full' 18.0095 0.5 scenarios/gpt3-175b-64-a100-full.yaml
bench 'GPT-3 175B, 1,024 GPUs' 25.9142 1 scenarios/gpt3-175b-a100.yaml
exit "$failed"
