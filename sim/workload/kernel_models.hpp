// How long a kernel takes on a GPU.
//
// A product of m x k and k x n, `batch` of them, with operands of e bytes, is cut into tiles of M x
// N of 16 to 256 each, at most 128 x 256, and where tiles are few K into s = 1, 2, 4 or 8 parts. A
// multiprocessor takes for a tile
//
//   2 M N (k/s + prologue/e) (1 + edge (1/M + 1/N)) / (1 + edge (1/128 + 1/256))
//   ----------------------------------------------------------------------------
//                efficiency * dense peak / multiprocessors
//
// and there are max(1, tiles s / multiprocessors) of them one after the other: what a last wave
// leaves empty, another size of tile or split fills. With s > 1 sums of 4 bytes are written and
// read s times. Of tiles and splits the fastest is taken:
//
//   time = start + max(tiles, bytes / achieved HBM bandwidth, FLOPs / (sustained * dense peak))
//
// where the last holds only for products that run for long, and within a step both times of
// computing are divided by `in_step`. Products of experts that are launched one by one are shorter
// than what hides their memory: each waits for its expert's weight, or reads and writes its sum of
// gradients, for bytes / bandwidth beside all else (TransformerEngine's general_grouped_gemm, which
// has four streams, 108 times on a B200: tests/validation/gemm.csv, gemm-simumax-b200-grp-...). A
// kernel that computes all of them hides it. Constants are the GPU's (topologies/gpus/*.yaml); how
// they were fitted, and how well, stands in docs/explain/kernels.md.
//
// A fused attention with heads of d works on blocks of 128 queries of a head, b = blocks /
// multiprocessors on each; a query attends to s keys on average and l at most (twice as many with a
// causal mask). Forward it takes
//
//   FLOPs (1 + narrow 64/d)     s + ramp + 2 tail (l - s) / b
//   -----------------------  *  -----------------------------
//      share * dense peak                     s
//
// ramp being what a block needs beside its keys, and the last term the longest blocks, which end
// last; backward that, over `backward`. What runs for long takes at least FLOPs / (sustained *
// dense peak) forward, of its own `sustained`, and that over `backward` backward. The dense peak is
// that of 16 bits, and of fp8 for an attention in fp8. FlashAttention-1 has kernels for heads of
// 32, 64 and 128, and computes others as wide as the next of these (head_size of
// csrc/flash_attn/fmha_api.cpp in Dao-AILab/flash-attention v0.2.2, fmha_fwd_hdim128.cu).
#pragma once

#include "sim/base/names.hpp"
#include "sim/cluster/gpu_spec.hpp"
#include "sim/workload/kernels.hpp"

namespace danlu {

/// How long a product of that shape takes, without its launch.
Seconds product_time(const GpuSpec& gpu, const Kernel& product, Precision precision,
                     Running running);

/// How long a fused attention takes, of a kind that the GPU has (checked by the reader).
Seconds attention_time(const GpuSpec& gpu, const Kernel& attention, Precision precision,
                       Running running);

}  // namespace danlu
