// A step program is written and read back as the same value: a property over random plans. The seed
// is printed when a case fails; DANLU_SEED=n repeats it.
#include "sim/program/step_file.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/base/error.hpp"
#include "tests/support/random_steps.hpp"

namespace danlu {
namespace {

TEST(StepFile, IsReadBackAsTheSameValue) {
  const std::uint64_t first = testing::from_environment("DANLU_SEED", 1);
  for (std::uint64_t seed = first; seed < first + 40; ++seed) {
    SCOPED_TRACE(fmt::format("DANLU_SEED={}", seed));
    const StepProgram step = make_step_program(testing::mixed_case(seed).workload);
    const std::string text = write_step(step);
    EXPECT_TRUE(read_step(text, "step.json") == step);
    EXPECT_EQ(write_step(read_step(text, "step.json")), text);
  }
}

std::string refusal(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos);
  text.replace(at, what.size(), by);
  try {
    read_step(text, "step.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return "none";
}

TEST(StepFile, RefusesWhatItDoesNotHave) {
  const std::string text = write_step(make_step_program(testing::random_case(1).workload));
  EXPECT_EQ(refusal(text, "danlu.step/1", "danlu.step/2"),
            "step.json: error: no step program: expected the schema danlu.step/1\n");
  EXPECT_EQ(refusal(text, "\"0F0\"", "\"0X0\""),
            "step.json: error: no step program: '0X0' is no action, as 0F1 is\n");
  EXPECT_EQ(refusal(text, "\"program\": 0", "\"program\": 99"),
            "step.json: error: no step program: there is no program 99\n");
  EXPECT_EQ(refusal(text, "\"kind\": \"gemm\"", "\"kind\": \"gem\""),
            "step.json: error: no step program: there is no 'gem'\n");
}

TEST(Actions, AreTextAndBack) {
  for (const char* text : {"0F0", "1B12", "0I3", "2W1"}) {
    ASSERT_TRUE(parse_action(text));
    EXPECT_EQ(parse_action(text)->text(), text);
  }
  for (const char* text : {"", "F", "0F", "F0", "0F-1", "0F1 ", "0f1"}) {
    EXPECT_FALSE(parse_action(text)) << text;
  }
}

}  // namespace
}  // namespace danlu
