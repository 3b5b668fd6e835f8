#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/expected.h"
#include "core/link_model.h"
#include "pipeline/planner.h"
#include "sim/box_source.h"
#include "sim/node_model.h"
#include "trace/json_lines.h"

namespace nearfar {

/// A node of a simulation: a machine, its model, and the way to it.
struct SimulatedNode {
  LinkId link{};               ///< kNear: the device itself, without a network
  std::string name;
  NodeModel model;
  std::size_t detector = 0;    ///< which model of the box source it runs
  LinkModel network;
  double bytes_per_px = 0.15;  ///< of an upload; >= 0. Raw pixels have 3
  std::int64_t bytes_down = 2000;  ///< of an answer; >= 0

  friend bool operator==(const SimulatedNode&, const SimulatedNode&) = default;
};

struct SimulationOptions {
  double fps = 0;            ///< of the camera; 0: the next frame comes as soon as there is room
  int window = 2;            ///< frames in flight; >= 1. A camera's frame waits for room: none is lost
  std::vector<HostModel> hosts;  ///< machines that nodes share
  Duration patience = std::chrono::seconds(2);  ///< as FrameLoopOptions::patience; >= 0
  std::size_t frames = 0;    ///< of the source's; 0: all. More than it has: it begins again
  Duration training{};       ///< how long a training aside takes; >= 0
  std::uint64_t seed = 1;    ///< of the nodes' chance
  std::string config;        ///< noted in the trace

  friend bool operator==(const SimulationOptions&, const SimulationOptions&) = default;
};

/// Errors: kInvalidInput, naming the field.
Expected<void> Validate(const SimulationOptions& options, std::span<const SimulatedNode> nodes);

/// What a simulation knows beyond a live run.
struct SimulatedFrame {
  std::size_t source_frame = 0;
  TimePoint arrived;
  TimePoint emitted;
  std::vector<double> speeds;  ///< by node: factor of its model's speed as the frame came; 0: dead

  friend bool operator==(const SimulatedFrame&, const SimulatedFrame&) = default;
};

struct Simulated {
  Trace trace;                          ///< what a live run would have written
  std::vector<SimulatedFrame> frames;   ///< by frame
  Duration planner_time{};              ///< real time inside Planner::Step, trainings left out
  Duration training_time{};             ///< real time of trainings aside
  std::vector<Duration> step_times;     ///< by frame: real time of all steps that its events took
};

/// Drives a planner with modelled nodes and links instead of pixels and machines: the other driver
/// beside live/run_stream.h. Deterministic: the same arguments give the same trace.
/// @param clock  measures the planner's real time, of which no decision hears.
/// REQUIRES: Validate(options, nodes); a box source with at least one frame.
Simulated Simulate(Planner& planner, const BoxSource& boxes, std::span<const SimulatedNode> nodes,
                   const SimulationOptions& options, const Clock& clock);

}  // namespace nearfar
