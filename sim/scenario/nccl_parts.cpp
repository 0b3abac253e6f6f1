#include "sim/scenario/nccl_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "sim/base/text.hpp"
#include "sim/base/units.hpp"

namespace danlu {
namespace {

constexpr std::size_t kMostParts = 16384;  // GPUs and NICs, as node.gpus allows

[[noreturn]] void refuse(Problem place, std::string message, std::string hint = "") {
  place.message = std::move(message);
  place.hint = std::move(hint);
  throw InputError(std::move(place));
}

/// A whole number from `least` to `most`.
int whole_number(const XmlElement& element, const char* name, int least, int most) {
  const std::string text = element.attribute(name).value_or("");
  const double value = parse_number(text).value_or(-1);
  if (value < least || value > most || value != std::floor(value)) {
    refuse(element.place,
           fmt::format("expected a whole number from {} to {} at '{}' of a <{}>, found '{}'", least,
                       most, name, element.name, shown(text)),
           fmt::format("for example {}=\"{}\"", name, least));
  }
  return static_cast<int>(value);
}

bool says_lanes(const XmlElement& pci) {
  const std::string width = pci.attribute("link_width").value_or("");
  return !width.empty() && width != "Unknown" && parse_number(width) != 0.0;
}

/// "32.0 GT/s PCIe" and 16 lanes: less the coding, 128 of 130 bits (8 of 10 below 8 GT/s, 242 of
/// 256 bytes from 64 on). Virtual machines say nothing, "Unknown" or 0.
double link_rate(const XmlElement& pci) {
  const std::string speed = pci.attribute("link_speed").value_or("");
  const std::string width = pci.attribute("link_width").value_or("");
  constexpr double kLanes = 16;  // what NCCL takes for none (src/graph/topo.cc)
  const bool has_speed = !speed.empty() && !speed.starts_with("Unknown");
  const double rate = has_speed ? parse_number(speed.substr(0, speed.find(' '))).value_or(-1) : 0;
  const double lanes = says_lanes(pci) ? parse_number(width).value_or(-1) : kLanes;
  constexpr double kFastest = 256;
  constexpr double kWidest = 32;
  if (!(rate >= 0 && rate <= kFastest) || !(lanes >= 0 && lanes <= kWidest) ||
      lanes != std::floor(lanes)) {
    refuse(
        pci.place,
        fmt::format("expected a PCIe link of at most {} GT/s and {} lanes, found '{}' x '{}'",
                    kFastest, kWidest, shown(speed), shown(width)),
        "for example link_speed=\"32.0 GT/s PCIe\" link_width=\"16\"; leave both out if unknown");
  }
  const double coding = rate < 8 ? 8.0 / 10 : rate < 64 ? 128.0 / 130 : 242.0 / 256;
  return rate * 1e9 * lanes / 8 * coding;
}

bool begins(const std::string& text, std::initializer_list<const char*> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const char* beginning) { return text.starts_with(beginning); });
}

/// "0000:20:00.1" without the function: the ports of a card are functions of one device.
std::string device_of(const std::string& busid) {
  return busid.substr(0, busid.rfind('.'));
}

/// What is above an element on the way down.
struct Above {
  int pcie = -1;
  std::string host;   // parts of different machines may share a busid
  std::string busid;  // of the nearest <pci>
  bool has_pci = false;
};

/// Reads NCCL's file element by element. One class, since an element's meaning is that of those
/// around it.
class PartsReader {
 public:
  NcclParts read(const XmlElement& system) {
    parts_.place = system.place;
    visit(system, {});
    const bool named_nics = std::any_of(parts_.nics.begin(), parts_.nics.end(),
                                        [](const NcclNic& nic) { return !nic.bare; });
    std::erase_if(parts_.nics, [&](const NcclNic& nic) { return named_nics && nic.bare; });
    if (parts_.gpus.empty()) {
      parts_.gpus = std::move(bare_gpus_);
      for (std::size_t i = 0; i < parts_.gpus.size(); ++i) {
        parts_.gpus[i].dev = static_cast<int>(i);
      }
    }
    if (parts_.gpus.empty()) {
      refuse(system.place, "the file holds no GPU",
             "a GPU is a <gpu dev=\"0\" sm=\"80\"/> or a <pci class=\"0x030200\" .../>");
    }
    if (std::max(parts_.gpus.size(), parts_.nics.size()) > kMostParts) {
      refuse(system.place, fmt::format("a node has at most {} GPUs and NICs, found {} and {}",
                                       kMostParts, parts_.gpus.size(), parts_.nics.size()));
    }
    std::stable_sort(parts_.gpus.begin(), parts_.gpus.end(),
                     [](const NcclGpu& a, const NcclGpu& b) { return a.dev < b.dev; });
    return std::move(parts_);
  }

 private:
  /// The PcieNode called `key`, made when it is first met.
  int pcie_node(const std::string& key, int parent, double rate, const Problem& place) {
    const auto [at, is_new] = nodes_.try_emplace(key, static_cast<int>(parts_.pcie.size()));
    if (is_new) {
      parts_.pcie.push_back({.parent = parent, .rate = rate, .place = place});
    }
    return at->second;
  }

  void visit(const XmlElement& element, const Above& above) {
    for (const XmlElement& child : element.children) {
      Above here = above;
      if (child.name == "cpu") {
        here.host = child.attribute("host_hash").value_or(above.host);
        here.pcie =
            pcie_node(fmt::format("cpu {} {}", here.host, child.attribute("numaid").value_or("0")),
                      -1, 0, child.place);
        visit(child, here);
      } else if (child.name == "pci") {
        visit_pci(child, here);
      } else if (child.name == "nic") {
        visit(child, here);
      } else if (child.name == "gpu") {
        add_gpu(child, here, true);
      } else if (child.name == "net") {
        add_net(child, here);
      }
    }
  }

  void visit_pci(const XmlElement& pci, Above here) {
    here.busid = pci.attribute("busid").value_or("");
    here.has_pci = true;
    const std::string key = here.busid.empty() ? fmt::format("place {}", parts_.pcie.size())
                                               : fmt::format("pci {} {}", here.host, here.busid);
    here.pcie = pcie_node(key, here.pcie, link_rate(pci), pci.place);
    PcieNode& node = parts_.pcie[static_cast<std::size_t>(here.pcie)];
    node.lanes_taken = node.rate > 0 && !says_lanes(pci);
    visit(pci, here);
    const std::string kind = pci.attribute("class").value_or("");
    const bool says_more = std::any_of(pci.children.begin(), pci.children.end(), [](const auto& c) {
      return c.name == "gpu" || c.name == "nic" || c.name == "net";
    });
    if (!says_more && begins(kind, {"0x0302", "0x0300", "0x0380", "0x1200"})) {
      add_gpu(pci, here, false);
    } else if (!says_more && begins(kind, {"0x0200", "0x0207"})) {
      add_port(pci, here, fmt::format("{} {}", here.host, here.busid), 0).bare = true;
    }
  }

  /// One that stands in the file twice is one.
  void add_gpu(const XmlElement& element, const Above& above, bool has_element) {
    NcclGpu gpu{.dev = -1,
                .busid = above.busid,
                .pcie = above.pcie,
                .bare = !has_element,
                .place = element.place};
    if (has_element) {
      gpu.dev = whole_number(element, "dev", 0, kMost);
      gpu.sm = element.attribute("sm") ? whole_number(element, "sm", 0, kMostSm) : 0;
      gpu.gcn = element.attribute("gcn").value_or("");
      gpu.gcn = gpu.gcn.starts_with("gfx") ? gpu.gcn.substr(3) : gpu.gcn;
      for (const XmlElement& child : element.children) {
        if (child.name == "nvlink" || child.name == "xgmi") {
          gpu.nvlinks.push_back({child.attribute("target").value_or(""),
                                 child.attribute("tclass").value_or(""),
                                 whole_number(child, "count", 1, kMostLinks), child.place});
        }
      }
    }
    const std::string key = gpu.busid.empty() ? fmt::format("dev {} {}", above.host, gpu.dev)
                                              : fmt::format("{} {}", above.host, gpu.busid);
    if ((has_element ? gpus_ : bare_).emplace(key, 0).second) {
      (has_element ? parts_.gpus : bare_gpus_).push_back(std::move(gpu));
    }
  }

  void add_net(const XmlElement& net, const Above& above) {
    const std::string name = net.attribute("name").value_or("");
    const std::string dev = net.attribute("dev").value_or("");
    const std::string guid = net.attribute("guid").value_or("");
    const bool has_guid = guid.find_first_not_of("0x") != std::string::npos;
    const std::string speed = net.attribute("speed").value_or("0");
    constexpr double kMegabit = 1e6 / 8;
    const double rate = parse_number(speed).value_or(-1) * kMegabit;
    constexpr double kFastest = 2.5e11;  // as node.nics.bandwidth allows
    if (!(rate >= 0 && rate <= kFastest)) {
      refuse(net.place,
             fmt::format("expected a speed from 0 to {:.0f} Mb/s at a <net>, found '{}'",
                         kFastest / kMegabit, shown(speed)),
             "400 Gb/s are speed=\"400000\"");
    }
    const std::string self = name.empty() && dev.empty()
                                 ? fmt::format("{} {}", above.host, above.busid)
                                 : fmt::format("{} {} {}", above.host, name, dev);
    const std::string card = has_guid ? fmt::format("guid {}", guid)
                             : above.has_pci && !above.busid.empty()
                                 ? fmt::format("{} {}", above.host, device_of(above.busid))
                                 : fmt::format("net {}", self);
    if (const auto known = ports_.find(self); known != ports_.end()) {
      add_place(parts_.nics[known->second], above.pcie);
      return;
    }
    NcclNic& nic = add_port(net, above, card, rate);
    nic.name = nic.name.empty() ? name : nic.name;
    ports_[self] = static_cast<std::size_t>(&nic - parts_.nics.data());
  }

  /// One more port of a card.
  NcclNic& add_port(const XmlElement& element, const Above& above, const std::string& card,
                    double rate) {
    const auto [at, is_new] = cards_.try_emplace(card, parts_.nics.size());
    if (is_new) {
      parts_.nics.push_back({.speed = rate, .place = element.place});
    }
    NcclNic& nic = parts_.nics[at->second];
    nic.ports += 1;
    nic.speed = std::max(nic.speed, rate);
    add_place(nic, above.pcie);
    return nic;
  }
  static void add_place(NcclNic& nic, int pcie) {
    if (std::find(nic.pcie.begin(), nic.pcie.end(), pcie) == nic.pcie.end()) {
      nic.pcie.push_back(pcie);
    }
  }

  static constexpr int kMost = 1'000'000;
  static constexpr int kMostSm = 999;
  static constexpr int kMostLinks = 1023;  // as node.scale_up.links allows

  NcclParts parts_;
  std::vector<NcclGpu> bare_gpus_;
  std::map<std::string, int> nodes_;          // PcieNodes by what they are called
  std::map<std::string, int> gpus_, bare_;    // those met
  std::map<std::string, std::size_t> ports_;  // the card of a <net>
  std::map<std::string, std::size_t> cards_;
};

}  // namespace

std::vector<int> NcclParts::path(int node) const {
  std::vector<int> found;
  for (int at = node; at >= 0; at = pcie[static_cast<std::size_t>(at)].parent) {
    found.insert(found.begin(), at);
  }
  return found;
}

NcclParts read_nccl_parts(const std::filesystem::path& file) {
  const XmlElement system = read_xml(file);
  if (system.name != "system") {
    refuse(system.place, fmt::format("expected a <system> element, found <{}>", shown(system.name)),
           "NCCL_TOPO_DUMP_FILE=topology.xml writes one");
  }
  const std::string version = system.attribute("version").value_or("none");
  if (version != "1" && version != "2") {
    refuse(system.place,
           fmt::format("expected <system version=\"1\"> of NCCL or version=\"2\" of RCCL, found "
                       "version {}",
                       shown(version)),
           "set version=\"1\" if the elements are those of NCCL");
  }
  return PartsReader().read(system);
}

}  // namespace danlu
