#include "sim/workload/layer_split.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace danlu {
namespace {

/// Stages that claim no number of layers of their own.
int even_stages(const ParallelismSpec& p) {
  return p.pipeline - (p.first_stage_layers ? 1 : 0) - (p.last_stage_layers ? 1 : 0);
}

/// Of a whole stage, where no number of its parts is said.
int layers_of_stage(const Workload& w, int stage) {
  const ParallelismSpec& p = w.parallelism;
  if (!p.stage_layers.empty()) {
    return p.stage_layers[static_cast<std::size_t>(stage)];
  }
  if (stage == 0 && p.first_stage_layers) {
    return *p.first_stage_layers;
  }
  if (stage == p.pipeline - 1 && p.last_stage_layers) {
    return *p.last_stage_layers;
  }
  const int claimed = p.first_stage_layers.value_or(0) + p.last_stage_layers.value_or(0);
  return (w.model.layers - claimed) / even_stages(p);
}

bool lists_parts(const Workload& w) {
  return static_cast<int>(w.parallelism.stage_layers.size()) == w.placement().parts();
}

/// One class: independent relations between the keys that say how layers are shared.
class LayerChecker {
 public:
  explicit LayerChecker(const Workload& w) : w_(w), p_(w.parallelism) {}

  std::vector<WorkloadProblem> run() {
    if (!p_.stage_layers.empty()) {
      check_list();
    } else if (p_.count_embedding_and_head) {
      check_counted();
    } else if (p_.first_stage_layers || p_.last_stage_layers) {
      check_ends();
    } else {
      check_even();
    }
    if (found_.empty()) {
      check_prediction();
    }
    return std::move(found_);
  }

 private:
  using Keys = std::vector<std::string>;

  void add(Keys keys, std::string message, std::string hint = "") {
    found_.push_back({std::move(keys), std::move(message), std::move(hint)});
  }
  /// "pipeline (8) x chunks (2)"
  std::string parts_text() const {
    const int chunks = w_.placement().parts() / p_.pipeline;
    return fmt::format("pipeline ({}){}", p_.pipeline,
                       chunks > 1 ? fmt::format(" x chunks ({})", chunks) : "");
  }

  void check_even() {
    const int parts = w_.placement().parts();
    const int layers = w_.model.layers;
    if (layers % parts == 0) {
      return;
    }
    std::string hint;
    if (p_.pipeline > 1 && parts < layers) {
      hint = parts == p_.pipeline ? "or list the layers of every stage: stage_layers"
                                  : fmt::format(
                                        "or list the layers of all {} chunks in the model's order: "
                                        "stage_layers",
                                        parts);
    }
    if (p_.pipeline > 1 && (layers + 2) % parts == 0) {
      hint += fmt::format(
          "{}or count the embedding and the head as a layer each: "
          "count_embedding_and_head: true",
          hint.empty() ? "" : "; ");
    }
    add({"parallelism.pipeline", "training.schedule.chunks", "training.schedule.kind",
         "model.layers", "model.preset"},
        fmt::format("{} must divide the model's layers ({})", parts_text(), layers),
        std::move(hint));
  }

  /// The embedding and the head as a layer each: both ends keep a part that is not only they.
  void check_counted() {
    const int parts = w_.placement().parts();
    const int counted = w_.model.layers + 2;
    const std::string key = "parallelism.count_embedding_and_head";
    for (const auto& [name, end] : {std::pair("first_stage_layers", p_.first_stage_layers),
                                    std::pair("last_stage_layers", p_.last_stage_layers)}) {
      if (end) {
        add({fmt::format("parallelism.{}", name), key},
            fmt::format("{} and count_embedding_and_head both say what an end holds", name),
            "leave one of the two out");
      }
    }
    if (parts > 1 && counted % parts != 0) {
      add({key, "parallelism.pipeline", "training.schedule.chunks", "model.layers", "model.preset"},
          fmt::format("{} must divide the model's layers with the embedding and the head counted "
                      "({} + 2 = {})",
                      parts_text(), w_.model.layers, counted),
          "or list the layers: stage_layers");
    }
  }

  /// Every stage or part has its number of layers, and together they hold the model.
  void check_list() {
    const std::string list = "parallelism.stage_layers";
    const auto listed = static_cast<int>(p_.stage_layers.size());
    const int parts = w_.placement().parts();
    if (p_.count_embedding_and_head) {
      add({"parallelism.count_embedding_and_head", list},
          "stage_layers and count_embedding_and_head both say what the stages hold",
          "leave one of the two out");
    }
    if (listed != p_.pipeline && listed != parts) {
      add({list, "parallelism.pipeline"},
          fmt::format("stage_layers must list the layers of {} stages (pipeline){}, found {} "
                      "numbers",
                      p_.pipeline,
                      parts == p_.pipeline
                          ? ""
                          : fmt::format(" or of all {} chunks in the model's order", parts),
                      listed));
      return;
    }
    const double sum = std::accumulate(p_.stage_layers.begin(), p_.stage_layers.end(), 0.0);
    if (sum != w_.model.layers) {
      add({list, "model.layers", "model.preset"},
          fmt::format("stage_layers must add up to the model's layers ({}), found {:.0f}",
                      w_.model.layers, sum));
    }
    differs("first_stage_layers", p_.first_stage_layers, 0);
    differs("last_stage_layers", p_.last_stage_layers, p_.pipeline - 1);
    check_chunks({list, "training.schedule.chunks", "training.schedule.kind"});
    check_empty(list);
  }
  /// Layers that predict more have the part before the head to themselves, or share it.
  void check_prediction() {
    if (!p_.prediction_before_head || w_.model.prediction_layers == 0) {
      return;
    }
    const Placement where = w_.placement();
    const std::string key = "parallelism.prediction_before_head";
    if (where.parts() == 1 || where.has_copies()) {
      add({key, "parallelism.pipeline", "training.schedule.kind"},
          where.has_copies()
              ? "prediction_before_head does not go with two copies of the model"
              : "prediction_before_head needs more than one part of the model, found 1",
          "leave the key out: the last stage has the layers that predict more, and the head");
    } else if (w_.layers_at(where.holder(where.parts() - 1)) > 0) {
      add({key, "parallelism.stage_layers", "parallelism.pipeline"},
          fmt::format("with prediction_before_head the last part has the head alone, found {} of "
                      "the model's layers there",
                      w_.layers_at(where.holder(where.parts() - 1))),
          "let stage_layers list every chunk, and 0 as the last number");
    }
  }
  void differs(std::string_view key, const std::optional<int>& end, int stage) {
    const int listed = lists_parts(w_) ? w_.stage_layers(stage) : layers_of_stage(w_, stage);
    if (end && *end != listed) {
      add({fmt::format("parallelism.{}", key), "parallelism.stage_layers"},
          fmt::format("{} ({}) differs from what stage_layers lists there ({})", key, *end, listed),
          "leave one of the two out");
    }
  }
  /// Only what holds the embedding, the head or layers that predict more may have no layer.
  void check_empty(const std::string& list) {
    for (std::size_t i = 0; i < p_.stage_layers.size(); ++i) {
      const std::size_t behind = p_.stage_layers.size() - 1 - i;
      const bool predicts =
          p_.prediction_before_head && w_.model.prediction_layers > 0 && behind == 1;
      const bool is_end = lists_parts(w_) && (i == 0 || behind == 0 || predicts);
      if (p_.stage_layers[i] == 0 && (!is_end || p_.stage_layers.size() == 1)) {
        add({list},
            fmt::format("only the first and the last chunk may have no layers: they hold the "
                        "embedding and the head; found 0 as number {}",
                        i + 1),
            behind == 1 && w_.model.prediction_layers > 0
                ? "layers for multi-token prediction lie on the last chunk, with the head: give "
                  "each chunk before it a layer, or let them have the chunk to themselves by "
                  "parallelism.prediction_before_head: true"
                : "");
        return;
      }
    }
  }

  /// First and last stage with layers of their own: all stages exist, none is empty, the others
  /// share evenly, and chunks divide each.
  void check_ends() {
    const int first = p_.first_stage_layers.value_or(0);
    const int last = p_.last_stage_layers.value_or(0);
    const Keys path{
        p_.first_stage_layers ? "parallelism.first_stage_layers" : "parallelism.last_stage_layers",
        "parallelism.pipeline", "model.layers", "model.preset"};
    const int rest = w_.model.layers - first - last;
    const int others = even_stages(p_);
    if (p_.pipeline == 1) {
      add(path, "the first and the last stage need pipeline stages, found pipeline 1",
          "leave the key out or raise parallelism.pipeline");
    } else if (others == 0 ? rest != 0 : rest < others) {
      add(path, fmt::format("first stage ({}) and last stage ({}) leave {} of the model's layers "
                            "({}) to {} other stages",
                            first, last, rest, w_.model.layers, others));
    } else if (others > 0 && rest % others != 0) {
      add(path, fmt::format("the {} stages without layers of their own must divide the other {} "
                            "of the model's layers ({})",
                            others, rest, w_.model.layers));
    } else {
      check_chunks({"training.schedule.chunks", "parallelism.first_stage_layers",
                    "parallelism.last_stage_layers", "training.schedule.kind"});
    }
  }

  void check_chunks(Keys keys) {
    const int chunks = w_.placement().parts() / p_.pipeline;
    for (int stage = 0; stage < p_.pipeline && !lists_parts(w_); ++stage) {
      if (const int layers = layers_of_stage(w_, stage); layers % chunks != 0) {
        add(std::move(keys),
            fmt::format("chunks ({}) must divide the layers of stage {} ({})", chunks, stage,
                        layers),
            "each stage cuts its layers evenly into chunks, unless stage_layers lists all chunks");
        return;
      }
    }
  }

  const Workload& w_;
  const ParallelismSpec& p_;
  std::vector<WorkloadProblem> found_;
};

}  // namespace

std::vector<WorkloadProblem> layer_problems(const Workload& workload) {
  return LayerChecker(workload).run();
}

int Workload::layers_at(PlacedChunk at) const {
  const Placement where = placement();
  const int parts = where.parts();
  if (lists_parts(*this)) {
    return parallelism.stage_layers[static_cast<std::size_t>(where.part(at))];
  }
  if (parallelism.count_embedding_and_head && parts > 1) {
    return (model.layers + 2) / parts - (where.is_first(at) || where.is_last(at) ? 1 : 0);
  }
  return layers_of_stage(*this, where.holder(where.part(at)).stage) * parallelism.pipeline / parts;
}

int Workload::decoder_stage() const {
  const bool is_cut = model.kind == ModelKind::EncoderDecoder && parallelism.pipeline > 1;
  int layers = 0;
  for (int stage = 0; is_cut && stage < parallelism.pipeline; ++stage) {
    if (layers == model.encoder_layers) {
      return stage;
    }
    layers += stage_layers(stage);
  }
  return 0;
}

bool Workload::prediction_copies_table() const {
  const Placement where = placement();
  if (model.prediction_layers == 0) {
    return false;
  }
  if (!parallelism.prediction_before_head) {
    return !model.tied_embeddings && !where.holds_last(where.first_stage());
  }
  const int stage = where.holder(std::max(0, where.parts() - 2)).stage;
  return stage != where.first_stage() && !(model.tied_embeddings && stage == where.last_stage());
}

std::vector<int> Workload::table_stages() const {
  const Placement where = placement();
  std::vector<int> stages{where.first_stage()};
  if (const int decoder = decoder_stage(); decoder > 0) {
    stages.push_back(decoder);
  }
  if (parallelism.prediction_before_head && prediction_copies_table()) {
    stages.push_back(where.holder(where.parts() - 2).stage);
  }
  const bool shared =
      model.tied_embeddings || (model.prediction_layers > 0 && !parallelism.prediction_before_head);
  const bool in_head = shared && !where.holds_last(where.first_stage());
  if (in_head && where.last_stage() != stages.back()) {
    stages.push_back(where.last_stage());
  }
  return stages;
}

int Workload::stage_layers(int stage) const {
  int layers = 0;
  for (int chunk = 0; chunk < training.chunks; ++chunk) {
    layers += layers_at({stage, chunk});
  }
  return layers;
}

}  // namespace danlu
