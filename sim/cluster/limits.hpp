// How large a cluster is laid out.
#pragma once

namespace danlu {

/// The most GPUs of a cluster, and of a node.
inline constexpr int kLargestCluster = 1 << 20;
inline constexpr int kLargestNode = 1024;

}  // namespace danlu
