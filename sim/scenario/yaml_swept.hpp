// Inside sim/scenario: the section `sweep` from YAML.
//
//   over: {cluster.topology: [dgx-a100, hgx-a800], training.micro_batch: 1..4:x2}
//   together:
//     - {cluster.gpus: 128, training.global_batch: 256}
//     - {cluster.gpus: 1024, training.global_batch: 2048}
//
// Keys are written as --set has them. Each value is held against its key's row here, where it has a
// place; what values together make of a scenario only its points show.
#pragma once

#include <yaml-cpp/yaml.h>

#include <span>
#include <string>
#include <vector>

#include "sim/scenario/keys.hpp"
#include "sim/scenario/source_text.hpp"
#include "sim/scenario/sweep_spec.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

struct SweptNode {
  struct Fault {
    YAML::Mark mark;
    Complaint complaint;
  };

  SweepSpec axes;
  std::string text;  // the same in one line of YAML
  std::vector<Fault> faults;
};

/// The value of a row of type Swept: keys, each with its values.
SweptNode read_swept(const YAML::Node& node, const KeyRow& row, std::span<const KeyRow> keys,
                     const SourceText& text);
/// The value of a row of type SweptRows: rows of keys with a value each.
SweptNode read_swept_rows(const YAML::Node& node, const KeyRow& row, std::span<const KeyRow> keys,
                          const SourceText& text);

}  // namespace danlu
