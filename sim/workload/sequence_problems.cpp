// Relations of how long a sequence is, how ranks share it, and what of it is masked.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include "sim/workload/workload.hpp"

namespace danlu {
namespace {

/// Takes keys, message and hint.
using Add = std::function<void(std::vector<std::string>, std::string, std::string)>;

void check_mask(const Workload& w, const Add& add) {
  const TrainingSpec& t = w.training;
  const bool narrows = w.model.window > 0 && w.model.window < t.sequence_length;
  if ((t.attention_window > 0 || narrows) && w.parallelism.context > 1 &&
      w.parallelism.context_exchange != ContextExchange::AllGather) {
    add({t.attention_window > 0 ? "training.attention_window" : "model.window",
         "parallelism.context_exchange", "parallelism.context"},
        "no framework's ring is known to take windows: Transformer Engine refuses them with p2p",
        fmt::format("use context_exchange {}, or ulysses, which it takes",
                    name_of(ContextExchange::AllGather)));
  }
  for (const auto& [length, number] : t.documents) {
    if (length < 1 || length > t.sequence_length) {
      add({"training.documents", "training.sequence_length"},
          fmt::format("documents must have 1 to sequence_length ({}) tokens, found {}",
                      t.sequence_length, length),
          "longer ones are cut where a sequence ends");
    }
  }
}

/// Each rank holds two pieces of a sequence, the i-th and the i-th from the end.
void check_context(const Workload& w, const Add& add) {
  const ParallelismSpec& p = w.parallelism;
  const TrainingSpec& t = w.training;
  std::vector<std::string> factors;
  double parts = 1;
  const auto share = [&](std::string name, double ranks) {
    factors.push_back(std::move(name));
    parts *= ranks;
  };
  if (p.context > 1) {
    share(fmt::format("2 x context ({})", p.context), 2.0 * p.context);
  }
  if (p.ulysses > 1) {
    share(fmt::format("ulysses ({})", p.ulysses), p.ulysses);
  }
  if (!factors.empty() && p.sequence && p.tensor > 1) {
    share(fmt::format("tensor ({})", p.tensor), p.tensor);
  }
  const bool told = p.sequence && t.sequence_length % p.tensor != 0;
  if (!told && std::fmod(t.sequence_length, parts) != 0) {
    add({"training.sequence_length", "parallelism.context", "parallelism.ulysses"},
        fmt::format("{} must divide sequence_length ({})", fmt::join(factors, " x "),
                    t.sequence_length),
        p.context > 1 ? "each rank holds two pieces of a sequence, one from its beginning and "
                        "one from its end, so that a causal mask leaves all the same work"
                      : "");
  }
  if (p.context > 1 && p.context_exchange != ContextExchange::AllGather &&
      t.attention == AttentionKind::Unfused) {
    add({"parallelism.context_exchange", "training.attention", "parallelism.context"},
        "a ring merges the rounds of fused attention, found attention unfused",
        fmt::format("use attention flash, or context_exchange {}",
                    name_of(ContextExchange::AllGather)));
  }
}

/// How long sequences are, of one model or of a half.
void check_length(const Workload& w, const std::string& key, int length, const Add& add) {
  const ParallelismSpec& p = w.parallelism;
  if (p.sequence && length % p.tensor != 0) {
    add({"training." + key, "parallelism.tensor", "parallelism.sequence"},
        fmt::format("with sequence parallelism, tensor ({}) must divide {} ({})", p.tensor, key,
                    length),
        "");
  }
  if (w.model.positions > 0 && length > w.model.positions) {
    add({"training." + key, "model.positions", "model.preset"},
        fmt::format("{} ({}) exceeds the model's positions ({})", key, length, w.model.positions),
        "a model with a learned position table cannot see further");
  }
}

void check_decoder(const Workload& w, const Add& add) {
  const TrainingSpec& t = w.training;
  const ParallelismSpec& p = w.parallelism;
  if (w.model.kind != ModelKind::EncoderDecoder) {
    add({"training.decoder_length", "model.kind", "model.preset"},
        fmt::format("decoder_length is of kind {}, found {}", name_of(ModelKind::EncoderDecoder),
                    name_of(w.model.kind)),
        "sequence_length is that of all its layers");
    return;
  }
  if (t.decoder_length == t.sequence_length) {
    return;
  }
  const std::vector<std::pair<std::string, bool>> uses{
      {"parallelism.context", p.context > 1},
      {"parallelism.ulysses", p.ulysses > 1},
      {"model.experts.count", w.model.experts.count > 0},
      {"training.documents", !t.documents.empty()}};
  for (const auto& [key, used] : uses) {
    if (used) {
      add({"training.decoder_length", key},
          fmt::format("a decoder whose sequences have another length than the encoder's ({} and "
                      "{}) does not go with {}",
                      t.decoder_length, t.sequence_length, key),
          "leave decoder_length out, or that");
    }
  }
}

}  // namespace

std::vector<WorkloadProblem> sequence_problems(const Workload& w) {
  std::vector<WorkloadProblem> found;
  const Add add = [&](std::vector<std::string> keys, std::string message, std::string hint) {
    found.push_back({std::move(keys), std::move(message), std::move(hint)});
  };
  check_length(w, "sequence_length", w.training.sequence_length, add);
  check_context(w, add);
  if (w.training.decoder_length > 0) {
    check_length(w, "decoder_length", w.training.decoder_length, add);
    check_decoder(w, add);
  }
  check_mask(w, add);
  return found;
}

}  // namespace danlu
