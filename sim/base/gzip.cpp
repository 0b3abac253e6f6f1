#include "sim/base/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <new>
#include <thread>
#include <utility>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;
constexpr std::size_t kWindow = std::size_t{1} << 15;
// Of the levels of zlib the quickest; on traces the next ones save 3 % and take as long or longer.
constexpr int kLevel = 1;
constexpr unsigned kMostThreads = 4;  // more would wait for who writes the text

/// zlib's state of one block, without header and trailer.
class Deflate {
 public:
  Deflate() {
    constexpr int kRaw = -15;
    constexpr int kMemory = 8;
    if (deflateInit2(&stream_, kLevel, Z_DEFLATED, kRaw, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Deflate() { deflateEnd(&stream_); }
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;

  std::string run(std::string_view text, std::string_view before, int flush) {
    deflateSetDictionary(&stream_, bytes(before), static_cast<uInt>(before.size()));
    constexpr std::size_t kMarks = 16;  // what a flush may add
    std::string out(deflateBound(&stream_, text.size()) + kMarks, '\0');
    stream_.next_in = bytes(text);
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    const int result = deflate(&stream_, flush);
    check(result == (flush == Z_FINISH ? Z_STREAM_END : Z_OK) && stream_.avail_in == 0 &&
              stream_.avail_out > 0,
          "zlib takes a whole block at once");
    out.resize(out.size() - stream_.avail_out);
    return out;
  }
  static Bytef* bytes(std::string_view text) {  // zlib's interface is older than its const
    return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  }

 private:
  z_stream stream_{};
};

/// Four bytes, the least first.
std::string little_endian(std::uint32_t value) {
  std::string text;
  for (int shift = 0; shift < 32; shift += 8) {
    text += static_cast<char>(value >> shift & 0xFFU);
  }
  return text;
}

}  // namespace

Gzip::Gzip(TextSink out, int threads)
    : out_(std::move(out)),
      most_blocks_(threads > 0
                       ? static_cast<std::size_t>(threads)
                       : std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads)) {
  // Magic, deflate, no flags, no time, the quickest level, no system.
  constexpr std::array<unsigned char, 10> kHeader{0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 4, 255};
  out_({reinterpret_cast<const char*>(kHeader.data()), kHeader.size()});
}

Gzip::Block Gzip::compress(const std::string& text, const std::string& before, bool is_last) {
  const std::string_view window =
      std::string_view(before).substr(before.size() - std::min(before.size(), kWindow));
  return {.bytes = Deflate().run(text, window, is_last ? Z_FINISH : Z_SYNC_FLUSH),
          .crc = static_cast<std::uint32_t>(
              crc32(crc32(0, nullptr, 0), Deflate::bytes(text), static_cast<uInt>(text.size()))),
          .length = text.size()};
}

void Gzip::write(std::string_view text) {
  while (!text.empty()) {
    const std::size_t fits = std::min(text.size(), kBlock - text_.size());
    text_.append(text.substr(0, fits));
    text.remove_prefix(fits);
    if (text_.size() == kBlock) {
      begin_block(false);
    }
  }
}

void Gzip::finish() {
  begin_block(true);
  while (!blocks_.empty()) {
    pass_on();
  }
  out_(little_endian(crc_) + little_endian(length_));
}

void Gzip::begin_block(bool is_last) {
  while (blocks_.size() >= most_blocks_) {
    pass_on();
  }
  const auto text = std::make_shared<const std::string>(std::exchange(text_, {}));
  // Where no thread can be made, it is compressed when it is asked for.
  blocks_.push_back(std::async([text, before = std::exchange(before_, text), is_last] {
    return compress(*text, *before, is_last);
  }));
}

void Gzip::pass_on() {
  const Block block = blocks_.front().get();
  blocks_.pop_front();
  crc_ = static_cast<std::uint32_t>(
      crc32_combine(crc_, block.crc, static_cast<z_off_t>(block.length)));
  length_ += static_cast<std::uint32_t>(block.length);
  out_(block.bytes);
}

}  // namespace danlu
