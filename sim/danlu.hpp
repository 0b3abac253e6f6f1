// danlu as a library: what an embedding program includes.
//
//   const Scenario scenario = load_scenario("run.yaml", {"/usr/share/danlu/topologies"});
//   const Report report = simulate(scenario).report;
//   report.step.time ...        every figure, as plain numbers
//   document_of(report) ...     the same with names and units, for kWriters
//
// It prints nothing, reads no environment and ends nothing: it returns values, and throws
// InputError (the input is wrong), CannotRun (it is right, and cannot be played), std::system_error
// (no process can be made) or InternalError (a bug of danlu). Steps are played in forked processes,
// so call it where no other thread runs.
#pragma once

#include "sim/base/error.hpp"              // InputError, CannotRun, InternalError
#include "sim/base/gzip.hpp"               // Gzip
#include "sim/report/document.hpp"         // document_of, comparison_of
#include "sim/report/report.hpp"           // Report
#include "sim/report/trace.hpp"            // write_trace
#include "sim/report/writers.hpp"          // kWriters, json_of
#include "sim/scenario/load_scenario.hpp"  // load_scenario, load_scenario_text
#include "sim/session/advice.hpp"          // best_saving, memory_remedies
#include "sim/session/campaign.hpp"        // write_timeline
#include "sim/session/crosscheck.hpp"      // crosscheck
#include "sim/session/options.hpp"         // SessionOptions
#include "sim/session/planning.hpp"        // check_scenario
#include "sim/session/simulate.hpp"        // simulate
#include "sim/session/trust.hpp"           // trust_in, read_validated_runs
#include "sim/session/validate.hpp"        // read_table, validate
