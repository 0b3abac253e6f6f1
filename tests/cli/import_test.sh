#!/usr/bin/env bash
# What danlu import says of the scenario that it prints: the same as danlu check says of it.
# Usage: import_test.sh REPO_ROOT DANLU_BINARY
set -uo pipefail
root=$1
danlu=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
# shellcheck source=tests/support/calls.sh
source "$root/tests/support/calls.sh"

# check() and import() agree, whatever the first has against a scenario.
agree() { # WHAT CODE WORDS IMPORT-OPTIONS...
  call import "${@:4}"
  expect "$1: its exit code" "$2" "$code"
  expect_has "$1: it says why" "$3" "$err"
  printf '%s\n' "$out" >imported.yaml
  call check imported.yaml
  expect "$1: danlu check has the same to say" "$([ "$2" = 0 ] && echo 0 || echo not)" \
    "$([ "$code" = 0 ] && echo 0 || echo not)"
}
printf '{"train_batch_size": 64, "bf16": {"enabled": true}, "zero_optimization": {"stage": 3}}\n' \
  >zero3.json
at=(--topology dgx-h100 --sequence-length 2048)
agree 'a plan that runs' 0 'zero3.json: 3 flags, 0 not understood' \
  deepspeed zero3.json "${at[@]}" --gpus 64 --model llama3-8b
agree 'one that fits in no memory' 1 'remark: as it stands it does not fit in memory: ' \
  deepspeed zero3.json "${at[@]}" --gpus 8 --model llama3-70b
agree 'a batch that does not divide' 1 'remark: as it stands it cannot run: ' \
  deepspeed zero3.json "${at[@]}" --gpus 24 --model llama3-8b

# What shows only once the machine is laid out: three ranks of twelve are on the second node.
printf '%s\n' 'pretrain_gpt.py --num-layers 4 --hidden-size 1024 --num-attention-heads 8 --bf16 \' \
  '--seq-length 1024 --vocab-size 32000 --micro-batch-size 1 --global-batch-size 12 \' \
  '--position-embedding-type rope --num-experts 12 --expert-model-parallel-size 12 \' \
  '--moe-token-dispatcher-type flex' >experts.sh
agree 'experts unevenly on nodes' 1 \
  'remark: as it stands it cannot run: DeepEP needs equally many ranks of an expert group' \
  megatron experts.sh --topology dgx-h100 --gpus 12

printf '{"bf16": {"enabled": true}, "train_batch_size": "auto"}\n' >auto.json
agree 'a batch that only the training code knows' 1 \
  'remark: training.global_batch: fill in: train_batch_size is not given; --global-batch NUMBER' \
  deepspeed auto.json "${at[@]}" --gpus 64 --model llama3-8b
agree 'the same with --global-batch' 1 'does not fit in memory' \
  deepspeed auto.json "${at[@]}" --gpus 64 --model llama3-8b --global-batch 64

cp "$root/scenarios/llama3-8b-fsdp-h100.yaml" scenario.yaml
for framework in deepspeed nemo; do
  call import "$framework" scenario.yaml
  expect "a scenario is no file of $framework" 2 "$code"
  expect_has 'and it says so' 'scenario.yaml: error: found nothing of ' "$err"
  expect 'nothing is printed' '' "$out"
done

end_of_checks

# A mistake of the command line is one here, too.
call import deepspeed zero3.json --topology dgx-h10 --gpus 64 --model llama3-8b
expect 'an unknown topology' 2 "$code"
expect 'it says which was meant' "dgx-h10: error: unknown topology 'dgx-h10'
hint: did you mean 'dgx-h100'?" "$err"
expect 'no scenario comes of it' '' "$out"
