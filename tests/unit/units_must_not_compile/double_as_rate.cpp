// Must not compile: a bare number is no rate.
#include "sim/base/units.hpp"

danlu::Seconds at_rate(danlu::BytesPerSecond rate) {
  return danlu::Bytes{1} / rate;
}
danlu::Seconds at_one_byte_per_second() {
  return at_rate(1.0);
}
