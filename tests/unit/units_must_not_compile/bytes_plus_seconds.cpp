// Must not compile: bytes and seconds have no sum.
#include "sim/base/units.hpp"

danlu::Bytes sum() {
  return danlu::Bytes{1} + danlu::Seconds{2};
}
