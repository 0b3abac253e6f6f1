// gzip of texts that come piece by piece, held to zlib's own reader, which checks the CRC and the
// length, and to the header of RFC 1952.
#include "sim/base/gzip.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <optional>
#include <random>
#include <stdexcept>

namespace danlu {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;  // that is compressed at once

/// In pieces of random lengths.
std::string compressed(std::string_view text, std::mt19937& random) {
  std::string out;
  Gzip gzip([&](std::string_view piece) { out += piece; });
  std::uniform_int_distribution<std::size_t> length(0, 300000);
  while (!text.empty()) {
    const std::size_t cut = std::min(length(random), text.size());
    gzip.write(text.substr(0, cut));
    text.remove_prefix(cut);
  }
  gzip.finish();
  return out;
}

/// What a file of one gzip member holds, nothing where it is anything else.
std::optional<std::string> expanded(std::string gzip, std::size_t size) {
  constexpr int kGzip = 15 + 16;
  z_stream stream{};
  if (inflateInit2(&stream, kGzip) != Z_OK) {
    return {};
  }
  std::string text(size + 1, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(gzip.data());
  stream.avail_in = static_cast<uInt>(gzip.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  const int result = inflate(&stream, Z_FINISH);
  text.resize(text.size() - stream.avail_out);
  const bool whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  return whole ? std::optional(text) : std::nullopt;
}

/// Lines as of a trace, or noise that nothing shortens.
std::string text_of(std::size_t size, bool noise, std::mt19937& random) {
  std::string text;
  while (text.size() < size) {
    if (noise) {
      text += static_cast<char>(random() & 0xFFU);
    } else {
      text += "{\"name\": \"attention\", \"ts\": " + std::to_string(random() % 1000000) + "},\n";
    }
  }
  text.resize(size);
  return text;
}

TEST(Gzip, ExpandsToTheTextWhateverItsLength) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kPiece - 1, kPiece, kPiece + 1,
                                 5 * kPiece / 2, 4 * kPiece}) {
    for (const bool noise : {false, true}) {
      const std::string text = text_of(size, noise, random);
      const std::string gzip = compressed(text, random);
      EXPECT_EQ(expanded(gzip, size), text) << size << " bytes";
      if (!noise && size >= kPiece) {
        EXPECT_LT(gzip.size(), size / 4);
      }
    }
  }
}

// Neither the pieces nor the time show: 1F 8B, deflate, no flags, no time.
TEST(Gzip, DoesNotDependOnPieces) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const std::string text = text_of(7 * kPiece / 2, false, random);
  const std::string one = compressed(text, random);
  EXPECT_EQ(compressed(text, random), one);
  EXPECT_EQ(one.substr(0, 8), std::string("\x1F\x8B\x08\0\0\0\0\0", 8));
}

// What is compressed may refer to the 32 KiB before it: digits that come again in the next piece.
TEST(Gzip, LooksBackAcrossPieces) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::string once(kPiece, '\0');
  std::generate(once.begin(), once.end(), [&] { return static_cast<char>('0' + random() % 10); });
  const std::string again = once.substr(kPiece - 16000);
  const std::string gzip = compressed(once + again, random);
  EXPECT_LT(gzip.size(), compressed(once, random).size() + again.size() / 10);
  EXPECT_EQ(expanded(gzip, kPiece + again.size()), once + again);
}

TEST(Gzip, PassesOnWhatTheSinkThrows) {
  int pieces = 0;
  Gzip gzip([&](std::string_view) {
    if (++pieces == 3) {
      throw std::runtime_error("no space left");
    }
  });
  const std::string text(kPiece, 'x');
  EXPECT_THROW(
      {
        for (int i = 0; i < 20; ++i) {
          gzip.write(text);
        }
      },
      std::runtime_error);
}

}  // namespace
}  // namespace danlu
