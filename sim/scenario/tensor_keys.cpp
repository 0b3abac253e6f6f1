#include "sim/scenario/key_rows.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

using namespace rows;

std::vector<KeyRow> tensor_keys() {
  return {
      count("parallelism.tensor", &ParallelismSpec::tensor, 1, 1024, "1",
            "Ranks that share each matrix product"),
      flag("parallelism.sequence", &ParallelismSpec::sequence, "false",
           "Sequence parallelism: norms and dropouts are split over the tensor ranks too"),
      choice("parallelism.tensor_inputs", &ParallelismSpec::tensor_inputs, "again",
             "What products split by columns do with their input: it is gathered for all products "
             "of it at once, and, of sequence parallelism, once more for their weights' gradients "
             "(Megatron-LM); halves: the same, and attention and MLP side by side (model.norms 1) "
             "do so and sum their gradients each (GPT-NeoX); it is kept as it was gathered "
             "(PyTorch's DTensors; without "
             "sequence parallelism no different); or each of them "
             "(queries, keys, values, gate, up) gathers it, keeps it and sums its gradient for "
             "itself (ColwiseParallel with an input layout of its own)"),
      choice(
          "parallelism.logits", &ParallelismSpec::whole_logits, {{false, "split"}, {true, "whole"}},
          "split",
          "Of tensor ranks: each has those of its part of the vocabulary, over which the loss is "
          "summed; or they are gathered, and each has the loss of all of them"),
      flag("parallelism.sum_whole", &ParallelismSpec::sums_whole, "false",
           "With sequence parallelism: at the end of a step gradients of what every tensor rank "
           "holds whole (norms, routers, biases of products split by rows) are summed over these "
           "(Megatron-LM's finalize_model_grads); false: that is left out"),
  };
}

}  // namespace danlu
