// A mixture of experts in place of an MLP, on one rank. The rank's T tokens are sent to the ranks
// that hold their k of E experts, computed there, sent back and summed:
//
//   norm | router [T, E, h] | choose | shared up, activation, shared down | permute | dispatch |
//   sort | E/e x up [R, f, h] | activation | E/e x down [R, h, f] | unsort | combine | sum |
//   residual
//
// R = T e k / E rows an expert, with e ranks that experts are spread over, in the mean. Each
// product of experts is one grouped product. All ranks wait in combine for the one with most
// tokens: what that computes stands beside the mean in every kernel (Kernel::fullest), and its
// bytes are those of the exchange. Ranks that share each expert (expert tensor parallelism) gather
// tokens before experts and scatter their sums behind them.
//
// With parallelism.overlap.shared_experts the shared ones stand beside the exchanges (Megatron-LM's
// --moe-shared-expert-overlap, megatron/core/transformer/moe/token_dispatcher.py):
//
//   permute | dispatch, beside it shared up, activation | .. | combine, beside it shared down | sum
//
// Sort and unsort, by expert, are there where a rank holds several; DeepEP hands tokens on where
// they are needed, so that permute and its reverse are a part of dispatch and combine.
#include <functional>
#include <utility>

#include "sim/workload/expert_balance.hpp"
#include "sim/workload/layers.hpp"

namespace danlu {
namespace {

constexpr double kFp32 = 4;
// Kernels of what one operator here stands for, forward and backward, counted in Megatron-core's
// code without fused routing: choose, with its losses and counts (router.py, moe_utils.py), and
// what orders tokens by rank and by expert (token_dispatcher.py).
constexpr int kChooseForward = 30;
constexpr int kChooseBackward = 15;
constexpr int kOrder = 4;

/// The sizes of one rank's experts.
struct ExpertShape {
  ExpertShape(const RankShape& z, const LayerSort& sort)
      : rank(z),
        spec(z.model.experts),
        load(z.experts[static_cast<std::size_t>(sort.load)]),
        copies(z.local_tokens * spec.per_token * load.mean),
        held(spec.count / z.expert),
        rows(copies * z.expert * z.expert_tensor / spec.count),
        width(spec.ffn / z.expert_tensor),
        gates(z.model.gated_mlp ? 2 : 1) {}

  const RankShape& rank;
  const ExpertsSpec& spec;
  const ExpertBalance& load;
  double copies;  // of the rank's tokens that are sent, and in the mean received
  double held;    // experts
  double rows;    // of each
  double width, gates;

  double all_rows() const { return rows * held; }
  /// Bytes of tokens on the rank with most of them.
  Bytes most(double tokens) const { return {rank.element * tokens * rank.hidden * load.fullest}; }
};

/// The kernels of so many rows, and what the fullest rank has.
Kernels for_rows(const ExpertShape& x, double rows, const std::function<Kernel(double)>& make) {
  Kernel kernel = make(rows);
  kernel.model_flops = (1 - x.load.padding) * kernel.model_flops;
  if (x.load.fullest > 1) {
    kernel.fullest = {make(rows * x.load.fullest)};
  }
  return {std::move(kernel)};
}

Operator grouped(const ExpertShape& x, std::string name, double in, double out) {
  const RankShape& z = x.rank;
  const double matrices = in * out * x.held;
  const auto product = [&](double m, double n, double k, Bytes sums = {}) {
    Kernel made = gemm(m, n, k, x.held, z.element, sums);
    made.products = x.held;
    made.accumulates = sums > Bytes{};
    if (z.experts_apart) {
      made.apart = made.accumulates ? sums : Bytes{z.element * matrices};
    }
    return made;
  };
  const Bytes sums{z.gradient * matrices};
  Operator made{
      .name = std::move(name),
      .forward = for_rows(x, x.rows, [&](double rows) { return product(rows, out, in); }),
      .input_gradient = for_rows(x, x.rows, [&](double rows) { return product(rows, in, out); }),
      .weight_gradient =
          for_rows(x, x.rows, [&](double rows) { return product(in, out, rows, sums); })};
  made.weight.copies = kExpertDataAxes;
  made.weight.active = static_cast<double>(x.spec.per_token) / x.spec.count;
  made.part = ModelPart::Experts;
  return made;
}

/// A pass over so many rows that reads and writes so many bytes of each, forward and backward.
Operator pass(const ExpertShape& x, std::string name, double rows, double forward, double backward,
              PassKind kind = PassKind::Stream) {
  const auto bytes_a_row = [&](double bytes) {
    return for_rows(x, rows, [&](double all) { return memory_pass(all * bytes, kind); });
  };
  return {.name = std::move(name),
          .forward = bytes_a_row(forward),
          .input_gradient = bytes_a_row(backward)};
}

/// Reads and writes every row.
Operator moved(const ExpertShape& x, std::string name, double rows) {
  const double bytes = 2 * x.rank.element * x.rank.hidden;
  Operator made = pass(x, std::move(name), rows, bytes, bytes, PassKind::Permute);
  for (Kernels* kernels : {&made.forward, &made.input_gradient}) {
    kernels->front().launches = kOrder;
  }
  return made;
}

/// Softmax over the logits in fp32 (4 bytes in, 4 out), and the best of them (4 in, a map of 1).
Operator choose(const ExpertShape& x) {
  const double logits = x.rank.local_tokens * x.spec.count;
  return {.name = "choose experts",
          .forward = {memory_pass(logits * 13, PassKind::Stream, kChooseForward)},
          .input_gradient = {memory_pass(logits * 12, PassKind::Stream, kChooseBackward)},
          .kept = {logits * kFp32},
          .routes = true};
}

Operator router(const ExpertShape& x) {
  const RankShape& z = x.rank;
  Operator made = linear(z, z.local_tokens, kRouter, z.hidden, x.spec.count);
  const double weights = (z.hidden + (x.spec.router_bias ? 1 : 0)) * x.spec.count;
  made.weight = {.whole = weights, .held = weights, .partial = weights};
  made.part = ModelPart::Router;
  made.routes = true;
  made.kept = {z.element * z.local_tokens * z.hidden};
  return made;
}

/// The MLP that every token visits, in two parts: until its activation, and from there on. Its
/// input is the router's, and kept there.
struct SharedSteps {
  std::vector<Step> begin, end;
};
SharedSteps shared_steps(const ExpertShape& x) {
  if (x.spec.shared_ffn == 0) {
    return {};
  }
  const RankShape& z = x.rank;
  Block block;
  add_mlp_products(z, x.spec.shared_ffn, "shared ", block);
  std::get<Operator>(block.steps.front()).kept = {};
  if (x.spec.shared_gate) {
    Operator gate = linear(z, z.local_tokens, "shared gate", z.hidden, 1);
    gate.weight = {.whole = z.hidden, .held = z.hidden, .partial = z.hidden};
    block.steps.emplace_back(std::move(gate));
  }
  for (Step& step : block.steps) {
    auto& op = std::get<Operator>(step);
    op.part = ModelPart::SharedExperts;
    op.beside = z.shared_beside;
    op.routes = !z.shared_beside;
  }
  const auto middle = block.steps.begin() + 2;  // up, activation
  return {{block.steps.begin(), middle}, {middle, block.steps.end()}};
}

/// Tokens to their experts and back, over the ranks that experts are spread over. What goes there
/// may be narrower; what comes back is summed, in 16 bits (DeepSeek-V3, arXiv:2412.19437, 3.3.3).
Exchange way_of_tokens(const ExpertShape& x, bool there) {
  const RankShape& z = x.rank;
  const bool once = z.routed_once;
  const double tokens = once ? z.local_tokens * x.load.mean : x.copies;
  const double narrow = z.training.routing.dispatch_bytes / z.element;
  const CollectiveOp op = once ? CollectiveOp::Dispatch : CollectiveOp::AllToAll;
  const Way out{there ? "dispatch" : "dispatch gradients", op, narrow, /*needs_counts=*/there};
  const Way back{there ? "combine gradients" : "combine", op};
  Exchange made{.axes = Axis::Expert,
                .bytes = x.most(tokens),
                .forward = there ? out : back,
                .backward = there ? back : out};
  if (once) {
    made.routing = ExpertRouting{x.spec.count, x.spec.per_token, z.training.routing.most_nodes,
                                 z.training.routing.nodes};
  }
  return made;
}

/// Among the ranks that share each expert.
Exchange among_sharers(const ExpertShape& x, bool before) {
  const Way gather{before ? "gather tokens" : "gather gradients of experts",
                   CollectiveOp::AllGather};
  const Way scatter{before ? "scatter gradients of tokens" : "scatter output of experts",
                    CollectiveOp::ReduceScatter};
  return {.axes = Axis::ExpertTensor,
          .bytes = x.most(x.all_rows()),
          .forward = before ? gather : scatter,
          .backward = before ? scatter : gather};
}

void add_routed(const ExpertShape& x, Block& block) {
  const RankShape& z = x.rank;
  const double in = z.hidden;
  const double matrix = in * x.spec.ffn;  // of one expert, whole
  const bool biases = z.model.biases.on(Biased::Experts);
  Operator up = grouped(x, kExpertUp, in, x.gates * x.width);
  up.weight.whole = x.spec.count * x.gates * (matrix + (biases ? x.spec.ffn : 0));
  up.weight.held = x.held * x.gates * x.width * (in + (biases ? 1 : 0));
  up.kept = x.most(x.all_rows());
  Operator activation =
      pass(x, kExpertActivation, x.all_rows(), (x.gates + 1) * z.element * x.width,
           (2 * x.gates + 1) * z.element * x.width);
  const Bytes wide{z.element * x.all_rows() * x.width * x.load.fullest};
  activation.kept = x.gates * wide;
  Operator down = grouped(x, kExpertDown, x.width, in);
  down.weight.whole = x.spec.count * (matrix + (biases ? in : 0));
  down.weight.held = x.held * in * (x.width + (biases ? 1 : 0));
  down.kept = wide;
  block.steps.emplace_back(std::move(up));
  block.steps.emplace_back(std::move(activation));
  block.steps.emplace_back(std::move(down));
}

}  // namespace

void add_experts(const RankShape& z, const LayerSort& sort, Block& block) {
  const ExpertShape x(z, sort);
  const bool sorts = x.held > 1;
  block.steps.emplace_back(norm(z, kNorm, z.block_input()));
  block.steps.emplace_back(router(x));
  block.steps.emplace_back(choose(x));
  const SharedSteps shared = shared_steps(x);
  const auto add = [&](const std::vector<Step>& steps, bool here) {
    block.steps.insert(block.steps.end(), steps.begin(), here ? steps.end() : steps.begin());
  };
  add(shared.begin, !z.shared_beside);
  add(shared.end, !z.shared_beside);
  if (!z.routed_once) {
    Operator permute = moved(x, "permute", x.copies);
    permute.routes = true;
    block.steps.emplace_back(std::move(permute));
  }
  block.steps.emplace_back(way_of_tokens(x, true));
  add(shared.begin, z.shared_beside);
  if (sorts || z.routed_once) {
    block.steps.emplace_back(moved(x, "sort", x.copies));
  }
  block.steps.emplace_back(among_sharers(x, true));
  add_routed(x, block);
  block.steps.emplace_back(among_sharers(x, false));
  if (sorts || z.routed_once) {
    block.steps.emplace_back(moved(x, "unsort", x.copies));
  }
  block.steps.emplace_back(way_of_tokens(x, false));
  add(shared.end, z.shared_beside);
  // The sum of a token's copies, by the router's weights, and with what is shared: reads them and
  // writes the token; backward reads and writes copies, and reads both for the weights' gradients.
  const double both = x.spec.shared_ffn > 0 ? 2 : 1;
  const double token = z.element * z.local_tokens * z.hidden;
  const double sent = z.element * x.copies * z.hidden;
  const bool weighs_inside = z.training.routing.weighs_inside;
  block.steps.emplace_back(
      Operator{.name = kExpertSum,
               .forward = {memory_pass(sent + both * token, PassKind::Permute)},
               .input_gradient = {memory_pass((weighs_inside ? 1 : 2) * sent + both * token,
                                              PassKind::Permute)},
               .kept = {weighs_inside ? 0 : sent}});
  add_end_of_half(z, block);
}

}  // namespace danlu
