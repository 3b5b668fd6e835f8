#include "train/flow_training.h"

#include <cassert>
#include <limits>
#include <utility>

namespace nearfar {

std::vector<FlowExample> FlowExamplesOf(const FlowScene& scene, int lag, bool forecast) {
  assert(lag >= 1);
  const std::vector<bool> whole(static_cast<std::size_t>(scene.grid.cells()), true);
  FlowHistory history(forecast);
  history.Reset(scene.grid);
  std::vector<FlowExample> examples;
  std::vector<Detections> people;
  for (std::size_t t = 0; t < scene.frames.size(); ++t) {
    people.emplace_back();
    for (const Box& box : scene.frames[t].people) {
      people.back().push_back({.box = box, .score = 1});
    }
    if (t >= static_cast<std::size_t>(lag)) {
      const std::size_t then = t - static_cast<std::size_t>(lag);
      history.Observe(FrameId{then}, scene.frames[then].captured,
                      CountPeople(scene.grid, whole, people[then]), people[then]);
    }
    examples.push_back({history.InputOf(FrameId{t}, scene.frames[t].captured),
                        CountPeople(scene.grid, whole, people[t]).counts, whole});
  }
  return examples;
}

Expected<TrainedFlowNetwork> TrainOnScenes(const std::vector<FlowScene>& scenes, int lag,
                                           std::size_t most, bool forecast,
                                           const FlowTrainingOptions& options) {
  assert(most > 0);
  std::vector<std::vector<FlowExample>> sequences;
  for (const FlowScene& scene : scenes) {
    std::vector<FlowExample> all = FlowExamplesOf(scene, lag, forecast);
    const std::size_t step = (all.size() + most - 1) / most;
    std::vector<FlowExample> taken;
    for (std::size_t i = 0; i < all.size(); i += step) {
      taken.push_back(std::move(all[i]));
    }
    sequences.push_back(std::move(taken));
  }
  return TrainFlowNetwork(sequences, options);
}

NetworkFilter BinaryMapFilter(const TrainedFlowNetwork& trained, const TileGrid& grid,
                              bool forecast) {
  NetworkFilter filter({.full_look_share = 0,
                        .max_age = std::numeric_limits<int>::max(),
                        .forecast = forecast});
  filter.SetGrid(grid);
  filter.Use(trained.network, 0.5);
  return filter;
}

}  // namespace nearfar
