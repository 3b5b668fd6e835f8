#include "flow/network_filter.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/json_fields.h"
#include "core/json_writer.h"
#include "core/rng.h"
#include "flow/comp.h"

namespace nearfar {
namespace {

constexpr std::size_t kMostInFlight = 64;
constexpr double kOldest = 10;  // frames: an age above it is that

/// Trains aside. What it learns is handed back by Adopt.
class NetworkTraining final : public FlowTraining {
 public:
  NetworkTraining(std::vector<FlowExample> examples, const FlowTrainingOptions& options)
      : examples_(std::move(examples)), options_(options) {}
  void Run() override {
    if (auto trained = TrainFlowNetwork(std::move(examples_), options_)) {
      trained_ = *std::move(trained);
    }
  }
  std::optional<TrainedFlowNetwork>& trained() { return trained_; }

 private:
  std::vector<FlowExample> examples_;
  FlowTrainingOptions options_;
  std::optional<TrainedFlowNetwork> trained_;
};

}  // namespace

void FlowHistory::Reset(const TileGrid& grid) {
  grid_ = grid;
  seen_.clear();
  tracker_.Reset(grid);
  forecast_people_.assign(static_cast<std::size_t>(grid.cells()), 0);
}

void FlowHistory::Observe(FrameId frame, TimePoint captured, const CountGrid& counts,
                          const Detections& people) {
  seen_.push_front({ToNumber(frame), counts});
  if (seen_.size() > FlowInput::kFrames) {
    seen_.pop_back();
  }
  if (forecast_) {
    tracker_.Observe(std::chrono::duration<double>(captured.time_since_epoch()).count(),
                     counts.known, people);
  }
}

FlowInput FlowHistory::InputOf(FrameId frame, TimePoint captured) {
  FlowInput input{grid_.columns, grid_.rows, {}, {}};
  const std::size_t cells = input.cells();
  input.trend.assign(FlowInput::kTrendPlanes * cells, 0);
  input.closeness.assign(FlowInput::kClosenessPlanes * cells, 0);
  const auto fill = [&](const CountGrid& counts, float* plane) {
    for (std::size_t c = 0; c < cells; ++c) {
      plane[c] = std::log1p(counts.counts[c]);
      plane[cells + c] = counts.known[c] ? 1 : 0;
    }
  };
  for (std::size_t f = 0; f < seen_.size(); ++f) {
    fill(seen_[f].counts, input.trend.data() + 2 * f * cells);
  }
  double age = kOldest;
  if (!seen_.empty()) {
    fill(seen_.front().counts, input.closeness.data());
    // Near in time, whether there is anybody says more than how many.
    std::for_each(input.closeness.begin(),
                  input.closeness.begin() + static_cast<std::ptrdiff_t>(cells),
                  [](float& people) { people = std::min(people / std::log(2.0F), 1.0F); });
    age = std::min(age,
                   static_cast<double>(ToNumber(frame)) - static_cast<double>(seen_.front().frame));
  }
  const auto age_plane = static_cast<float>(age / kOldest);
  std::fill_n(input.trend.end() - static_cast<std::ptrdiff_t>(cells), cells, age_plane);
  std::fill_n(input.closeness.begin() + static_cast<std::ptrdiff_t>(2 * cells), cells, age_plane);
  if (forecast_) {
    std::fill(forecast_people_.begin(), forecast_people_.end(), 0.0);
    tracker_.Forecast(std::chrono::duration<double>(captured.time_since_epoch()).count(),
                      forecast_people_);
    std::transform(forecast_people_.begin(), forecast_people_.end(),
                   input.closeness.begin() + static_cast<std::ptrdiff_t>(3 * cells),
                   [](double people) { return static_cast<float>(std::min(people, 2.0)); });
  }
  return input;
}

NetworkFilter::NetworkFilter(const NetworkFilterOptions& options)
    : options_(options), history_(options.forecast), next_training_(options.first_examples) {}

void NetworkFilter::SetGrid(const TileGrid& grid) {
  if (grid == grid_) {
    return;
  }
  grid_ = grid;
  history_.Reset(grid);
  planned_.clear();
  examples_.clear();
  seen_examples_ = 0;
  next_training_ = options_.first_examples;
  network_.reset();
  trained_.reset();
  crowds_.assign(static_cast<std::size_t>(grid.cells()), 0);
  last_look_.assign(crowds_.size(), 0);
}

void NetworkFilter::Use(ResidualNetwork network, double threshold) {
  network_ = std::move(network);
  threshold_ = threshold;
}

LookPlan NetworkFilter::Plan(FrameId frame, TimePoint captured) {
  Planned planned{frame, true, history_.InputOf(frame, captured)};
  LookPlan plan{.cells = std::vector<Look>(crowds_.size(), Look::kKeep)};
  if (!network_) {
    plan.reason = "learning: " + std::to_string(seen_examples_) + " frames";
  } else {
    Forward(*network_, planned.input, pass_);
    const auto least = static_cast<float>(std::log(threshold_ / (1 - threshold_)));
    for (std::size_t c = 0; c < plan.cells.size(); ++c) {
      const bool old =
          ToNumber(frame) + 1 >= last_look_[c] + static_cast<std::uint64_t>(options_.max_age);
      plan.cells[c] = pass_.logits[c] >= least ? Look::kKeep : (old ? Look::kProbe : Look::kSkip);
    }
    planned.whole =
        Rng(MixBits(options_.seed) ^ ToNumber(frame)).Uniform() < options_.full_look_share;
    if (planned.whole) {
      plan.full_look = true;
      plan.would = plan.cells;
      plan.reason = "drawn to be looked at whole";
      std::replace(plan.cells.begin(), plan.cells.end(), Look::kSkip, Look::kProbe);
    }
  }
  planned_.push_back(std::move(planned));
  if (planned_.size() > kMostInFlight) {
    planned_.pop_front();
  }
  return plan;
}

void NetworkFilter::Observe(const LookResult& result) {
  if (!Fits(result, grid_)) {
    return;
  }
  const CountGrid counts = CountPeople(grid_, result.looked, result.people);
  UpdateCrowds(counts, crowds_);
  for (std::size_t c = 0; c < crowds_.size(); ++c) {
    if (counts.known[c]) {
      last_look_[c] = std::max(last_look_[c], ToNumber(result.frame) + 1);
    }
  }
  while (!planned_.empty() && ToNumber(planned_.front().frame) < ToNumber(result.frame)) {
    planned_.pop_front();
  }
  if (!planned_.empty() && planned_.front().frame == result.frame) {
    const bool answered =
        std::find(counts.known.begin(), counts.known.end(), true) != counts.known.end();
    if (planned_.front().whole && answered) {
      examples_.push_back({std::move(planned_.front().input), counts.counts, counts.known});
      ++seen_examples_;
      if (examples_.size() > options_.most_examples) {
        examples_.pop_front();
      }
    }
    planned_.pop_front();
  }
  history_.Observe(result.frame, result.captured, counts, result.people);
}

std::shared_ptr<FlowTraining> NetworkFilter::TakeTraining() {
  if (training_out_ || seen_examples_ < next_training_) {
    return nullptr;
  }
  training_out_ = true;
  next_training_ = 2 * seen_examples_;
  return std::make_shared<NetworkTraining>(
      std::vector<FlowExample>(examples_.begin(), examples_.end()), options_.training);
}

void NetworkFilter::Adopt(FlowTraining& training) {
  training_out_ = false;
  auto* const own = dynamic_cast<NetworkTraining*>(&training);
  assert(own != nullptr);
  if (own->trained()) {
    trained_ = std::move(own->trained());
    Use(trained_->network, trained_->threshold);
  }
}

std::string NetworkFilter::SaveState() const {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Field("filter", name());
  json.Field("version", version());
  json.Field("frame", grid_.frame);
  json.Field("tile", grid_.tile);
  json.Field("threshold", threshold_);
  json.Key("network");
  json.BeginArray();
  if (network_) {
    ResidualNetwork copy = *network_;
    for (const NumberList& list : ListsOf(copy)) {
      json.Value(*list.numbers);
    }
  }
  json.EndArray();
  json.EndObject();
  return text;
}

Expected<void> NetworkFilter::LoadState(std::string_view state) {
  using Json = nlohmann::json;
  const auto fail = [](const std::string& what) {
    return Fail(ErrorCode::kInvalidInput,
                "the state of flow filter flow-net" + what + "; remove it to learn anew");
  };
  const Json json = Json::parse(state, nullptr, false);
  if (json.is_discarded()) {
    return fail(" is no JSON");
  }
  std::string filter, version;
  Size frame, tile;
  double threshold = 0.5;
  std::vector<std::vector<float>> lists;
  JsonFields<Json> fields(json);
  fields.Require("filter", filter).Require("version", version);
  if (fields.ok() && (filter != name() || version != this->version())) {
    return fail(" is one of filter " + filter + " version " + version +
                ", not of flow-net version 1");
  }
  fields.Require("frame", frame).Require("tile", tile).Require("threshold", threshold);
  fields.Require("network", lists);
  if (!fields.ok()) {
    return fail(fields.error());
  }
  if (frame != grid_.frame || tile != grid_.tile) {
    const auto text = [](Size size) {
      return std::to_string(size.width) + "x" + std::to_string(size.height);
    };
    return fail(" is of a " + text(frame) + " frame in " + text(tile) + " tiles, but this one is " +
                text(grid_.frame) + " in " + text(grid_.tile));
  }
  if (lists.empty()) {
    return {};
  }
  ResidualNetwork network = MakeResidualNetwork(options_.training.channels, 1);
  const std::vector<NumberList> wanted = ListsOf(network);
  bool fits = lists.size() == wanted.size() && threshold > 0 && threshold < 1;
  for (std::size_t i = 0; fits && i < lists.size(); ++i) {
    fits = lists[i].size() == wanted[i].numbers->size() &&
           std::all_of(lists[i].begin(), lists[i].end(), [](float n) { return std::isfinite(n); });
  }
  if (!fits) {
    return fail(" holds no network of " + std::to_string(options_.training.channels) + " channels");
  }
  for (std::size_t i = 0; i < lists.size(); ++i) {
    *wanted[i].numbers = std::move(lists[i]);
  }
  Use(std::move(network), threshold);
  return {};
}

}  // namespace nearfar
