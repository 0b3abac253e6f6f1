// Published times of collectives (nccl-tests and the like) as collectives that danlu can play. One
// converter without code for single rows: the GPU's name gives the node, the text about the network
// its NICs. Constants belong to generations of links and stand in the topology files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/scenario/load_scenario.hpp"

namespace danlu {

/// A measured collective, ready to be played.
struct MeasuredCollective {
  ClusterSpec cluster;
  CollectiveOp op = CollectiveOp::AllReduce;
  Bytes bytes;
  CollectiveWish wish;
  Seconds published;
};

struct CollectiveConversion {
  std::string id;
  std::string device;
  std::string source;
  std::optional<MeasuredCollective> collective;
  std::vector<std::string> reasons;  // why there is none
};

/// A row of a table with the columns gpu, gpus, nodes, collective and busbw_GBps.
CollectiveConversion convert_collective(const CsvTable& table, const CsvRow& row,
                                        const LoadOptions& options);

}  // namespace danlu
