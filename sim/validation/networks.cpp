#include "sim/validation/networks.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace danlu {
namespace {

struct NetworkRow {
  std::string_view word;
  std::string_view preset;
};
/// The first word that a text has decides: "RoCE over Slingshot" is RoCE.
constexpr std::array kNetworks{
    NetworkRow{"omni-path", "omni-path"},
    NetworkRow{"omnipath", "omni-path"},
    NetworkRow{"EFA", "efa"},
    NetworkRow{"TCPX", "gcp-tcpxo"},
    NetworkRow{"RoCE", "roce"},
    NetworkRow{"InfiniBand", "infiniband"},
    NetworkRow{"HDR", "infiniband"},
    NetworkRow{"NDR", "infiniband"},
    NetworkRow{"EDR", "infiniband"},
    NetworkRow{"XDR", "infiniband"},
};

bool holds(std::string_view text, std::string_view word) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

}  // namespace

std::string_view network_named(std::string_view text) {
  const auto* const found =
      std::find_if(kNetworks.begin(), kNetworks.end(),
                   [&](const NetworkRow& row) { return holds(text, row.word); });
  return found == kNetworks.end() ? "" : found->preset;
}

}  // namespace danlu
