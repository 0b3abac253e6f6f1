#!/usr/bin/env bash
# Times whole commands on one core: wall time (best of N), peak memory, tasks and tasks per second. Each
# run's simulated step is compared with the expected one first, so a benchmark that computes the wrong
# thing fails. Usage: bench.sh REPO_ROOT DANLU_BINARY [RUNS]
#
# Budgets are printed, not enforced: machines are noisy. A step that is off by more than 0.1 % is an error.
set -euo pipefail
root=$1
danlu=$2
runs=${3:-5}
pin=()
if command -v taskset >/dev/null; then
  pin=(taskset -c 0)
fi

field() { # the first number after "NAME": in the JSON
  awk -v key="\"$1\":" '{ for (i = 1; i < NF; ++i) if ($i == key) { sub(",", "", $(i + 1)); print $(i + 1); exit } }'
}

failed=0
printf '%-44s %9s %9s %8s %9s %11s %10s %s\n' command 'wall s' budget 'MB' tasks 'tasks/s' 'step s' ''
bench() { # NAME EXPECTED_STEP BUDGET_S ARGUMENTS...
  local name=$1 expected=$2 budget=$3
  shift 3
  local best='' json=''
  for ((i = 0; i < runs; ++i)); do
    local begin end
    begin=$EPOCHREALTIME
    json=$("${pin[@]}" "$danlu" run --json "$@")
    end=$EPOCHREALTIME
    best=$(awk -v b="$begin" -v e="$end" -v best="$best" \
      'BEGIN { d = e - b; print (best == "" || d < best) ? d : best }')
  done
  local step tasks bytes verdict=ok
  step=$(field time_s <<<"$json")
  tasks=$(field tasks_played <<<"$json")
  bytes=$(field peak_memory_bytes <<<"$json")
  if ! awk -v a="$step" -v b="$expected" 'BEGIN { d = a / b - 1; exit !(d < 1e-3 && d > -1e-3) }'; then
    verdict="WRONG: expected a step of $expected s"
    failed=1
  fi
  awk -v n="$name" -v w="$best" -v g="$budget" -v m="$bytes" -v t="$tasks" -v s="$step" -v v="$verdict" \
    'BEGIN { printf "%-44s %9.3f %9.2f %8.1f %9d %11.0f %10.4f %s\n", n, w, g, m / 1e6, t, t / w, s, v }'
}

cd "$root"
bench 'GPT-3 175B, 64 GPUs, selective' 12.703 0.5 scenarios/gpt3-175b-64-a100-selective.yaml
bench 'GPT-3 175B, 64 GPUs, full' 17.078 0.5 scenarios/gpt3-175b-64-a100-full.yaml
bench 'GPT-3 175B, 1,024 GPUs' 25.424 1 scenarios/gpt3-175b-a100.yaml
exit "$failed"
