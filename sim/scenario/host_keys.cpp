#include "sim/scenario/key_rows.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

using namespace rows;

std::vector<KeyRow> host_keys() {
  return {
      text("training.framework", &TrainingSpec::framework, "",
           "What the framework does by itself, of [these](frameworks.md); other keys override it. "
           "Left out: kernels fused where they can be, and a CPU that is never late"),
      duration("host.launch", &HostSpec::launch, "0 s",
               "What the CPU of a rank needs from one kernel's launch to the next, the framework's "
               "own work included; 0: it is never late"),
      duration("host.launch_again", &HostSpec::launch_again, "",
               "The same of what is computed again, where the framework has more to do for it "
               "(hooks of PyTorch's checkpoint); as host.launch if left out"),
      duration("host.operator", &HostSpec::operators, "",
               "The same of each further kernel of what single operators do in several "
               "(training.unfused, training.loss), which takes less than a product or a module of "
               "its own does; as host.launch if left out"),
      duration("host.exchange", &HostSpec::exchange, "0 s",
               "The same of a collective or copy within a pass"),
      duration("host.unit", &HostSpec::unit, "0 s",
               "The same where a unit of split weights is gathered, or gradients are reduced, in a "
               "pass: the hooks of FSDP and ZeRO-3"),
      duration("host.expert", &HostSpec::expert, "0 s",
               "The same of each further expert that a rank holds, where the products of experts "
               "are launched one by one (TransformerEngine's GroupedLinear on cuBLAS)"),
      duration("host.cast", &HostSpec::cast, "0 s",
               "The same of each further expert whose rows are quantised before a product below 16 "
               "bits, where that is launched one by one, too"),
      duration("host.node", &HostSpec::node, "0 s",
               "Further, of each of the parts that a layer with experts is launched in where two "
               "passes run side by side (parallelism.overlap.pair, DualPipe): before its tokens "
               "travel, their way, experts, the way back"),
      duration(
          "host.piece", &HostSpec::piece, "0 s",
          "The same of one rank's part of one tensor, where updated parameters that ranks have "
          "gathered (parallelism.zero 1 and 2) are copied to their places tensor by tensor, or "
          "broadcast tensor by tensor through all ranks (InternEvo)"),
      choice(
          "host.graphs", &HostSpec::graphs, "none",
          "What is launched at once as a CUDA graph: nothing; each layer, of one with experts "
          "what lies before its tokens travel and behind their way back; whole passes; of layers "
          "with experts their routers and what is prepared before tokens travel"),
      choice("host.waits", &HostSpec::waits, "step",
             "Whether the CPU runs ahead of the GPU through the whole step, or waits for it after "
             "each pass, or (send) after each one of a pipeline that does not hide what its stages "
             "send (parallelism.overlap.pipeline)"),
      flag("host.reads_counts", &HostSpec::reads_counts, "false",
           "The CPU waits for the GPU before tokens travel to their experts, to know how many "
           "will come (Megatron-LM's all-to-all without padding to a capacity), and with "
           "parallelism.expert_exchange deepep until they have come (HybridEP)"),
  };
}

}  // namespace danlu
