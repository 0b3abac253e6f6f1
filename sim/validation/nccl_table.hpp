// Published times of collectives (nccl-tests and the like) as collectives that danlu can play. One
// converter without code for single rows: the GPU's name gives the node, the text about the network
// its NICs. Constants belong to generations of links and stand in the topology files.
//
// How a time was measured is part of it: a host that launches on the GPUs of its node one after the
// other, or a script in Python. What a method adds is charged by a table of methods, of which the
// notes choose; a collective in a training step has none of it.
//
// DeepEP's rows (exchanges between experts) state tokens, hidden size and experts in their notes,
// and algbw_GBps. This counts the bytes to a rank's own node, or to itself, as well, although they
// cross no NIC, or no NVLink (tests/test_internode.py, test_intranode.py of deepseek-ai/DeepEP
// @dd758ca): nodes, or ranks, of a token x tokens x bytes over time. Its tests have 256 experts and
// tokens of 8 bits with a 4-byte scale for every 128, or of 16 bits; its kernels for small batches
// give the time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/collective/experts.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/validation/columns.hpp"

namespace danlu {

/// A measured collective, ready to be played.
struct MeasuredCollective {
  ClusterSpec cluster;
  CollectiveOp op = CollectiveOp::AllReduce;
  Bytes bytes;
  ForcedChoice forced;
  std::optional<ExpertLoad> experts;  // instead of op, bytes and forced
  Seconds published;
  Seconds method;  // that the way of measuring adds to what is simulated
};

struct CollectiveConversion {
  std::string id;
  std::string device;
  std::string source;
  std::string sweep;  // the same for rows that differ in nothing but size and time; none of experts
  std::optional<MeasuredCollective> collective;
  std::vector<std::string> reasons;  // why there is none
};

/// The range that a message's size lies in: "0 to 1 MiB", "1 to 16 MiB", "16 MiB and more".
std::string size_range(Bytes bytes);
/// How long it takes by the closed form when nothing else runs, as it was measured.
Seconds alone_time(const MeasuredCollective& measured);

/// What its columns may hold.
std::span<const ColumnRule> collective_columns();

/// A row of a table that check_cells() found nothing wrong in, with the columns gpu, gpus, nodes,
/// collective and busbw_GBps.
CollectiveConversion convert_collective(const CsvTable& table, const CsvRow& row,
                                        const LoadOptions& options);

}  // namespace danlu
