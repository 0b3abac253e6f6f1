#!/usr/bin/env bash
# Times whole commands on one core: wall time (best of RUNS), peak memory, tasks and tasks a second.
# Each run's simulated step is compared with the expected one, so a benchmark that computes the
# wrong thing fails. Usage: bench.sh REPO_ROOT DANLU_BINARY [RUNS]
#
# Then one plan on 64 to 131,072 GPUs, eight times the replicas from row to row, and how the cost
# grows: the last column is the exponent of wall time over GPUs from the row before; 1 is linear.
#
# At the end Calculon's search beside danlu's, where CALCULON names a checkout and PYTHON (python3,
# if unset) has numpy, pandas and psutil: tests/bench/calculon.py.
#
# Where the time goes: docs/develop/speed.md.
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

row='%-32s %8s %7s %8s %8s %9s %9s  %s\n'
failed=0
best='' json=''
time_best() { # COMMAND ARGUMENTS... sets best (seconds) and json (of the last run)
  best=''
  for ((i = 0; i < runs; ++i)); do
    local begin=$EPOCHREALTIME
    json=$("${pin[@]}" "$danlu" "$@" --json)
    best=$(awk -v b="$begin" -v e="$EPOCHREALTIME" -v best="$best" \
      'BEGIN { d = e - b; printf "%.3f", best == "" || d < best ? d : best }')
  done
}
megabytes() { awk -v b="$(field peak_memory_bytes <<<"$json")" 'BEGIN { printf "%.1f", b / 1e6 }'; }

bench() { # NAME EXPECTED_STEP BUDGET ARGUMENTS...
  local name=$1 expected=$2 budget=$3
  shift 3
  time_best run "$@"
  local step tasks rate verdict=ok
  step=$(field time_s <<<"$json")
  tasks=$(field tasks_played <<<"$json")
  if ! awk -v a="$step" -v b="$expected" 'BEGIN { d = a / b - 1; exit d > 1e-3 || d < -1e-3 }'; then
    verdict="WRONG: expected a step of $expected s"
    failed=1
  fi
  rate=$(awk -v t="$tasks" -v w="$best" 'BEGIN { printf "%.0f", t / w }')
  # shellcheck disable=SC2059
  printf "$row" "$name" "$best" "$budget" "$(megabytes)" "$tasks" "$rate" "${step:0:8}" "$verdict"
}

collective() { # NAME EXPECTED_TIME BUDGET ARGUMENTS...
  local name=$1 expected=$2 budget=$3 verdict=ok
  shift 3
  time_best collective "$@"
  local time
  time=$(field time_s <<<"$json")
  if ! awk -v a="$time" -v b="$expected" 'BEGIN { d = a / b - 1; exit d > 1e-3 || d < -1e-3 }'; then
    verdict="WRONG: expected $expected s"
    failed=1
  fi
  # shellcheck disable=SC2059
  printf "$row" "$name" "$best" "$budget" '' '' '' "${time:0:8}" "$verdict"
}

campaign() { # NAME EXPECTED_SAVING BUDGET ARGUMENTS...: what a run without failures would save
  local name=$1 expected=$2 budget=$3 verdict=ok
  shift 3
  time_best run "$@"
  local saved
  saved=$(grep -A 1 '"remedy": "no failures"' <<<"$json" | field saved_s)
  if ! awk -v a="$saved" -v b="$expected" \
    'BEGIN { d = a / b - 1; exit d > 1e-3 || d < -1e-3 }'; then
    verdict="WRONG: expected $expected s to be saved"
    failed=1
  fi
  # shellcheck disable=SC2059
  printf "$row" "$name" "$best" "$budget" "$(megabytes)" '' '' '' "saves ${saved:0:6} s, $verdict"
}

search() { # NAME EXPECTED_STEP BUDGET ARGUMENTS...: the best plan, on all cores
  local name=$1 expected=$2 budget=$3 verdict=ok
  shift 3
  local begin=$EPOCHREALTIME
  local found step
  found=$("$danlu" search "$@" --json)
  best=$(awk -v b="$begin" -v e="$EPOCHREALTIME" 'BEGIN { printf "%.3f", e - b }')
  step=$(grep -m 1 -A 3 '"rank": "1"' <<<"$found" | sed -n 's/.*"step_s": \([^,]*\).*/\1/p')
  if ! awk -v a="$step" -v b="$expected" 'BEGIN { d = a / b - 1; exit d > 1e-3 || d < -1e-3 }'; then
    verdict="WRONG: expected a best step of $expected s"
    failed=1
  fi
  # shellcheck disable=SC2059
  printf "$row" "$name" "$best" "$budget" '' '' '' "${step:0:8}" "$verdict"
}

# A trace of GPT-3 175B on 1,024 GPUs, beside the step alone; and what gzip -1 takes for its text.
# Peak memory is that of the program that writes it, where GNU time can tell.
trace() { # NAME EXPECTED_SLICES BUDGET FILE
  local name=$1 expected=$2 budget=$3 file=$4 verdict=ok i slices
  local command=(run scenarios/gpt3-175b-a100.yaml --no-advice)
  local peak=()
  [[ ! -x /usr/bin/time ]] || peak=(/usr/bin/time -f %M -o "$work/peak")
  printf '0\n' >"$work/peak"
  time_best "${command[@]}"
  local alone=$best
  best=''
  for ((i = 0; i < runs; ++i)); do
    local begin=$EPOCHREALTIME
    "${pin[@]}" "${peak[@]}" "$danlu" "${command[@]}" --trace "$file" >/dev/null 2>&1
    best=$(awk -v b="$begin" -v e="$EPOCHREALTIME" -v best="$best" \
      'BEGIN { d = e - b; printf "%.3f", best == "" || d < best ? d : best }')
  done
  slices=$(gzip -dcf "$file" | grep -c '"ph": "X"')
  if [[ $slices != "$expected" ]]; then
    verdict="WRONG: expected $expected slices, found $slices"
    failed=1
  fi
  # shellcheck disable=SC2059
  printf "$row" "$name" "$best" "$budget" \
    "$(awk '{ printf "%.1f", $1 * 1024 / 1e6 }' "$work/peak")" "$slices" '' '' \
    "$(awk -v w="$best" -v a="$alone" -v s="$(stat -c %s "$file")" \
      'BEGIN { printf "%.1f MB, %.1f times the step alone", s / 1e6, w / a }'), $verdict"
}
gzip_of() { # FILE: the baseline for compressing
  local begin=$EPOCHREALTIME
  "${pin[@]}" gzip -1 -c "$1" >"$work/gzip.gz"
  # shellcheck disable=SC2059
  printf "$row" '  gzip -1 of the first' \
    "$(awk -v b="$begin" -v e="$EPOCHREALTIME" 'BEGIN { printf "%.3f", e - b }')" '' '' '' '' '' \
    "$(awk -v s="$(stat -c %s "$work/gzip.gz")" 'BEGIN { printf "%.1f MB", s / 1e6 }')"
}

before='' gpus_before=''
scale() { # GPUS: GPT-3 175B, tensor 8, pipeline 8, 96 microbatches per replica
  local gpus=$1 growth=''
  time_best run scenarios/gpt3-175b-a100.yaml --set "cluster.gpus=$gpus" \
    --set "parallelism.data=$((gpus / 64))" --set "training.global_batch=$((gpus / 64 * 96))"
  if [[ -n $before ]]; then
    growth=$(awk -v a="$before" -v b="$best" -v m="$gpus_before" -v n="$gpus" \
      'BEGIN { printf "%.2f", log(b / a) / log(n / m) }')
  fi
  before=$best
  gpus_before=$gpus
  local step
  step=$(field time_s <<<"$json")
  # shellcheck disable=SC2059
  printf "$scaling" "$gpus" "$best" "$(megabytes)" "$(field classes <<<"$json")" \
    "$(field tasks_played <<<"$json")" "${step:0:8}" "$growth"
}

cd "$root"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
events=$work/events.json
# shellcheck disable=SC2059
printf "$row" command 'wall s' budget MB tasks tasks/s 'step s' ''
bench 'GPT-3 175B, 64 GPUs, selective' 13.6694 '0.5' scenarios/gpt3-175b-64-a100-selective.yaml
bench 'GPT-3 175B, 64 GPUs, full' 18.8374 '0.5' scenarios/gpt3-175b-64-a100-full.yaml
bench 'GPT-3 175B, 1,024 GPUs' 27.3643 '0.1' scenarios/gpt3-175b-a100.yaml
bench 'Llama-3 405B, 16,384 GPUs' 10.2372 '0.5' scenarios/llama3-405b-16384-h100.yaml
bench 'Llama-3 405B, 131,072 GPUs' 10.2647 '4' scenarios/llama3-405b-131072-h100.yaml
bench 'Llama-3 8B FSDP, 1,024 GPUs' 2.3118 '0.5' scenarios/llama3-8b-fsdp-h100.yaml \
  --set cluster.gpus=1024 --set training.global_batch=2048
bench 'Llama-3 405B, 8 chunks, 16,384' 6.0689 '1' scenarios/llama3-405b-interleaved-h100.yaml
bench 'Llama-3 405B, 131k tokens' 18.9029 '1' scenarios/llama3-405b-131k-context.yaml
bench 'Llama-3 8B, 1M tokens' 65.5166 '0.5' scenarios/llama3-8b-1m-context.yaml
bench 'GPT-3 175B, 6 chunks, 2,048' 68.1979 '0.2' scenarios/gpt3-175b-a100.yaml \
  --set cluster.gpus=2048 --set parallelism.pipeline=16 --set training.schedule.chunks=6 \
  --set training.global_batch=8192
# Chaotic: its last digits move by 1e-5 with the rounding of durations (docs/develop/speed.md).
bench 'Llama-3 405B, 16,384, ECMP' 10.2685 '5' scenarios/llama3-405b-16384-h100.yaml \
  --set cluster.fabric.routing=ecmp --no-advice
bench 'Llama-3 405B, 1,048,576 GPUs' 10.4661 '6' scenarios/llama3-405b-131072-h100.yaml \
  --set cluster.gpus=1048576 --set parallelism.data=8192 --set training.global_batch=131072
bench 'GPT-3 175B, 512 GPUs, no fold' 27.3074 '60' scenarios/gpt3-175b-a100.yaml \
  --set fold=off --set cluster.gpus=512 --set parallelism.data=8 --set training.global_batch=768

# GPUs that are slow, each by a factor of its own.
slow() { # COUNT GPUS
  local i
  for ((i = 0; i < $1; ++i)); do
    printf -- '--set degraded.gpus.%d=%d.%03d ' $((i * 389 % $2)) $(((1050 + 3 * i) / 1000)) \
      $(((1050 + 3 * i) % 1000))
  done
}
for count in 1 10 100; do
  case $count in
    1) expected=27.9805 budget=0.15 ;;
    10) expected=28.8111 budget=0.3 ;;
    100) expected=34.7515 budget=1 ;;
  esac
  read -ra degraded <<<"$(slow $count 1024)"
  bench "GPT-3 175B, 1,024, $count slow" "$expected" "$budget" scenarios/gpt3-175b-a100.yaml \
    "${degraded[@]}"
done

read -ra degraded <<<"$(slow 100 16384)"
bench 'Llama-3 405B, 16,384, 100 slow' 11.4781 '2' scenarios/llama3-405b-16384-h100.yaml \
  "${degraded[@]}"
bench 'GPT-3 175B, 1,024, a dead NIC' 28.2547 '0.15' scenarios/gpt3-175b-a100.yaml \
  --set degraded.nics.3=0
bench 'GPT-3 175B, 1,024, all jittering' 28.1559 '3' scenarios/gpt3-175b-a100.yaml \
  --set degraded.jitter.spread=0.05

# Searches: of 12,708 plans that can run, of 5,160, and of 35,136, the best for certain.
search 'GPT-3 175B, 64 A100, best plan' 13.0713 '10' scenarios/gpt3-175b-64-a100-selective.yaml
search 'Llama-3 70B, 128 H100, best plan' 30.6644 '15' scenarios/search/llama3-70b-128-h100.yaml
search 'DeepSeek-V3, 2,048 H800, best plan' 15.1184 '60' scenarios/deepseek-v3-h800-dualpipe.yaml

# Campaigns: the step, and 1,000 runs of 54 days; and one run with all its events, of which the
# campaign is what it takes longer than the step alone.
bench 'Llama-3 405B, 1,000 x 54 days' 10.2372 '10' scenarios/faults/llama3-405b-54-days.yaml \
  --set faults.trials=1000 --set faults.what_if=false
campaign 'Llama-3 405B, 1,000, what-if' 287128 '4' scenarios/faults/llama3-405b-54-days.yaml \
  --set faults.trials=1000 --no-advice
bench 'Llama-3 405B, 54 days, events' 10.2372 '0.5' scenarios/faults/llama3-405b-54-days.yaml \
  --set faults.trials=1 --set faults.what_if=false --timeline "$events"
with_events=$best
time_best run scenarios/llama3-405b-16384-h100.yaml
# shellcheck disable=SC2059
printf "$row" '  without its step' "$(awk -v a="$with_events" -v b="$best" \
  'BEGIN { printf "%.3f", a - b }')" '0.1' '' '' '' '' ''

# 1.38 million slices; "tasks" counts them.
trace 'GPT-3 175B, 1,024 GPUs, .json' 1380168 '1' "$work/step.json"
trace 'GPT-3 175B, 1,024 GPUs, .json.gz' 1380168 '1' "$work/step.json.gz"
gzip_of "$work/step.json"

# 2 x 1023 steps of 2 us and 2 x 1023/1024 x 1 GiB / 25 GB/s: 4.092 ms + 85.816 ms.
collective '1 GiB ring, 1,024 ranks' 0.089908 '0.1' --topology tests/bench/one-switch.yaml \
  --gpus 1024 --min 1GiB --max 1GiB --algorithm ring

# Message by message; 512 ranks: 2 x 511 steps, 2 x 511/512 x 1 GiB / 25 GB/s: 2.044 ms + 85.732 ms.
collective '1 GiB ring, 512 by message' 0.0877756 '1.5' --topology tests/bench/one-switch.yaml \
  --gpus 512 --min 1GiB --max 1GiB --algorithm ring --collectives stepwise
collective '1 GiB ring, 1,024 by message' 0.089908 '4' --topology tests/bench/one-switch.yaml \
  --gpus 1024 --min 1GiB --max 1GiB --algorithm ring --collectives stepwise

# 2 x 131071 steps of 2 us and as many chunks of 8 KiB: 524.284 ms + 85.899 ms.
collective '1 GiB ring, 131,072 ranks' 0.610183 '3' --topology tests/bench/one-switch.yaml \
  --gpus 131072 --min 1GiB --max 1GiB --algorithm ring
# All 31 sizes; the time is that of 8 B.
collective 'all-reduce, 1,024 H100' 9.40582e-05 '0.5' --topology h100-superpod --gpus 1024
collective 'all-reduce, 131,072 H100' 0.000173058 '5' --topology h100-superpod --gpus 131072

scaling='%8s %8s %8s %8s %9s %9s %8s\n'
# shellcheck disable=SC2059
printf "\n$scaling" GPUs 'wall s' MB classes tasks 'step s' growth
for gpus in 64 512 4096 32768 131072; do
  scale "$gpus"
done

# Calculon's own search of one size beside danlu's; skipped where CALCULON names no checkout.
printf '\n'
"${PYTHON:-python3}" tests/bench/calculon.py "$danlu" 64-plain || failed=1
exit "$failed"
