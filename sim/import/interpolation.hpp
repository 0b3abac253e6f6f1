// Inside sim/import: "${...}" in the files of OmegaConf.
#pragma once

#include <string>
#include <vector>

#include "sim/import/draft.hpp"

namespace danlu {

/// Puts values for ${a.b.c}, ${.sibling} and ${multiply:a,b} (NeMo's resolvers multiply,
/// divide_ceil and divide_floor), and for ${oc.env:NAME,default} what `environment` or the default
/// has. A flag with anything else in it counts as unknown.
void resolve_interpolations(std::vector<GivenFlag>& flags, std::vector<Definition>& environment);

}  // namespace danlu
