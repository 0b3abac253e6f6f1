#include "sim/scenario/nccl_topology.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "sim/base/text.hpp"
#include "sim/cluster/topology_spec.hpp"
#include "sim/scenario/nccl_parts.hpp"
#include "sim/scenario/nccl_rates.hpp"

namespace danlu {
namespace {

constexpr double kGiga = 1e9;
constexpr std::string_view kNvswitchClass = "0x068000";

std::string gbps(double bytes_per_second) {
  return to_text(BytesPerSecond{bytes_per_second});
}

/// Turns the parts into the keys of a node. One class, and the longest: each key is decided by what
/// the others were found to be, and every doubt is told at the element that causes it.
class NodeWriter {
 public:
  NodeWriter(NcclParts parts, Values& values) : parts_(std::move(parts)), values_(values) {
    find_groups();
    choose_nics();
  }

  void write() {
    for (const char* path :
         {"node.scale_up.links", "node.pcie.slots", "node.pcie.gpus", "node.pcie.nics",
          "node.pcie.uplink", "node.pcie.switches", "node.nics.slot", "node.nics.ports"}) {
      values_.erase_tree(path);
    }
    set("node.gpus", gpu_count(), parts_.place);
    set_hidden("node.xml.gpus", gpu_count(), parts_.place);
    const NcclGpu& gpu = parts_.gpus.front();
    if (gpu.sm > 0 || !gpu.gcn.empty()) {
      set_hidden(gpu.gcn.empty() ? "node.xml.sm" : "node.xml.gcn", gpu.sm, gpu.place);
    }
    note_unlike_gpus();
    add_scale_up();
    add_pcie();
    add_nics();
  }

 private:
  using Part = std::size_t;

  double gpu_count() const { return static_cast<double>(parts_.gpus.size()); }
  const PcieNode& node(int number) const { return parts_.pcie[static_cast<std::size_t>(number)]; }

  // ---- values

  static Value value(double number, const Problem& place) {
    return {.text = fmt::format("{}", number),
            .number = number,
            .position = place.position,
            .source_line = place.source_line};
  }

  void set_hidden(const std::string& path, double number, const Problem& place) {
    values_.set(path, value(number, place));
  }

  void set(const std::string& path, double number, const Problem& place, std::string note = "") {
    const KeyRow* row = find_key(topology_keys(), path);
    row = row == nullptr ? find_numbers(topology_keys(), path) : row;
    check(row != nullptr, "a key of a node");
    if (row->type != KeyType::Choice && (number < row->minimum || number > row->maximum)) {
      Problem problem = place;
      problem.message =
          fmt::format("'{}' is out of range: {:.4g}, allowed are {} to {}", path, number,
                      limit_text(*row, row->minimum), limit_text(*row, row->maximum));
      problem.hint = "correct it here, or take the element out";
      throw InputError(std::move(problem));
    }
    Value found = value(number, place);
    found.note = std::move(note);
    values_.set(path, std::move(found));
  }

  void set_text(const std::string& path, std::string text, const Problem& place,
                std::string note = "") {
    Value found = value(0, place);
    found.text = std::move(text);
    found.note = std::move(note);
    values_.set(path, std::move(found));
  }

  /// What the kind in the topology below needs goes with it, if it is another.
  void set_kind(ScaleUpKind kind, const Problem& place, std::string note = "") {
    const bool same =
        values_.has("node.scale_up.kind") && values_.at("node.scale_up.kind").text == name_of(kind);
    for (const char* path : {"node.scale_up.switches", "node.scale_up.reduction_efficiency",
                             "node.scale_up.reduction_cap", "node.scale_up.dims",
                             "node.scale_up.wrap", "node.scale_up.links_per_pair"}) {
      values_.erase_tree(path);
    }
    if (!same) {
      values_.erase_tree("node.scale_up.bandwidth");
      values_.erase_tree("node.scale_up.efficiency");
    }
    Value kind_value = value(0, place);
    kind_value.text = name_of(kind);
    values_.set("node.xml.kind", kind_value);
    kind_value.note = std::move(note);
    values_.set("node.scale_up.kind", std::move(kind_value));
  }

  void note_unlike_gpus() {
    const NcclGpu& first = parts_.gpus.front();
    for (const NcclGpu& gpu : parts_.gpus) {
      if (gpu.sm != first.sm || gpu.gcn != first.gcn) {
        values_.set(
            "node.xml.unlike",
            with_note(
                gpu.place,
                fmt::format("node.xml: GPU {} has sm {}, GPU {} has sm {}: all are taken for '{}'",
                            first.dev, first.sm, gpu.dev, gpu.sm, "gpu")));
        return;
      }
    }
  }
  static Value with_note(const Problem& place, std::string note) {
    Value found = value(0, place);
    found.note = std::move(note);
    return found;
  }

  // ---- PCIe

  /// The narrowest link of the way down `path` from `begin` on, each shared by as many as are
  /// below it; 0 if none is known.
  double narrowest(const std::vector<int>& path, Part begin,
                   const std::vector<int>& sharers) const {
    double least = 0;
    for (Part i = begin; i < path.size(); ++i) {
      const double rate = node(path[i]).rate / std::max(1, sharers[static_cast<Part>(path[i])]);
      least = rate > 0 && (least == 0 || rate < least) ? rate : least;
    }
    return least;
  }

  static Part common(const std::vector<int>& a, const std::vector<int>& b) {
    return static_cast<Part>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                             a.begin());
  }

  /// A group is what the nearest PCIe switch or CPU above several GPUs has below it.
  void find_groups() {
    gpus_below_.assign(parts_.pcie.size(), 0);
    for (const NcclGpu& gpu : parts_.gpus) {
      for (const int above : parts_.path(gpu.pcie)) {
        ++gpus_below_[static_cast<Part>(above)];
      }
    }
    std::map<int, int> first_of;  // by group: its first GPU
    std::vector<std::pair<std::pair<int, int>, NcclGpu>> ordered;
    for (Part i = 0; i < parts_.gpus.size(); ++i) {
      const int first =
          first_of.try_emplace(group_of(parts_.gpus[i]), static_cast<int>(i)).first->second;
      ordered.push_back({{first, static_cast<int>(i)}, parts_.gpus[i]});
    }
    std::stable_sort(ordered.begin(), ordered.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (Part i = 0; i < ordered.size(); ++i) {
      reordered_ = reordered_ || ordered[i].first.second != static_cast<int>(i);
      parts_.gpus[i] = std::move(ordered[i].second);
    }
    for (const NcclGpu& gpu : parts_.gpus) {
      const int group = group_of(gpu);
      if (groups_.empty() || groups_.back() != group) {
        groups_.push_back(group);
        gpus_of_group_.push_back(0);
      }
      ++gpus_of_group_.back();
    }
  }
  int group_of(const NcclGpu& gpu) const {
    const std::vector<int> path = parts_.path(gpu.pcie);
    for (auto above = path.rbegin(); above != path.rend(); ++above) {
      if (*above != gpu.pcie && gpus_below_[static_cast<Part>(*above)] > 1) {
        return *above;
      }
    }
    return path.empty() ? -1 : path.front();
  }

  /// How far down the way to a GPU is also the way to a NIC.
  Part nearness(const NcclGpu& gpu, const NcclNic& nic) const {
    Part most = 0;
    for (const int place : nic.pcie) {
      most = std::max(most, common(parts_.path(gpu.pcie), parts_.path(place)));
    }
    return most;
  }

  bool meets_over_pcie() const {
    return values_.has("node.scale_up.kind") &&
           (values_.at("node.scale_up.kind").text == name_of(ScaleUpKind::None) || islands_);
  }

  void add_pcie() {
    std::vector<double> slots;
    for (const NcclGpu& gpu : parts_.gpus) {
      slots.push_back(slot_of(gpu));
    }
    const auto fastest = std::max_element(slots.begin(), slots.end());
    if (*fastest > 0) {
      const auto& place = parts_.gpus[static_cast<Part>(fastest - slots.begin())].place;
      set("node.pcie.bandwidth", *fastest, place);
      for (Part i = 0; i < slots.size(); ++i) {
        if (slots[i] > 0 && slots[i] < *fastest) {
          set(fmt::format("node.pcie.slots.{}", i), slots[i] / *fastest, parts_.gpus[i].place,
              fmt::format("node.xml: GPU {} has {} of PCIe, others have {}", i, gbps(slots[i]),
                          gbps(*fastest)));
        }
      }
    } else if (!values_.has("node.pcie.bandwidth")) {
      constexpr double kUnknown = 8e9 * 16 / 8 * 128 / 130;  // NCCL's fallback, src/graph/topo.cc
      set("node.pcie.bandwidth", kUnknown, parts_.gpus.front().place,
          fmt::format("node.xml: no link_speed of a GPU's PCIe is known: {} (8 GT/s x 16), as NCCL "
                      "takes; node.pcie.bandwidth says more",
                      gbps(kUnknown)));
    }
    if (meets_over_pcie() && groups_.size() > 1) {
      add_groups();
    }
    const auto taken = std::find_if(parts_.pcie.begin(), parts_.pcie.end(),
                                    [](const PcieNode& link) { return link.lanes_taken; });
    if (taken != parts_.pcie.end()) {
      set_text("node.xml.lanes", "", taken->place,
               "node.xml: PCIe links without a link_width are taken as 16 lanes, as NCCL does");
    }
    if (reordered_) {
      set_text("node.xml.order", "", parts_.place,
               "node.xml: GPUs are numbered by PCIe switch, then by dev");
    }
  }

  double slot_of(const NcclGpu& gpu) const {
    const std::vector<int> path = parts_.path(gpu.pcie);
    if (path.empty()) {
      return 0;
    }
    Part begin = path.size() - 1;
    if (meets_over_pcie()) {
      const auto group = std::find(path.begin(), path.end(), group_of(gpu));
      begin = std::min(begin, static_cast<Part>(group - path.begin()) + 1);
    } else if (!nics_.empty()) {
      Part nearest = 0;
      for (const NcclNic* nic : nics_) {
        nearest = std::max(nearest, nearness(gpu, *nic));
      }
      begin = std::min(begin, nearest);
    }
    return narrowest(path, begin, gpus_below_);
  }

  void add_groups() {
    constexpr Part kMostSwitches = 64;
    if (groups_.size() > kMostSwitches) {
      return;
    }
    const Problem& place = parts_.place;
    set("node.pcie.switches", static_cast<double>(groups_.size()), place);
    const bool even = std::all_of(gpus_of_group_.begin(), gpus_of_group_.end(),
                                  [&](int gpus) { return gpus == gpus_of_group_.front(); });
    if (!even) {
      set_text("node.pcie.gpus", fmt::format("{}", fmt::join(gpus_of_group_, "+")), place);
    }
    double uplink = 0;
    bool known = true;
    for (const int group : groups_) {
      const std::vector<int> path = group < 0 ? std::vector<int>{} : parts_.path(group);
      const double rate = narrowest(path, 0, std::vector<int>(parts_.pcie.size(), 1));
      known = known && rate > 0;
      uplink = uplink == 0 || (rate > 0 && rate < uplink) ? rate : uplink;
    }
    if (uplink > 0) {
      set("node.pcie.uplink", uplink, place);
    }
    if (!known) {
      set_text("node.xml.uplink", "", place,
               "node.xml: what joins the CPUs is not in the file: taken as fast as a PCIe slot");
    }
    if (!nics_.empty()) {
      add_nic_groups(place);
    }
  }

  void add_nic_groups(const Problem& place) {
    std::vector<int> counts(groups_.size(), 0);
    for (const NcclNic* nic : nics_) {
      Part best = 0;
      Part most = 0;
      Part gpu = 0;
      for (Part group = 0; group < groups_.size(); ++group) {
        const Part near = nearness(parts_.gpus[gpu], *nic);
        // Of equally near ones, the one with the fewest NICs so far.
        if (near > most || (near == most && counts[group] < counts[best])) {
          most = near;
          best = group;
        }
        gpu += static_cast<Part>(gpus_of_group_[group]);
      }
      ++counts[best];
    }
    if (cards_per_gpu() <= 1) {
      set_text("node.pcie.nics", fmt::format("{}", fmt::join(counts, "+")), place);
    }
  }

  // ---- NICs

  static double port_speed(const NcclNic& nic) {
    constexpr double kUnknown = 1.25e9;  // what NCCL takes
    return nic.bare || nic.speed > 0 ? nic.speed : kUnknown;
  }

  /// The fastest NICs, and of these the ones that are nearest to some GPU: others carry storage.
  void choose_nics() {
    double fastest = 0;
    for (const NcclNic& nic : parts_.nics) {
      fastest = std::max(fastest, port_speed(nic));
    }
    std::set<const NcclNic*> used;
    for (const NcclGpu& gpu : parts_.gpus) {
      Part nearest = 0;
      for (const NcclNic& nic : parts_.nics) {
        nearest = std::max(nearest, port_speed(nic) < fastest ? 0 : nearness(gpu, nic));
      }
      for (const NcclNic& nic : parts_.nics) {
        if (port_speed(nic) == fastest && nearness(gpu, nic) == nearest) {
          used.insert(&nic);
        }
      }
    }
    nics_.assign(used.begin(), used.end());
  }

  double cards_per_gpu() const { return static_cast<double>(nics_.size()) / gpu_count(); }

  void add_nics() {
    if (nics_.empty()) {
      return;
    }
    const NcclNic& first = *nics_.front();
    set("node.nics.count", static_cast<double>(nics_.size()), first.place);
    const NcclNic& fewest =
        **std::min_element(nics_.begin(), nics_.end(),
                           [](const auto* a, const auto* b) { return a->ports < b->ports; });
    const bool unlike = std::any_of(nics_.begin(), nics_.end(),
                                    [&](const auto* nic) { return nic->ports != fewest.ports; });
    if (fewest.ports > 1 || unlike) {
      set("node.nics.ports", fewest.ports, fewest.place,
          unlike ? fmt::format("node.xml: NIC '{}' has {} of the ports that others have: all are "
                               "taken to have as many",
                               shown(fewest.name), fewest.ports)
                 : "");
    }
    if (!first.bare) {
      const double bandwidth = port_speed(first) * fewest.ports;
      set("node.nics.bandwidth", bandwidth, first.place,
          first.speed > 0 ? ""
                          : fmt::format("node.xml: the file does not say how fast NIC '{}' is: {} "
                                        "a port, as NCCL takes it",
                                        shown(first.name), gbps(port_speed(first))));
      add_slots(bandwidth);
    } else {
      add_slots(0);
    }
  }

  /// `bandwidth` of a NIC, 0 if unknown.
  void add_slots(double bandwidth) {
    std::vector<int> nics_below(parts_.pcie.size(), 0);
    for (const NcclNic* nic : nics_) {
      for (const int above : parts_.path(nic->pcie.front())) {
        ++nics_below[static_cast<Part>(above)];
      }
    }
    double least = 0;
    double most = 0;
    const NcclNic* narrow = nullptr;
    for (const NcclNic* nic : nics_) {
      const std::vector<int> path = parts_.path(nic->pcie.front());
      Part nearest = 0;
      for (const NcclGpu& gpu : parts_.gpus) {
        nearest = std::max(nearest, common(parts_.path(gpu.pcie), path));
      }
      const double slot = narrowest(path, nearest, nics_below);
      most = std::max(most, slot);
      if (slot > 0 && (narrow == nullptr || slot < least)) {
        least = slot;
        narrow = nic;
      }
    }
    if (narrow != nullptr && (bandwidth == 0 || least < bandwidth)) {
      std::string note = bandwidth > 0 ? fmt::format("node.xml: PCIe gives a NIC {} of its {}",
                                                     gbps(least), gbps(bandwidth))
                                       : "";
      if (least < most) {
        note = fmt::format(
            "node.xml: PCIe gives NIC '{}' {}, others up to {}: all are taken to "
            "have as little",
            shown(narrow->name), gbps(least), gbps(most));
      }
      set("node.nics.slot", least, narrow->place, std::move(note));
    }
  }

  // ---- scale-up

  void add_scale_up() {
    bool any = false;
    bool switched = false;
    for (const NcclGpu& gpu : parts_.gpus) {
      for (const NcclNvlink& link : gpu.nvlinks) {
        any = true;
        switched = switched || link.target_class == kNvswitchClass;
      }
    }
    const bool is_told = std::any_of(parts_.gpus.begin(), parts_.gpus.end(),
                                     [](const auto& gpu) { return !gpu.bare; });
    if (!any) {
      if (is_told) {
        set_kind(ScaleUpKind::None, parts_.gpus.front().place);
      }
      return;
    }
    if (switched) {
      add_switches();
    } else {
      add_mesh();
    }
  }

  /// Per link, of the slowest GPU.
  std::optional<LinkRate> rate() const {
    std::optional<LinkRate> slowest;
    for (const NcclGpu& gpu : parts_.gpus) {
      const LinkRate own = gpu.gcn.empty() ? nvlink_rate(gpu.sm) : xgmi_rate(gpu.gcn);
      if (!slowest || own.counted < slowest->counted) {
        slowest = own;
      }
    }
    return slowest->nominal > 0 ? slowest : std::nullopt;
  }
  void set_rate(int links, const Problem& place) {
    const std::optional<LinkRate> one = rate();
    if (!one) {
      return;  // the user must say it
    }
    const NcclGpu& gpu = parts_.gpus.front();
    set("node.scale_up.bandwidth", links * one->nominal * kGiga, place);
    set("node.scale_up.efficiency", one->counted / one->nominal, place,
        fmt::format("node.xml: links between GPUs of {} are taken as {:.4g} GB/s each, {:.4g} of "
                    "which {} counts",
                    gpu.gcn.empty() ? fmt::format("sm {}", gpu.sm) : fmt::format("gfx{}", gpu.gcn),
                    one->nominal, one->counted, gpu.gcn.empty() ? "NCCL" : "RCCL"));
  }

  static int switch_links(const NcclGpu& gpu) {
    int links = 0;
    for (const NcclNvlink& link : gpu.nvlinks) {
      links += link.target_class == kNvswitchClass ? link.count : 0;
    }
    return links;
  }

  /// The links of the GPU with the fewest, since one bandwidth stands for all.
  void add_switches() {
    std::set<std::string> chips;
    const NcclGpu* fewest = &parts_.gpus.front();
    const NcclGpu* most = fewest;
    for (const NcclGpu& gpu : parts_.gpus) {
      fewest = switch_links(gpu) < switch_links(*fewest) ? &gpu : fewest;
      most = switch_links(gpu) > switch_links(*most) ? &gpu : most;
      for (const NcclNvlink& link : gpu.nvlinks) {
        if (link.target_class == kNvswitchClass) {
          chips.insert(link.target);
        }
      }
    }
    const int links = switch_links(*fewest);
    std::string note;
    if (links < switch_links(*most)) {
      note = fmt::format(
          "node.xml: GPU {} has {} NVLinks to switches, GPU {} has {}: all are taken "
          "to have {}",
          fewest->dev, links, most->dev, switch_links(*most), links);
    }
    if (links == 0) {
      set_kind(ScaleUpKind::None, fewest->place, std::move(note));
      return;
    }
    set_kind(ScaleUpKind::Switch, fewest->place, std::move(note));
    constexpr Part kMostChips = 1024;
    set("node.scale_up.switches", static_cast<double>(std::min(chips.size(), kMostChips)),
        fewest->place);
    set_rate(links, fewest->place);
    constexpr int kHopper = 90;
    if (fewest->sm >= kHopper && parts_.gpus.size() > 1) {
      const SwitchSums sums = switch_sums(fewest->sm);
      set("node.scale_up.reduction_efficiency", sums.efficiency, fewest->place,
          fmt::format("node.xml: NVSwitches of sm {} sum (NVLS): as measured on {}", fewest->sm,
                      sums.measured_on));
      set("node.scale_up.reduction_cap", sums.cap * kGiga, fewest->place);
      set("collective.reduction_fill", sums.fill, fewest->place);
    }
  }

  void add_mesh() {
    std::map<std::pair<int, int>, int> counts;  // both ends list a link: once is enough
    std::set<int> hidden;
    for (Part from = 0; from < parts_.gpus.size(); ++from) {
      for (const NcclNvlink& link : parts_.gpus[from].nvlinks) {
        const auto to = std::find_if(parts_.gpus.begin(), parts_.gpus.end(), [&](const auto& gpu) {
          return !link.target.empty() && gpu.busid == link.target;
        });
        const auto place = static_cast<Part>(to - parts_.gpus.begin());
        if (to == parts_.gpus.end() || place == from) {
          hidden.insert(parts_.gpus[from].dev);  // a virtual machine does not say where it leads
          continue;
        }
        int& count = counts[std::minmax(static_cast<int>(from), static_cast<int>(place))];
        count = std::max(count, link.count);
      }
    }
    const Problem& place = parts_.gpus.front().place;
    std::string note;
    if (!hidden.empty()) {
      note = fmt::format(
          "node.xml: NVLinks of GPU {} lead to no other GPU of the file: they are "
          "left out",
          fmt::join(hidden, ", "));
    }
    if (counts.empty()) {
      set_kind(ScaleUpKind::None, place, std::move(note));
      return;
    }
    Value links = value(0, place);
    for (const auto& [pair, count] : counts) {
      links.links.push_back({static_cast<double>(pair.first), static_cast<double>(pair.second),
                             static_cast<double>(count)});
    }
    set_kind(ScaleUpKind::Mesh, place, std::move(note));
    islands_ = has_islands(counts);
    values_.set("node.scale_up.links", links);
    set_rate(1, place);
  }

  bool has_islands(const std::map<std::pair<int, int>, int>& counts) const {
    std::vector<Part> island(parts_.gpus.size());
    for (Part i = 0; i < island.size(); ++i) {
      island[i] = i;
    }
    for (const auto& entry : counts) {
      const Part from = island[static_cast<Part>(entry.first.second)];
      const Part to = island[static_cast<Part>(entry.first.first)];
      std::replace(island.begin(), island.end(), from, to);
    }
    return std::any_of(island.begin(), island.end(),
                       [&](Part part) { return part != island.front(); });
  }

  NcclParts parts_;
  Values& values_;
  std::vector<int> gpus_below_;     // by PCIe node
  std::vector<int> groups_;         // PCIe nodes
  std::vector<int> gpus_of_group_;  // in the order of the GPUs
  bool reordered_ = false;
  bool islands_ = false;
  std::vector<const NcclNic*> nics_;  // those that carry training, in the order of the file
};

}  // namespace

void add_nccl_node(const std::filesystem::path& file, Values& values) {
  NodeWriter(read_nccl_parts(file), values).write();
}

}  // namespace danlu
