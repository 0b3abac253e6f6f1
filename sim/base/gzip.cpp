#include "sim/base/gzip.hpp"

#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <array>
#include <utility>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr int kLevel = 1;  // on traces 0 is as quick and makes larger files, 2 makes none smaller

}  // namespace

struct Gzip::State {
  isal_zstream stream{};
  std::array<std::uint8_t, ISAL_DEF_LVL1_DEFAULT> room{};  // the level's
  std::array<std::uint8_t, kPiece> out{};

  State() {
    isal_deflate_init(&stream);
    stream.level = kLevel;
    stream.level_buf = room.data();
    stream.level_buf_size = static_cast<std::uint32_t>(room.size());
    stream.gzip_flag = IGZIP_GZIP;
  }

  std::string compress(std::string piece, bool is_last) {
    std::string compressed;
    stream.next_in = reinterpret_cast<std::uint8_t*>(piece.data());
    stream.avail_in = static_cast<std::uint32_t>(piece.size());
    stream.end_of_stream = is_last ? 1 : 0;
    do {
      stream.next_out = out.data();
      stream.avail_out = static_cast<std::uint32_t>(out.size());
      check(isal_deflate(&stream) == COMP_OK, "ISA-L takes what its own constants say");
      compressed.append(out.begin(), out.end() - stream.avail_out);
    } while (stream.avail_out == 0);
    return compressed;
  }
};

Gzip::Gzip(TextSink out) : out_(std::move(out)), state_(std::make_unique<State>()) {}

Gzip::~Gzip() = default;

void Gzip::write(std::string_view text) {
  while (!text.empty()) {
    const std::size_t fits = std::min(text.size(), kPiece - text_.size());
    text_.append(text.substr(0, fits));
    text.remove_prefix(fits);
    if (text_.size() == kPiece) {
      compress(false);
    }
  }
}

void Gzip::finish() {
  compress(true);
  pass_on();
}

void Gzip::compress(bool is_last) {
  pass_on();
  // Where no thread can be made, it is compressed when it is asked for.
  compressed_ = std::async([this, piece = std::exchange(text_, {}), is_last]() mutable {
    return state_->compress(std::move(piece), is_last);
  });
  text_.reserve(kPiece);
}

void Gzip::pass_on() {
  if (compressed_.valid()) {
    out_(compressed_.get());
  }
}

}  // namespace danlu
