// SimGrid and what plays on it are a library of their own (libdanlu_engine.so, made of engine.cpp),
// found by the path of libraries that the program was linked with, and opened when first needed.
#include <dlfcn.h>
#include <fmt/format.h>

#include "sim/base/error.hpp"
#include "sim/engine/engine.hpp"

namespace danlu {
namespace {

using Play = void (*)(const TaskGraph&, const EngineOptions&, Timeline&);

Play find_play() {
  void* library = dlopen("libdanlu_engine.so", RTLD_LAZY | RTLD_LOCAL);  // never closed
  void* play = library != nullptr ? dlsym(library, "danlu_play") : nullptr;
  if (play == nullptr) {
    throw InputError(Problem{{"libdanlu_engine.so", 0, 0},
                             fmt::format("the engine cannot be loaded: {}", dlerror()),
                             "it stands in ../lib or ../lib/danlu beside the program's folder; "
                             "install danlu by cmake --install, and SimGrid",
                             ""});
  }
  return reinterpret_cast<Play>(play);
}

Play play() {
  static const Play found = find_play();
  return found;
}

}  // namespace

void load_engine() {
  (void)play();
}

Timeline simulate(const TaskGraph& graph, const EngineOptions& options) {
  Timeline timeline;
  play()(graph, options, timeline);
  return timeline;
}

}  // namespace danlu
