// gzip (RFC 1952, zlib) of a text that comes piece by piece: one member, whose bytes depend on the
// text alone. Blocks are compressed beside one another, each with the 32 KiB before it as its
// dictionary, and follow one another at ends of bytes (Z_SYNC_FLUSH), as in pigz.
//
//   header | block 0 | block 1 | ... | last block | CRC-32, length
#pragma once

#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <string>
#include <string_view>

#include "sim/base/text_sink.hpp"

namespace danlu {

class Gzip {
 public:
  /// Compresses on so many threads; 0: as there are processors, up to four.
  explicit Gzip(TextSink out, int threads = 0);

  /// Throws what the sink throws, and std::bad_alloc.
  void write(std::string_view text);
  /// After the last piece.
  void finish();

 private:
  struct Block {
    std::string bytes;  // compressed
    std::uint32_t crc = 0;
    std::size_t length = 0;  // of the text
  };
  static Block compress(const std::string& text, const std::string& before, bool is_last);
  void begin_block(bool is_last);
  void pass_on();

  TextSink out_;
  std::size_t most_blocks_;  // at once
  std::string text_;         // of the block that is being filled
  std::shared_ptr<const std::string> before_ = std::make_shared<std::string>();
  std::deque<std::future<Block>> blocks_;
  std::uint32_t crc_ = 0;
  std::uint32_t length_ = 0;  // modulo 2^32, as the format has it
};

}  // namespace danlu
