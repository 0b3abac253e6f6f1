// What an NCCL topology file holds: GPUs, NICs, and the PCIe links that each hangs on.
//
//   <cpu> - <pci 0x0604> - <pci 0x0302> - <gpu> - <nvlink>      a switch with a GPU ...
//                        - <pci 0x0207> - <nic> - <net>         ... and a NIC of one port
//
// A thing is what it is called (busid, name and dev, guid), not where it stands: NCCL lists a NIC
// below every CPU that it is near. RCCL writes version 2, `gcn` and <xgmi>.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/xml.hpp"

namespace danlu {

/// A CPU or a PCIe device: `rate` is that of the link to what is above, 0 if not said.
struct PcieNode {
  int parent = -1;           // -1: nothing
  double rate = 0;           // bytes per second and direction
  bool lanes_taken = false;  // as 16, as the file gives only the speed
  Problem place;
};

struct NcclNvlink {
  std::string target;
  std::string target_class;
  int count = 0;
  Problem place;
};

struct NcclGpu {
  int dev = 0;
  int sm = 0;       // compute capability x 10; 0: not said
  std::string gcn;  // AMD's architecture; "": none
  std::string busid;
  int pcie = -1;      // its PcieNode
  bool bare = false;  // a PCIe device of which no <gpu> tells more
  std::vector<NcclNvlink> nvlinks;
  Problem place;
};

/// A card: ports of one device, or with one guid.
struct NcclNic {
  std::string name;
  int ports = 0;
  double speed = 0;       // of a port, bytes per second; 0: not said
  bool bare = false;      // a PCIe device of which no <net> tells more
  std::vector<int> pcie;  // its PcieNodes: several if listed below several CPUs
  Problem place;
};

struct NcclParts {
  std::vector<PcieNode> pcie;
  std::vector<NcclGpu> gpus;  // those below one PCIe switch next to each other, then by dev
  std::vector<NcclNic> nics;
  Problem place;  // of <system>

  /// The PCIe nodes from the top down to `node`, with it.
  std::vector<int> path(int node) const;
};

/// Throws InputError.
NcclParts read_nccl_parts(const std::filesystem::path& file);

}  // namespace danlu
