#!/usr/bin/env bash
# What takes long or much memory says so before it is begun, with the way out, and is refused above
# a limit that can be raised: --max-tasks and --max-events.
# Usage: limits_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$root" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"

refused() { # NAME COUNTED WAY_OUT RAISED ARGUMENTS
  local name=$1 counted=$2 way=$3 raised=$4
  shift 4
  call "$@"
  expect "$name exits 1" 1 "$code"
  expect "$name prints no result" '' "$out"
  expect_has "$name is counted" "$counted" "$err"
  expect_has "$name has a way out" "$way" "$err"
  expect_has "$name has a limit that can be raised" "; $raised plays more" "$err"
}

# ---- plans that are read only

# What algorithms are asked for is checked on a small plan of the same shape.
out=$( (ulimit -v 1500000 && "$danlu" check scenarios/gpt3-175b-a100.yaml \
  --set model.layers=1000000 --set communication.tensor.algorithm=ring) 2>&1)
expect_has 'a million layers are checked in little memory' 'does not fit in memory' "$out"

# ---- messages

all_to_all=(collective --topology dgx-h100 --op all-to-all --min 1GiB --max 1GiB
  --collectives stepwise)
# 256 GPUs lie below one leaf and fold; the time is that of all 65,280 messages played one by one.
call "${all_to_all[@]}" --gpus 256
expect 'messages that are alike are played' 0 "$code"
expect 'without a word' '' "$err"
expect_has 'and take their time' ' 22765.33 ' "$out"
# The 40 nodes of 320 lie below two leaves, and which spine a message takes differs: 320 x 319.
refused 'an all-to-all over two leaves' '1.02e+05 messages that are no two alike' \
  'hint: --collectives steady' --max-tasks "${all_to_all[@]}" --gpus 320
refused 'an all-to-all of millions of messages' '4.19e+06 messages' \
  'hint: --collectives steady' --max-tasks "${all_to_all[@]}" --gpus 2048
call "${all_to_all[@]}" --gpus 64 --max-tasks 1000
expect 'a limit of messages is kept' 1 "$code"

refused 'streams of all pairs' '1.67e+07 streams' 'hint: fewer --gpus; --algorithm two-level' \
  --max-tasks collective --topology dgx-h100 --gpus 4088 --op all-to-all --max-tasks 1e6

# A node of 16,384 GPUs, each with a link to every other, would have 268 million.
call topology mi300x --set node.gpus=16384 --set node.nics.count=16384 --gpus 16384
expect 'a mesh that is too large exits 1' 1 "$code"
expect_has 'with a note beforehand' 'the links of 16384 GPUs are to be laid out' "$err"
expect_has 'and a way out' 'hint: fewer GPUs, or fewer links of each' "$err"

# ---- campaigns

campaign=scenarios/faults/gpt3-175b-1024-h100.yaml
refused 'a campaign of 270 years' 'events in all their runs' 'fewer faults.days' --max-events \
  run "$campaign" --set faults.days=100000
refused 'a fault every second' 'events in all their runs' 'rarer faults' --max-events \
  run "$campaign" --set 'faults.causes.x={mtbf: 1 s}'
refused 'a limit of events' 'events in all their runs' 'faults.what_if: false' --max-events \
  run "$campaign" --max-events 1000
refused 'one of compare' 'events in all their runs' 'fewer faults.trials' --max-events \
  compare "$campaign" "$campaign" --max-events 1000
call run "$campaign" --set faults.trials=200 --set faults.what_if=false
expect 'many short runs are played' 0 "$code"
expect 'without a word' '' "$err"

# ---- steps that are played again and again

refused 'draws' ': degraded.draws: 1000 steps of about' 'hint: fewer draws' --max-tasks \
  run "$campaign" --set degraded.draws=1000 --set 'degraded.jitter={spread: 0.1, gpus: 0-7}'

# ---- large steps

formula='collectives: formula lets no communication slow another'
refused 'a step whose exchanges meet' 'this step has about' "hint: $formula" --max-tasks \
  run scenarios/deepseek-v3-h800.yaml --max-tasks 20000
call run scenarios/gpt3-175b-a100.yaml --set degraded.nics.3=0 --max-tasks 20000
expect 'one with a dead NIC is refused as well' 1 "$code"
expect 'without formulas, which do not show the NIC' '' "$(grep -F "$formula" <<<"$err")"

# ---- measured tables

{
  echo 'id,source,gpu,gpus,gpus_per_node,interconnect_intra,interconnect_inter,layers,hidden,'\
'ffn_hidden,gated_mlp,heads,vocab,seq_len,global_batch_seqs,micro_batch,tp,pp,dp,recompute,'\
'attention_kernel,dtype,step_time_s'
  echo 'deep,x,A100-80GB-SXM,8,8,NVLink3/NVSwitch 600GB/s,8x HDR 200Gb/s,100000,1024,4096,no,16,'\
'51200,2048,8,1,8,1,1,none,unfused,bf16,1'
} >"$work/deep.csv"
call validate "$work/deep.csv" --max-tasks 1000
expect 'a row that is too large is not simulated' 1 "$code"
expect_has 'and says why' 'tasks and parts of tasks' "$err"
end_of_checks
