// Two passes side by side on the same GPU, a forward and a backward one as a rule, so that
// exchanges of one hide behind the compute of the other (DualPipe; Megatron-LM's combined 1F1B).
// Compute is one stream for both, and so are the exchanges over the same axes. The rule which of
// them goes on needs no times: one runs until its next stretch of compute waits for an exchange
// that it has begun since it took over; then the other does.
//
//   first     a1 a2 [exchange] | a3 ..         a3 waits for the exchange
//   second                     b1 [exchange] | b2 ..
//   compute   a1 a2 b1 a3 b2 ..
//
// What is left of one when the other has ended runs as it would alone. Who programs such a pair may
// order it better, knowing the times: this is what any pair can have.
#include <algorithm>
#include <array>

#include "sim/program/program.hpp"

namespace danlu {
namespace {

/// One of the two, as far as it has been written.
struct Half {
  const Program* program = nullptr;
  std::vector<std::size_t> written{};  // by segment: where it stands in the pair
  std::size_t turn = 0;                // the segment that its turn began with

  bool is_done() const { return written.size() == program->segments.size(); }
  const Segment& next() const { return program->segments[written.size()]; }
  int layer() const {
    const std::vector<std::size_t>& ends = program->layer_ends;
    return static_cast<int>(std::upper_bound(ends.begin(), ends.end(), written.size()) -
                            ends.begin());
  }
  bool has_to_wait() const {
    return next().is_compute &&
           std::any_of(next().after.begin(), next().after.end(), [&](std::size_t before) {
             return before >= turn && !program->segments[before].is_compute;
           });
  }
};

}  // namespace

Program paired(const Program& first, const Program& second) {
  std::array<Half, 2> halves{Half{&first}, Half{&second}};
  Program pair;
  for (std::size_t at = 0; !halves[0].is_done() || !halves[1].is_done(); at = 1 - at) {
    Half& half = halves[at];
    half.turn = half.written.size();
    while (!half.is_done() && (halves[1 - at].is_done() || !half.has_to_wait())) {
      Segment segment = half.next();
      for (std::size_t& before : segment.after) {
        before = half.written[before];
      }
      segment.beside = at == 1;
      segment.layer = half.layer();
      half.written.push_back(pair.segments.size());
      pair.segments.push_back(std::move(segment));
    }
  }
  return pair;
}

}  // namespace danlu
