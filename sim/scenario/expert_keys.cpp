#include "sim/scenario/key_rows.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

using namespace rows;

std::vector<KeyRow> expert_keys() {
  return {
      count("model.experts.count", &ExpertsSpec::count, 0, 1e5, "0",
            "Routed experts of a layer, in place of its MLP; 0: a dense model"),
      count("model.experts.per_token", &ExpertsSpec::per_token, 1, 1e4, "1",
            "Routed experts that a token visits (top-k)"),
      count("model.experts.ffn", &ExpertsSpec::ffn, 1, 1e7, "",
            "Width of each; as model.ffn if left out"),
      count("model.experts.shared_ffn", &ExpertsSpec::shared_ffn, 0, 1e7, "0",
            "Width of the shared experts together, which every token visits; 0: there are none"),
      flag("model.experts.shared_gate", &ExpertsSpec::shared_gate, "false",
           "Their output is weighted by a product with one column (Qwen2-MoE)"),
      flag("model.experts.router_bias", &ExpertsSpec::router_bias, "false",
           "The router has biases that are trained (GPT-OSS)"),
      count("model.experts.dense_layers", &ExpertsSpec::dense_layers, 0, kMost, "0",
            "The first so many layers have an MLP of model.ffn all the same"),
      count("model.experts.every", &ExpertsSpec::every, 1, kMost, "1",
            "Each so-many-th layer has experts, the others an MLP (Llama 4 Maverick: 2)"),
      count("parallelism.expert", &ParallelismSpec::expert, 1, 1e5, "1",
            "Ranks of a stage among which the experts of a layer are spread (expert parallelism)"),
      count(
          "parallelism.expert_tensor", &ParallelismSpec::expert_tensor, 1, 1024, "",
          "Ranks that share each expert; as many as parallelism.tensor if left out (Megatron-LM)"),
      choice("parallelism.expert_exchange", &ParallelismSpec::expert_exchange, "all-to-all",
             "How tokens come to their experts and back: a copy for every expert straight to its "
             "rank (NCCL), or one for every node and rank that holds some of them (DeepEP)"),
      choice("training.experts.dispatch_width", &RoutingSpec::dispatch_bytes,
             {{1, "8bit"}, {2, "16bit"}, {4, "fp32"}}, "",
             "Of an element on its way to the experts; the precision's if left out. What comes "
             "back is summed and stays as wide as that"),
      number("training.experts.capacity", &RoutingSpec::capacity, 0, 1e4, "0",
             "Tokens that an expert takes at most, over the mean; more are dropped. 0: none is"),
      flag("training.experts.pad", &RoutingSpec::pads, "false",
           "Experts are filled up to their capacity"),
      counts(
          "training.experts.load", &RoutingSpec::load, 0, 1e9,
          "How often each expert is wanted, relative to the others, as in `[3, 1, 1, 1]`; or of "
          "each layer with experts in turn so many numbers. All alike if left out, but for zipf"),
      number("training.experts.zipf", &RoutingSpec::zipf, 0, 10, "0",
             "The i-th most wanted expert is wanted i^-zipf times as often as the first"),
      count("training.experts.seed", &RoutingSpec::seed, 0, 1e9, "1",
            "Of the order in which experts are wanted"),
      flag("training.experts.zipf_by_layer", &RoutingSpec::zipf_by_layer, "false",
           "Each layer has an order of its own, drawn of the same seed; false: all layers have the "
           "same most wanted experts"),
      choice("training.experts.weighted", &RoutingSpec::weighs_inside,
             {{false, "sum"}, {true, "activation"}}, "sum",
             "Where the router's weights come in: in the sum of a token's copies, for which these "
             "are kept; or behind the activation (Megatron-core since 0.12)"),
      count("training.experts.most_nodes", &RoutingSpec::most_nodes, 0, kMost, "0",
            "Nodes that hold the experts of a token, at most (DeepSeek-V3: 4); 0: any number"),
      choice("training.experts.node_choice", &RoutingSpec::nodes, "best",
             "Which nodes these are: those with a token's best experts (DeepSeek), or any drawn at "
             "random, which reaches fewer of them"),
  };
}

}  // namespace danlu
