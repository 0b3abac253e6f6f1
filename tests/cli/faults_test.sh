#!/usr/bin/env bash
# Campaigns as their user meets them: the report's parts add up, the same seed gives the same bytes
# whatever the number of threads, the folding and the order of keys, and timelines are whole.
# Usage: faults_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"
# The `faults` object of a JSON report.
faults() { sed -n '/^  "faults": {/,/^  }/p' <<<"$out"; }
# The sum of the numbers of an object right below `faults`.
sum_of() {
  faults | sed -n "/^    \"$1\": {/,/^    }/p" |
    awk -F ': ' 'NF == 2 { sum += $2 } END { printf "%.3f", sum }'
}
# The mean of a quantity with its distribution.
mean_of() {
  faults | sed -n "/^    \"$1\": {/,/^    }/p" |
    awk -F ': ' '$1 ~ /"mean"/ { printf "%.3f", $2 }'
}

# Four stages of two data-parallel replicas on four nodes that fail every few hours.
cat >"$work/a.yaml" <<'YAML'
name: small
model: {layers: 8, hidden: 4096, heads: 32, vocab: 32768}
cluster: {topology: dgx-a100, gpus: 32}
parallelism: {tensor: 4, pipeline: 4, data: 2}
training: {global_batch: 64, sequence_length: 2048, micro_batch: 1}
faults:
  days: 5
  trials: 40
  seed: 7
  causes:
    host: {mtbf: 30 h, permanent: 0.5}
    link: {component: nic, mtbf: 400 h, effect: degrade, slow_nic: 0.25, duration: 20 min}
    software: {component: job, mtbf: 9 h}
  detection: {mean: 4 min, distribution: exponential}
  restart: {reschedule: {mean: 5 min, distribution: log-normal, shape: 1}}
  checkpoint: {interval: 30 min, write: 20 s}
  spares: {hot: 1, repair: 12 h}
YAML
# The same with its keys in another order.
cat >"$work/b.yaml" <<'YAML'
faults:
  spares: {repair: 12 h, hot: 1}
  checkpoint: {write: 20 s, interval: 30 min}
  restart: {reschedule: {shape: 1, distribution: log-normal, mean: 5 min}}
  detection: {distribution: exponential, mean: 4 min}
  causes:
    software: {mtbf: 9 h, component: job}
    link: {duration: 20 min, slow_nic: 0.25, effect: degrade, component: nic, mtbf: 400 h}
    host: {permanent: 0.5, mtbf: 30 h}
  seed: 7
  trials: 40
  days: 5
training: {micro_batch: 1, sequence_length: 2048, global_batch: 64}
parallelism: {data: 2, pipeline: 4, tensor: 4}
cluster: {gpus: 32, topology: dgx-a100}
model: {vocab: 32768, heads: 32, hidden: 4096, layers: 8}
name: small
YAML

call run --json "$work/a.yaml"
expect 'a campaign exits 0' 0 "$code"
expect 'and says nothing on stderr' '' "$err"
for name in ettr goodput failures wall_time_s mean stderr lost_s by_cause checkpoint what_if; do
  expect_has 'the faults object has its fixed names' "\"$name\":" "$(faults)"
done
expect 'five days were played' 432000.000 "$(mean_of wall_time_s)"
expect 'the parts add up to the wall time' 432000.000 "$(sum_of time_s)"
gpu_time=$(awk 'BEGIN { printf "%.3f", 432000 * (32 + 8) }')
expect 'and those of GPU time to that of all GPUs and spares' "$gpu_time" "$(sum_of gpu_time_s)"
expect_has 'a slow link was played' '"slowdown": 1.' "$(faults)"
base=$(faults)

# Few failures: what one may cost is said in hours, not in thousands of minutes.
call run "$work/a.yaml" --no-advice --set 'faults={days: 90, trials: 10,
  causes: {host: {mtbf: 800 h}}, checkpoint: {interval: 30 min, write: 20 s}}'
expect 'what a failure may cost in hours' 1 \
  "$(grep -c 'ETTR is above 90 % while it costs less than [0-9.]* h\.$' "$work/out")"

call run --json "$work/b.yaml"
expect 'the order of keys does not matter' "$base" "$(faults)"
call run --json "$work/a.yaml" --set fold=off
expect 'nor does folding' "$base" "$(faults)"
if command -v taskset >/dev/null; then
  "$danlu" --version >/dev/null
  taskset -c 0 "$danlu" run --json "$work/a.yaml" >"$work/out" 2>/dev/null
  out=$(<"$work/out")
  expect 'nor does the number of threads' "$base" "$(faults)"
fi
call run --json "$work/a.yaml" --set faults.seed=8
check 'another seed makes other runs' differ "$base" "$(faults)"

# Every kind of recovery, tier and interval keeps the account, folded or not.
for variant in recovery=elastic recovery=replica \
  'checkpoint.memory={interval: 10 min, blocking: 1 s, copies: 2, survives_more: 0.5}' \
  'checkpoint={interval: auto-simulated, write: 20 s}' \
  'checkpoint={interval: 30 min, write: 20 s, mode: async, keep: 3}'; do
  call run --json "$work/a.yaml" --set "faults.$variant" --set faults.trials=5
  expect "$variant: exits 0" 0 "$code"
  expect "$variant: the parts add up" 432000.000 "$(sum_of time_s)"
  expect "$variant: and those of GPU time" "$gpu_time" "$(sum_of gpu_time_s)"
  folded=$(faults)
  call run --json "$work/a.yaml" --set "faults.$variant" --set faults.trials=5 --set fold=off
  expect "$variant: folding does not matter" "$folded" "$(faults)"
done
call run "$work/a.yaml" --set faults.trials=5 --set faults.checkpoint.memory.interval='10 min'
expect_has 'each tier has its line' 'and in peer memory:' "$out"
call run "$work/a.yaml" --set faults.trials=2 --set faults.step='2 s'
expect_has 'a measured step takes the place of the simulated one' \
  ' 2 s   as given, not as simulated' "$out"

call run "$work/a.yaml"
for words in 'Faults' 'ETTR' 'goodput' 'Where the days went' 'By cause' 'What would help' \
  'half the failures' 'Checkpoints'; do
  expect_has 'the text tells it' "$words" "$out"
done
call compare "$work/a.yaml" "$work/b.yaml"
expect_has 'compare shows both' 'With faults' "$out"

call run "$work/a.yaml" --set faults.what_if=false --timeline "$work/t.csv"
expect 'a timeline exits 0' 0 "$code"
expect 'a CSV has its header' 'begin_s,end_s,event,part,cause,component,step,replicas' \
  "$(head -n 1 "$work/t.csv")"
# What the job does follows without gaps.
states='^(train|checkpoint|detection|waiting|restart|stalled|maintenance)$'
gaps=$(awk -F , -v states="$states" 'NR > 1 && $3 ~ states {
  if ($1 - end > 1e-3 || end - $1 > 1e-3) ++gaps
  end = $2
} END { printf "%d gaps, to %.0f", gaps, end }' "$work/t.csv")
expect 'the job does one thing after another' '0 gaps, to 432000' "$gaps"
call run "$work/a.yaml" --set faults.what_if=false --timeline "$work/t.json"
expect_has 'a trace has events' '"name":"train"' "$(<"$work/t.json")"
expect_has 'and is whole' ']}' "$(tail -n 1 "$work/t.json")"
call run "$work/a.yaml" --set faults.what_if=false --timeline "$work/t.CSV"
expect 'endings may be capitals' "$(<"$work/t.csv")" "$(<"$work/t.CSV")"

# One failure, two hours and a minute after the start: what ran since the last checkpoint is redone.
call run --json "$work/a.yaml" --set faults.random=false --set faults.trials=1 \
  --set 'faults.events=[{time: 121 min, cause: host}]'
expect 'an event is one failure' 1.000 "$(mean_of failures_distribution)"
call run --json "$work/a.yaml" --set faults.random=false --set faults.trials=1
expect_has 'without events nothing is redone' '"redone": 0.0' "$(faults)"
expect_has 'and the report says so' "nothing fails: 'faults.random' is false" "$out"
call run "$work/a.yaml" --set faults.recovery='{kind: elastic, min_replicas: 1}' \
  --set faults.recovery.kind=restart --set faults.causes.link.effect=stop --set faults.trials=2
expect 'what a variant switches off is no error' 0 "$code"
expect_has 'but a note' \
  "note: 'faults.recovery.min_replicas' has no effect: 'faults.recovery.kind' is restart" "$out"
expect_has 'that names all of it' \
  "'faults.causes.link.duration', 'faults.causes.link.slow_nic' have no effect" "$out"
call check "$work/a.yaml" --set 'faults.events=[{time: 50 h, cause: host}]' --set faults.days=2 \
  --set faults.checkpoint.memory='{interval: 10 min, copies: 1}' --set faults.causes.fire.nodes=2
idle="it has no rate (mtbf, observed, per_1000_node_days) and no event"
lost='no checkpoint in memory survives the loss of a node'
model='own model: 2 MLP matrices of width 16384 (gated_mlp: false), layernorm (norm), tied '
model+='embeddings, biases, 32 key-value heads, no table of positions'
expect 'check has the notes too' "$work/a.yaml: ok, custom on 32 GPUs
note: an event at 50 h, after the end of the run at 48 h
note: 'faults.causes.fire' never strikes: $idle
note: with 'faults.checkpoint.memory.copies' 1 $lost
note: $model" "$out"
printf 'time,cause\n1 h,host\n130 h,host\n140 h,host\n' >"$work/trace.csv"
call check --json "$work/a.yaml" --set faults.trace="$work/trace.csv"
expect_has 'a trace may be longer than the run' \
  '"of '"'faults.trace'"' 2 events come after the end of the run at 120 h"' "$out"
sed 's/^  days: 5/  events: [{time: 9000 h, cause: host}]/; /^training/s/}/, tokens: 1e9}/' \
  "$work/a.yaml" >"$work/tokens.yaml"
call run "$work/tokens.yaml" --set faults.trials=2 --set faults.what_if=false
expect_has 'an event after the last token is a note' 'note: 1 event is after the end of the run' \
  "$out"
call run scenarios/learn/09-failures-and-ettr.yaml --set faults.checkpoint.interval=never
expect 'a campaign without an end in sight exits 1' 1 "$code"
expect_has 'and says so' 'does not get to its end: 200 of 200 runs' "$err"
call list faults
expect 'list faults exits 0' 0 "$code"
expect_has 'and names presets' 'llama3-405b' "$out"
call list faults --json
expect_has 'as JSON too' '"failures_per_1000_node_days"' "$out"

# A network with broken parts, without a scenario.
call collective --topology dgx-h100 --gpus 16 --min 1GiB --max 1GiB --set degraded.nics.3=0
expect 'a collective with a dead NIC exits 0' 0 "$code"
expect_has 'and says what stands in for it' \
  'note: NIC 3 of node 0 is dead: GPU 3 sends through NIC 2' "$out"
call topology dgx-h100 --gpus 16 --set degraded.nics.0=0 --route 0 8
expect_has 'its route goes another way' '-> NIC 1 of node 0' "$out"
call topology dgx-h100 --gpus 16 --set 'degraded={nics: {16: 0}}'
expect 'a NIC that is not there exits 2' 2 "$code"
expect_has 'and is named' 'there is no NIC 16: the cluster has 0 to 15' "$err"
call collective --topology dgx-h100 --set degraded.gpus.3=2
expect 'what no collective meets exits 2' 2 "$code"
expect_has 'and is named too' "'degraded.gpus' has no effect here: no step is played" "$err"

end_of_checks
