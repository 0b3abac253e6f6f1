#!/usr/bin/env bash
# An example for `danlu import megatron`: a model of about 2 billion parameters on 4 nodes.
set -euo pipefail
NODES=${SLURM_NNODES:-4}
TENSOR=2
MODEL=(
  --num-layers 24 --hidden-size 2048 --ffn-hidden-size 8192 --num-attention-heads 16
  --seq-length 4096 --position-embedding-type rope --swiglu --normalization RMSNorm
  --disable-bias-linear --untie-embeddings-and-output-weights --vocab-size 50257
)
PLAN=(
  --tensor-model-parallel-size "$TENSOR" --sequence-parallel
  --use-distributed-optimizer --overlap-grad-reduce
  --micro-batch-size 2 --global-batch-size $((NODES * 64))
)
torchrun --nnodes "$NODES" --nproc-per-node 8 pretrain_gpt.py "${MODEL[@]}" "${PLAN[@]}" \
  --bf16 --attention-dropout 0 --hidden-dropout 0 --lr 3e-4 --my-own-flag 3
