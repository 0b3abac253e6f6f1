#include "sim/report/platform_xml.hpp"

#include <fmt/format.h>

#include <iterator>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

constexpr const char* kHead =
    "<?xml version='1.0'?>\n"
    "<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
    "<!-- Every cable is two links, one each way. Bandwidths are those that collectives achieve.\n"
    "     SimGrid's network/crosstraffic must be off: the way back is a link of its own. -->\n"
    "<platform version=\"4.1\">\n"
    "  <zone id=\"cluster\" routing=\"Full\">\n";
constexpr const char* kFoot = "  </zone>\n</platform>\n";

}  // namespace

std::string simgrid_platform(const Cluster& cluster) {
  const int gpus = cluster.spec.gpus;
  check(gpus <= kMostPlatformGpus, "a platform file has a bounded number of routes");
  std::string text = kHead;
  const auto out = std::back_inserter(text);
  for (int gpu = 0; gpu < gpus; ++gpu) {  // nothing is computed there: any speed does
    fmt::format_to(out, "    <host id=\"gpu-{}\" speed=\"1Gf\"/>\n", gpu);
  }
  for (std::size_t i = 0; i < cluster.topology.links().size(); ++i) {
    const auto id = make_id<LinkId>(i);
    const Link& link = cluster.topology.link(id);
    fmt::format_to(out,
                   "    <link id=\"link-{}\" bandwidth=\"{}Bps\" latency=\"{}s\"/>  "
                   "<!-- {} -->\n",
                   i, link.bandwidth.value, link.latency.value, cluster.topology.link_name(id));
  }
  for (int from = 0; from < gpus; ++from) {
    for (int to = 0; to < gpus; ++to) {
      if (from == to) {
        continue;
      }
      fmt::format_to(out, "    <route src=\"gpu-{}\" dst=\"gpu-{}\" symmetrical=\"NO\">", from, to);
      for (const LinkId link : route(cluster, from, to)) {
        fmt::format_to(out, "<link_ctn id=\"link-{}\"/>", index(link));
      }
      text += "</route>\n";
    }
  }
  return text + kFoot;
}

}  // namespace danlu
