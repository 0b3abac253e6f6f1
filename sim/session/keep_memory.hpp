// For a process that makes steps and little else: what it frees it keeps, since what it gives back
// would only be faulted in again for the next one.
#pragma once

#include <malloc.h>

namespace danlu {

/// From now on, for all threads: called by the program, or in a process of its own.
inline void keep_freed_memory() {
  (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
  (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
  (void)mallopt(M_TOP_PAD, 4 << 20);
}

}  // namespace danlu
