// A step program as text, for other tools and for the eye: JSON, `danlu.step/1`. What is written is
// read back as the same value.
#pragma once

#include <string>

#include "sim/program/step_program.hpp"

namespace danlu {

std::string write_step(const StepProgram& step);

/// Throws InputError, naming `file`, where the text is no step program or refers to what it lacks.
StepProgram read_step(const std::string& text, const std::string& file);

}  // namespace danlu
