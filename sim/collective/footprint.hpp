// What a collective takes from the compute beside it: multiprocessors, and traffic to HBM.
//
//   multiprocessors   one for each thread block: NCCL's channels; with direct messages those of
//                     its send and receive; DeepEP's kernels a number that the user gives them
//   memory            bytes read and written in the HBM of a rank, for every byte of the array.
//                     Of n ranks, what a ring does with each of n chunks:
//
//     all-gather       arrives (write), is sent on (read)                              2
//     reduce-scatter   arrives (write), is read, its own part beside it (read)         3 (n-1)/n
//                      and the sum of the own chunk is written                       + 1/n
//     all-reduce       one after the other
//     tree             the same two ways, for the whole array                          5
//     sums in switches copied into a buffer that switches reach (2), read by them (1), written by
//                      them (1), copied out (2)                                        6
//     all-to-all       read, arrives (write)                                           2
//
// Of a collective that has no thread blocks (collective.blocks: 0), or unknown ones, both are 0.
// LL carries a flag with every 4 bytes, LL128 with every 120: their share of more traffic.
#pragma once

#include "sim/cluster/topology_spec.hpp"
#include "sim/collective/collective.hpp"

namespace danlu {

struct CollectiveFootprint {
  int multiprocessors = 0;  // 0: not known
  double memory = 0;        // bytes of HBM traffic of a rank, for every byte of the array
};

/// Sources: NCCL v2.30.7 for channels and how often a chunk is touched (src/device/all_reduce.h,
/// all_gather.h, reduce_scatter.h), arXiv:2412.19437 section 3.2.2 for the 20 multiprocessors of
/// DeepEP's dispatch. The array of a send is the message; of a dispatch what a rank receives.
CollectiveFootprint footprint(const ClusterSpec& cluster, const Group& group,
                              CollectiveChoice choice, CollectiveOp op);

}  // namespace danlu
