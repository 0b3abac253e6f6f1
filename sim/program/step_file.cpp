#include "sim/program/step_file.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;

// ---- writing

Json axes_json(AxisSet axes) {
  Json names = Json::array();
  for (const auto& [axis, name] : kNames<Axis>) {
    if (axes.contains(axis)) {
      names.push_back(name);
    }
  }
  return names;
}

Json kernel_json(const Kernel& kernel) {
  Json json{{"kind", name_of(kernel.kind)},
            {"flops", kernel.flops.value},
            {"model_flops", kernel.model_flops.value},
            {"bytes", kernel.bytes.value}};
  if (kernel.kind == KernelKind::Gemm) {
    json.update({{"m", kernel.m},
                 {"n", kernel.n},
                 {"k", kernel.k},
                 {"batch", kernel.batch},
                 {"operand", kernel.operand},
                 {"aligned", kernel.aligned},
                 {"width", name_of(kernel.width)}});
  } else if (kernel.kind == KernelKind::Memory) {
    json["pass"] = name_of(kernel.pass);
  } else {
    json.update({{"attention", name_of(kernel.attention)},
                 {"queries", kernel.m},
                 {"keys", kernel.n},
                 {"most_keys", kernel.most},
                 {"head_dim", kernel.k},
                 {"heads", kernel.batch}});
  }
  json["launches"] = kernel.launches;
  json["products"] = kernel.products;
  json["apart"] = kernel.apart.value;
  json["accumulates"] = kernel.accumulates;
  for (const Kernel& fullest : kernel.fullest) {
    json["fullest"].push_back(kernel_json(fullest));
  }
  return json;
}

Json segment_json(const Segment& segment) {
  Json json{{"name", segment.name}};
  if (segment.is_compute) {
    for (const Kernel& kernel : segment.kernels) {
      json["kernels"].push_back(kernel_json(kernel));
    }
    json["again"] = segment.again;
  } else {
    if (segment.span != Span::All) {
      json["span"] = name_of(segment.span);
    }
    json.update({{"axes", axes_json(segment.axes)},
                 {"op", name_of(segment.demand.op)},
                 {"bytes", segment.demand.bytes.value}});
    if (const std::optional<ExpertRouting>& routing = segment.demand.routing) {
      json["routing"] = {{"experts", routing->experts},
                         {"per_token", routing->per_token},
                         {"most_nodes", routing->most_nodes}};
      if (routing->nodes != NodeChoice::Best) {
        json["routing"]["nodes"] = name_of(routing->nodes);
      }
    }
  }
  json["after"] = segment.after;
  if (segment.needs_counts) {
    json["needs_counts"] = true;
  }
  if (segment.beside) {
    json["beside"] = true;
  }
  if (segment.layer > 0) {
    json["layer"] = segment.layer;
  }
  if (segment.routes) {
    json["routes"] = true;
  }
  return json;
}

Json program_json(const Program& program) {
  Json segments = Json::array();
  for (const Segment& segment : program.segments) {
    segments.push_back(segment_json(segment));
  }
  return {{"segments", std::move(segments)}, {"layer_ends", program.layer_ends}};
}

Json end_json(const EndStep& end) {
  Json json{{"name", end.name}, {"bytes", end.bytes.value}};
  if (end.on_host > 0) {
    json["on_host"] = end.on_host;
  }
  if (end.launched > Seconds{}) {
    json["launched"] = end.launched.value;
  }
  if (end.sort) {
    json.update({{"axes", axes_json(end.sort->axes)},
                 {"span", name_of(end.sort->span)},
                 {"op", name_of(end.op)}});
  }
  for (const auto& [kernel, times] : end.products) {
    Json product = kernel_json(kernel);
    product["times"] = times;
    json["products"].push_back(std::move(product));
  }
  if (end.layer) {
    json.update({{"pass", index(end.layer->pass)}, {"layer", end.layer->layer}});
  }
  if (end.ahead_of) {
    json["ahead_of"] = index(*end.ahead_of);
  }
  json["after"] = Json::array();
  for (const EndId before : end.after) {
    json["after"].push_back(index(before));
  }
  return json;
}

Json stage_json(const StageProgram& stage) {
  Json json{{"passes", Json::array()}, {"sends", Json::array()}, {"ends", Json::array()}};
  for (const StagePass& pass : stage.passes) {
    Json& made = json["passes"].emplace_back(Json{{"action", pass.action.text()}});
    if (pass.beside) {
      made["beside"] = pass.beside->text();
    }
    made.update({{"program", index(pass.program)}, {"cut_at_layers", pass.cut_at_layers}});
  }
  for (const Send& send : stage.sends) {
    json["sends"].push_back(
        {{"pass", index(send.pass)}, {"next", send.next}, {"taken", index(send.taken)}});
    if (send.beside) {
      json["sends"].back()["beside"] = true;
    }
    if (send.arrays > 1) {
      json["sends"].back()["arrays"] = send.arrays;
    }
  }
  for (const EndStep& end : stage.ends) {
    json["ends"].push_back(end_json(end));
  }
  return json;
}

// ---- reading

[[noreturn]] void refuse(const std::string& what) {
  throw std::runtime_error(what);
}

template <typename Enum>
Enum enum_of(const Json& json) {
  const std::string name = json.get<std::string>();
  const std::optional<Enum> found = value_named<Enum>(name);
  if (!found) {
    refuse(fmt::format("there is no '{}'", name));
  }
  return *found;
}

AxisSet axes_of(const Json& json) {
  AxisSet axes;
  for (const Json& name : json) {
    axes = axes.with(enum_of<Axis>(name));
  }
  return axes;
}

/// A number that something else has: below `end`.
std::size_t number_below(const Json& json, std::size_t end, const char* what) {
  const std::size_t number = json.get<std::size_t>();
  if (number >= end) {
    refuse(fmt::format("there is no {} {}", what, number));
  }
  return number;
}

std::vector<std::size_t> earlier_of(const Json& json, std::size_t number) {
  std::vector<std::size_t> after;
  for (const Json& before : json.at("after")) {
    after.push_back(number_below(before, number, "earlier one with number"));
  }
  return after;
}

Kernel kernel_of(const Json& json) {
  Kernel kernel{.kind = enum_of<KernelKind>(json.at("kind")),
                .flops = {json.at("flops").get<double>()},
                .model_flops = {json.at("model_flops").get<double>()},
                .bytes = {json.at("bytes").get<double>()}};
  if (kernel.kind == KernelKind::Gemm) {
    kernel.m = json.at("m").get<double>();
    kernel.n = json.at("n").get<double>();
    kernel.k = json.at("k").get<double>();
    kernel.batch = json.at("batch").get<double>();
    kernel.operand = json.value("operand", 0.0);
    kernel.aligned = json.value("aligned", true);
    if (json.contains("width")) {
      kernel.width = enum_of<KernelWidth>(json.at("width"));
    } else if (json.value("narrow", false)) {  // files of before December 2026
      kernel.width = KernelWidth::Narrow;
    }
  } else if (kernel.kind == KernelKind::Memory) {
    if (json.contains("pass")) {
      kernel.pass = enum_of<PassKind>(json.at("pass"));
    }
  } else {
    kernel.attention = enum_of<AttentionKind>(json.at("attention"));
    kernel.m = json.at("queries").get<double>();
    kernel.n = json.at("keys").get<double>();
    kernel.most = json.at("most_keys").get<double>();
    kernel.k = json.at("head_dim").get<double>();
    kernel.batch = json.at("heads").get<double>();
  }
  kernel.launches = json.value("launches", 1);
  kernel.products = json.value("products", 1.0);
  kernel.apart = Bytes{json.value("apart", 0.0)};
  kernel.accumulates = json.value("accumulates", false);
  for (const Json& fullest : json.value("fullest", Json::array())) {
    kernel.fullest.push_back(kernel_of(fullest));
  }
  return kernel;
}

Segment segment_of(const Json& json, std::size_t number) {
  Segment segment{.name = json.at("name").get<std::string>(),
                  .is_compute = !json.contains("op"),
                  .after = earlier_of(json, number),
                  .needs_counts = json.value("needs_counts", false),
                  .beside = json.value("beside", false),
                  .layer = json.value("layer", 0),
                  .routes = json.value("routes", false)};
  if (segment.is_compute) {
    for (const Json& kernel : json.at("kernels")) {
      segment.kernels.push_back(kernel_of(kernel));
    }
    segment.again = json.at("again").get<bool>();
  } else {
    segment.axes = axes_of(json.at("axes"));
    segment.span = json.contains("span") ? enum_of<Span>(json.at("span")) : Span::All;
    segment.demand = {enum_of<CollectiveOp>(json.at("op")), {json.at("bytes").get<double>()}};
    if (json.contains("routing")) {
      const Json& routing = json.at("routing");
      segment.demand.routing = {
          routing.at("experts").get<int>(), routing.at("per_token").get<int>(),
          routing.at("most_nodes").get<int>(),
          routing.contains("nodes") ? enum_of<NodeChoice>(routing.at("nodes")) : NodeChoice::Best};
    }
  }
  return segment;
}

Program program_of(const Json& json) {
  Program program;
  for (const Json& segment : json.at("segments")) {
    program.segments.push_back(segment_of(segment, program.segments.size()));
  }
  for (const Json& end : json.at("layer_ends")) {
    program.layer_ends.push_back(number_below(end, program.segments.size() + 1, "segment"));
  }
  return program;
}

EndStep end_of(const Json& json, const StageProgram& stage) {
  EndStep end{.name = json.at("name").get<std::string>(),
              .bytes = {json.at("bytes").get<double>()},
              .on_host = json.value("on_host", 0.0),
              .launched = Seconds{json.value("launched", 0.0)}};
  for (const std::size_t before : earlier_of(json, stage.ends.size())) {
    end.after.push_back(make_id<EndId>(before));
  }
  if (json.contains("op")) {
    end.sort = {axes_of(json.at("axes")), enum_of<Span>(json.at("span"))};
    end.op = enum_of<CollectiveOp>(json.at("op"));
  }
  if (json.contains("products")) {
    for (const Json& product : json.at("products")) {
      end.products.push_back({kernel_of(product), product.at("times").get<double>()});
    }
  }
  if (json.contains("ahead_of")) {
    end.ahead_of =
        make_id<PassId>(number_below(json.at("ahead_of"), stage.passes.size(), "ahead_of"));
  }
  if (json.contains("pass")) {
    end.layer = {make_id<PassId>(number_below(json.at("pass"), stage.passes.size(), "pass")),
                 json.at("layer").get<std::size_t>()};
  }
  return end;
}

Action action_of(const Json& json) {
  const std::string text = json.get<std::string>();
  const std::optional<Action> action = parse_action(text);
  if (!action) {
    refuse(fmt::format("'{}' is no action, as 0F1 is", text));
  }
  return *action;
}

StageProgram stage_of(const Json& json, std::size_t programs) {
  StageProgram stage;
  for (const Json& pass : json.at("passes")) {
    stage.passes.push_back({});
    StagePass& made = stage.passes.back();
    made.action = action_of(pass.at("action"));
    if (pass.contains("beside")) {
      made.beside = action_of(pass.at("beside"));
      made.action.with_next = true;
    }
    made.program = make_id<ProgramId>(number_below(pass.at("program"), programs, "program"));
    made.cut_at_layers = pass.at("cut_at_layers").get<bool>();
  }
  for (const Json& send : json.at("sends")) {
    stage.sends.push_back(
        {make_id<PassId>(number_below(send.at("pass"), stage.passes.size(), "pass")),
         send.value("beside", false), send.at("next").get<bool>(),
         make_id<PassId>(send.at("taken").get<std::size_t>()), send.value("arrays", 1.0)});
  }
  for (const Json& end : json.at("ends")) {
    stage.ends.push_back(end_of(end, stage));
  }
  return stage;
}

StepProgram step_of(const Json& json) {
  if (json.at("schema") != "danlu.step/1") {
    refuse("expected the schema danlu.step/1");
  }
  StepProgram step{.sent = {json.at("sent_bytes").get<double>()}};
  for (const Json& program : json.at("programs")) {
    step.programs.push_back(program_of(program));
  }
  for (const Json& stage : json.at("stages")) {
    step.stages.push_back(stage_of(stage, step.programs.size()));
  }
  return step;
}

}  // namespace

std::string write_step(const StepProgram& step) {
  Json json{{"schema", "danlu.step/1"},
            {"sent_bytes", step.sent.value},
            {"programs", Json::array()},
            {"stages", Json::array()}};
  for (const Program& program : step.programs) {
    json["programs"].push_back(program_json(program));
  }
  for (const StageProgram& stage : step.stages) {
    json["stages"].push_back(stage_json(stage));
  }
  return json.dump(1) + "\n";
}

StepProgram read_step(const std::string& text, const std::string& file) {
  try {
    return step_of(Json::parse(text));
  } catch (const std::exception& error) {
    throw InputError(
        Problem{{file, 0, 0}, fmt::format("no step program: {}", error.what()), "", ""});
  }
}

}  // namespace danlu
