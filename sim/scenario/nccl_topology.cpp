#include "sim/scenario/nccl_topology.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "sim/base/text.hpp"
#include "sim/cluster/topology_spec.hpp"

namespace danlu {
namespace {

namespace fs = std::filesystem;
using Tree = boost::property_tree::ptree;

/// GB/s of one NVLink and direction by compute capability: nominal, and what NCCL counts
/// (github.com/NVIDIA/nccl@5067397 src/graph/topo.h).
struct NvlinkRate {
  int compute_capability;
  double nominal;
  double counted;
};
constexpr std::array<NvlinkRate, 7> kNvlinkRates{{{60, 20, 18},
                                                  {70, 25, 20},
                                                  {80, 25, 20},
                                                  {86, 14.0625, 12},
                                                  {90, 25, 20.6},
                                                  {100, 50, 40.1},
                                                  {103, 50, 40.1}}};
constexpr std::string_view kNvswitchClass = "0x068000";

/// Where an element hangs: the numbers of the elements above it, from the root.
using Place = std::vector<int>;

struct Nvlink {
  std::string target;
  std::string target_class;
  int count = 0;
};

struct Gpu {
  int dev = 0;
  int compute_capability = 0;
  std::string busid;
  double pcie = 0;  // bytes per second, 0: not said
  Place place;
  std::vector<Nvlink> nvlinks;
};

struct Nic {
  double bandwidth = 0;
  Place place;
};

struct Parts {
  std::vector<Gpu> gpus;
  std::vector<Nic> nics;
};

[[noreturn]] void refuse(const fs::path& file, std::string message, std::string hint = "",
                         int line = 0) {
  throw InputError(Problem{{file.string(), line, 0}, std::move(message), std::move(hint), ""});
}

/// The parser calls itself for each level: a file must not be deeper than any machine.
bool is_too_deep(const std::string& xml) {
  constexpr int kDeepest = 64;
  int depth = 0;
  char quote = 0;
  bool in_tag = false;
  for (std::size_t i = 0; i + 1 < xml.size(); ++i) {
    const char c = xml[i];
    const char next = xml[i + 1];
    if (quote != 0) {
      quote = c == quote ? '\0' : quote;
    } else if (in_tag && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == '<' && next != '!' && next != '?') {
      in_tag = true;
      depth += next == '/' ? -1 : 1;
    } else if (in_tag && c == '/' && next == '>') {
      --depth;
    } else if (c == '>') {
      in_tag = false;
    }
    if (depth > kDeepest) {
      return true;
    }
  }
  return false;
}

/// Reads the parts of one machine out of the tree of elements.
class Reader {
 public:
  explicit Reader(const fs::path& file) : file_(file) {}

  Parts read() {
    const Tree tree = parse();
    const auto system = tree.get_child_optional("system");
    if (!system) {
      refuse(file_, "expected a <system> element", "NCCL_TOPO_DUMP_FILE=topology.xml writes one");
    }
    const std::string version = attribute(*system, "version").value_or("none");
    if (version != "1") {
      refuse(file_,
             fmt::format("expected <system version=\"1\">, found version {}", shown(version)));
    }
    visit(*system, {}, nullptr);
    std::sort(parts_.gpus.begin(), parts_.gpus.end(),
              [](const Gpu& a, const Gpu& b) { return a.dev < b.dev; });
    if (parts_.gpus.empty()) {
      refuse(file_, "expected at least one <gpu> element");
    }
    return std::move(parts_);
  }

 private:
  Tree parse() const {
    const std::string text = read_text_file(file_);
    if (is_too_deep(text)) {
      refuse(file_, "elements are nested too deeply");
    }
    Tree tree;
    std::istringstream stream(text);
    try {
      boost::property_tree::read_xml(stream, tree);
    } catch (const boost::property_tree::xml_parser_error& error) {
      refuse(file_, error.message(), "", static_cast<int>(error.line()));
    }
    return tree;
  }

  static std::optional<std::string> attribute(const Tree& element, const std::string& name) {
    const auto value = element.get_optional<std::string>("<xmlattr>." + name);
    return value ? std::optional<std::string>(*value) : std::nullopt;
  }

  /// A whole number that must be there.
  int number(const Tree& element, std::string_view what, const std::string& name) const {
    const std::string text = attribute(element, name).value_or("");
    const double value = parse_number(text).value_or(-1);
    constexpr double kMost = 1e9;
    if (value < 0 || value > kMost) {
      refuse(file_, fmt::format("expected a number at '{}' of a <{}>, found '{}'", name, what,
                                shown(text)));
    }
    return static_cast<int>(value);
  }

  void visit(const Tree& element, Place place, const Tree* pci) {
    place.push_back(0);
    for (const auto& [name, child] : element) {
      ++place.back();
      if (name == "gpu") {
        add_gpu(child, pci, place);
      } else if (name == "net") {
        // Mb/s
        parts_.nics.push_back({number(child, "net", "speed") * 1e6 / 8, place});
      } else if (name == "pci" || name == "cpu" || name == "nic") {
        visit(child, place, name == "pci" ? &child : pci);
      }
    }
  }

  void add_gpu(const Tree& element, const Tree* pci, const Place& place) {
    Gpu gpu{.dev = number(element, "gpu", "dev"),
            .compute_capability = number(element, "gpu", "sm"),
            .place = place};
    if (pci != nullptr) {
      gpu.busid = attribute(*pci, "busid").value_or("");
      gpu.pcie = pcie_bandwidth(*pci);
    }
    for (const auto& [name, child] : element) {
      if (name == "nvlink") {
        gpu.nvlinks.push_back({attribute(child, "target").value_or(""),
                               attribute(child, "tclass").value_or(""),
                               number(child, "nvlink", "count")});
      }
    }
    parts_.gpus.push_back(std::move(gpu));
  }

  /// "32.0 GT/s PCIe" and 16 lanes: less the coding, 128 of 130 bits (8 of 10 below 8 GT/s, 242 of
  /// 256 bytes from 64 on). Virtual machines say nothing or 0.
  static double pcie_bandwidth(const Tree& pci) {
    const std::string speed = attribute(pci, "link_speed").value_or("");
    const double rate = parse_number(speed.substr(0, speed.find(' '))).value_or(0);
    const double lanes = parse_number(attribute(pci, "link_width").value_or("")).value_or(0);
    const double coding = rate < 8 ? 8.0 / 10 : rate < 64 ? 128.0 / 130 : 242.0 / 256;
    return rate * 1e9 * lanes / 8 * coding;
  }

  fs::path file_;
  Parts parts_;
};

/// Turns the parts into the keys of a node.
class Writer {
 public:
  Writer(const fs::path& file, const Parts& parts) : file_(file), parts_(parts) {}

  Values write() {
    set("node.gpus", static_cast<double>(parts_.gpus.size()));
    add_scale_up();
    add_pcie();
    add_nics();
    return std::move(values_);
  }

 private:
  Value value(double number) const {
    return {
        .text = fmt::format("{}", number), .number = number, .position = {file_.string(), 0, 0}};
  }

  void set(const std::string& path, double number) {
    const KeyRow* row = find_key(topology_keys(), path);
    check(row != nullptr, "a key of a node");
    if (row->type != KeyType::Choice && (number < row->minimum || number > row->maximum)) {
      refuse(file_, fmt::format("'{}' is out of range: {:.4g}, allowed are {} to {}", path, number,
                                limit_text(*row, row->minimum), limit_text(*row, row->maximum)));
    }
    values_.set(path, value(number));
  }

  void set_kind(ScaleUpKind kind, const std::string& name) {
    Value kind_value = value(static_cast<double>(kind));
    kind_value.text = name;
    values_.set("node.scale_up.kind", kind_value);
  }

  void add_scale_up() {
    bool any = false;
    bool switched = true;
    for (const Gpu& gpu : parts_.gpus) {
      for (const Nvlink& link : gpu.nvlinks) {
        any = true;
        switched = switched && link.target_class == kNvswitchClass;
      }
    }
    if (!any) {
      set_kind(ScaleUpKind::None, "none");
      return;
    }
    const int capability = parts_.gpus.front().compute_capability;
    const auto* const rate =
        std::find_if(kNvlinkRates.begin(), kNvlinkRates.end(),
                     [&](const auto& row) { return row.compute_capability == capability; });
    const int links = switched ? add_switches() : add_mesh();
    if (rate != kNvlinkRates.end()) {  // otherwise the user must say it
      set("node.scale_up.bandwidth", links * rate->nominal * 1e9);
      set("node.scale_up.efficiency", rate->counted / rate->nominal);
    }
  }

  static int links_of(const Gpu& gpu) {
    int links = 0;
    for (const Nvlink& link : gpu.nvlinks) {
      links += link.count;
    }
    return links;
  }

  /// The links of one GPU, the same for all.
  int add_switches() {
    std::set<std::string> chips;
    const int links = links_of(parts_.gpus.front());
    for (const Gpu& gpu : parts_.gpus) {
      if (links_of(gpu) != links) {
        refuse(file_,
               fmt::format("GPU {} has {} NVLinks, GPU {} has {}", parts_.gpus.front().dev, links,
                           gpu.dev, links_of(gpu)),
               "a node behind NVSwitches is described by one bandwidth for all GPUs");
      }
      for (const Nvlink& link : gpu.nvlinks) {
        chips.insert(link.target);
      }
    }
    set_kind(ScaleUpKind::Switch, "switch");
    set("node.scale_up.switches", static_cast<double>(chips.size()));
    return links;
  }

  int add_mesh() {
    std::map<std::pair<int, int>, int> counts;  // both ends list a link: once is enough
    for (std::size_t from = 0; from < parts_.gpus.size(); ++from) {
      for (const Nvlink& link : parts_.gpus[from].nvlinks) {
        const auto to = std::find_if(parts_.gpus.begin(), parts_.gpus.end(),
                                     [&](const Gpu& gpu) { return gpu.busid == link.target; });
        if (to == parts_.gpus.end()) {
          refuse(file_,
                 fmt::format("GPU {} has an NVLink to '{}', which is neither an NVSwitch nor a "
                             "GPU of this file",
                             parts_.gpus[from].dev, shown(link.target)));
        }
        const int a = static_cast<int>(from);
        const int b = static_cast<int>(to - parts_.gpus.begin());
        int& count = counts[std::minmax(a, b)];
        count = std::max(count, link.count);
      }
    }
    Value links = value(0);
    for (const auto& [pair, count] : counts) {
      if (pair.first == pair.second || count < 1) {
        refuse(file_, fmt::format("GPU {} has an NVLink that leads nowhere",
                                  parts_.gpus[static_cast<std::size_t>(pair.first)].dev));
      }
      links.links.push_back({static_cast<double>(pair.first), static_cast<double>(pair.second),
                             static_cast<double>(count)});
    }
    values_.set("node.scale_up.links", links);
    set_kind(ScaleUpKind::Mesh, "mesh");
    return 1;
  }

  /// How many elements `from_end` levels above a GPU there are, if all have as many GPUs.
  std::optional<std::size_t> even_groups(std::size_t from_end) const {
    std::map<Place, int> groups;
    for (const Gpu& gpu : parts_.gpus) {
      const std::size_t kept = gpu.place.size() > from_end ? gpu.place.size() - from_end : 1;
      ++groups[Place(gpu.place.begin(), gpu.place.begin() + static_cast<std::ptrdiff_t>(kept))];
    }
    const bool even = std::all_of(groups.begin(), groups.end(), [&](const auto& group) {
      return group.second == groups.begin()->second;
    });
    return even ? std::optional(groups.size()) : std::nullopt;
  }

  void add_pcie() {
    double slowest = parts_.gpus.front().pcie;
    for (const Gpu& gpu : parts_.gpus) {
      slowest = std::min(slowest, gpu.pcie);
    }
    if (slowest > 0) {
      set("node.pcie.bandwidth", slowest);
    }
    // A <gpu> is in its own <pci>, that in a switch's <pci> or in a <cpu>.
    constexpr std::size_t kToSwitch = 2;
    const auto switches = even_groups(kToSwitch);
    const bool shared = switches && *switches < parts_.gpus.size();
    set("node.pcie.switches", shared ? static_cast<double>(*switches) : 1);
  }

  /// The fastest NICs, and of these the ones that are nearest to some GPU: others carry storage.
  void add_nics() {
    double fastest = 0;
    for (const Nic& nic : parts_.nics) {
      fastest = std::max(fastest, nic.bandwidth);
    }
    std::set<Place> used;
    for (const Gpu& gpu : parts_.gpus) {
      std::size_t nearest = 0;
      for (const Nic& nic : parts_.nics) {
        nearest = std::max(nearest, nic.bandwidth < fastest ? 0 : common(gpu.place, nic.place));
      }
      for (const Nic& nic : parts_.nics) {
        if (nic.bandwidth == fastest && common(gpu.place, nic.place) == nearest) {
          used.insert(nic.place);
        }
      }
    }
    if (!used.empty()) {
      set("node.nics.count", static_cast<double>(used.size()));
      set("node.nics.bandwidth", fastest);
    }
  }

  static std::size_t common(const Place& a, const Place& b) {
    return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                    a.begin());
  }

  fs::path file_;
  const Parts& parts_;
  Values values_;
};

}  // namespace

Values read_nccl_node(const fs::path& file) {
  const Parts parts = Reader(file).read();
  return Writer(file, parts).write();
}

}  // namespace danlu
