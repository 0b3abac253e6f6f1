// The page of the reference on tables of training runs: what columns hold, which GPUs and
// frameworks are known by which names, and what notes may say. Written from the tables that the
// converter reads by.
#pragma once

#include <string>

namespace danlu {

/// Markdown.
std::string training_table_page();

}  // namespace danlu
