// gzip (RFC 1952, ISA-L) of a text that comes piece by piece: one member, whose bytes do not depend
// on the pieces. What has come is compressed while more comes:
//
//   text        | 1 | 2 | 3 |
//   compressed      | 1 | 2 | 3 |   by a thread, which also keeps to itself that ISA-L leaves the
//                                   upper halves of vector registers in use: others would be slower
#pragma once

#include <future>
#include <memory>
#include <string>
#include <string_view>

#include "sim/base/text_sink.hpp"

namespace danlu {

class Gzip {
 public:
  explicit Gzip(TextSink out);
  ~Gzip();
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  /// Throws what the sink throws, and std::bad_alloc.
  void write(std::string_view text);
  /// After the last piece.
  void finish();

 private:
  struct State;
  void compress(bool is_last);
  void pass_on();

  TextSink out_;
  std::string text_;  // that is still to be compressed
  std::unique_ptr<State> state_;
  std::future<std::string> compressed_;  // of the piece before; ends before the state
};

}  // namespace danlu
