# Writes the source file that says what was built: danlu's version and a hash of the sources of the
# library, by which results of another build are told from one's own (sim/session/sweep_plan.hpp).
# The hash depends on names and contents alone, so that builds are reproducible, and a commit that
# leaves sim/ as it is leaves the hash.
# Usage: cmake -DROOT=REPOSITORY -DVERSION=0.1.0 -DOUT=FILE.cpp -P build_id.cmake
file(GLOB_RECURSE sources RELATIVE ${ROOT} ${ROOT}/sim/*.cpp ${ROOT}/sim/*.hpp)
list(SORT sources)
foreach(source ${sources})
  file(SHA256 ${ROOT}/${source} hash)
  string(APPEND all "${hash}  ${source}\n")
endforeach()
string(SHA256 hash "${all}")
string(SUBSTRING ${hash} 0 12 hash)
file(WRITE ${OUT} "#include \"src/program.hpp\"

namespace danlu {
const std::string_view kBuild = \"${VERSION}+${hash}\";
}  // namespace danlu
")
