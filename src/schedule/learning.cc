#include "schedule/learning.h"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "core/json_fields.h"
#include "core/json_writer.h"

namespace nearfar {
namespace {

using Json = nlohmann::json;
using Fields = JsonFields<Json>;

std::string ReadLayer(const Json& json, DenseLayer& layer) {
  Fields fields(json);
  fields.Require("inputs", layer.inputs)
      .Require("outputs", layer.outputs)
      .Require("weights", layer.weights)
      .Require("biases", layer.biases);
  return fields.error();
}

std::string WidthsOf(const DenseNetwork& network) {
  std::string widths = network.layers.empty() ? "" : std::to_string(network.layers[0].inputs);
  for (const DenseLayer& layer : network.layers) {
    widths += "-" + std::to_string(layer.outputs);
  }
  return widths;
}

bool IsSound(const DenseNetwork& network) {
  std::size_t width = network.layers.empty() ? 0 : network.layers[0].inputs;
  for (const DenseLayer& layer : network.layers) {
    const auto finite = [](float value) { return std::isfinite(value); };
    if (layer.inputs != width || layer.biases.size() != layer.outputs ||
        layer.weights.size() != layer.inputs * layer.outputs ||
        !std::all_of(layer.weights.begin(), layer.weights.end(), finite) ||
        !std::all_of(layer.biases.begin(), layer.biases.end(), finite)) {
      return false;
    }
    width = layer.outputs;
  }
  return true;
}

}  // namespace

std::string ToJsonLine(const LearnedState& state) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Field("scheduler", state.scheduler);
  json.Field("version", state.version);
  json.Field("decisions", state.decisions);
  json.Field("numbers", state.numbers);
  json.Key("networks");
  json.BeginArray();
  for (const DenseNetwork& network : state.networks) {
    json.BeginArray();
    for (const DenseLayer& layer : network.layers) {
      json.BeginObject();
      json.Field("inputs", layer.inputs);
      json.Field("outputs", layer.outputs);
      json.Field("weights", layer.weights);
      json.Field("biases", layer.biases);
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndArray();
  json.EndObject();
  return out;
}

Expected<LearnedState> LearnedStateFrom(std::string_view text, const LearnedState& like) {
  const auto wrong = [&](const std::string& what) {
    return Fail(ErrorCode::kInvalidInput, "state of scheduler " + like.scheduler + ": " + what);
  };
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) {
    return wrong("is no JSON");
  }
  LearnedState state;
  Fields fields(json);
  fields.Require("scheduler", state.scheduler)
      .Require("version", state.version)
      .Require("decisions", state.decisions)
      .Require("numbers", state.numbers)
      .Read("networks", state.networks, [](const Json& element, DenseNetwork& network) {
        return Fields::ReadArray(element, network.layers, ReadLayer);
      });
  if (!fields.ok()) {
    return wrong(fields.error());
  }
  if (state.scheduler != like.scheduler || state.version != like.version) {
    return wrong("is one of " + state.scheduler + " " + state.version + ", not of version " +
                 like.version);
  }
  const bool fine =
      state.networks.size() == like.networks.size() && state.decisions >= 0 &&
      state.numbers.size() == like.numbers.size() &&
      std::all_of(state.numbers.begin(), state.numbers.end(),
                  [](double value) { return std::isfinite(value); }) &&
      std::all_of(state.networks.begin(), state.networks.end(), IsSound);
  if (!fine) {
    return wrong("has networks or numbers that are none of this scheduler's");
  }
  for (std::size_t n = 0; n < state.networks.size(); ++n) {
    if (WidthsOf(state.networks[n]) != WidthsOf(like.networks[n])) {
      return wrong("has a network of widths " + WidthsOf(state.networks[n]) + " where " +
                   WidthsOf(like.networks[n]) + " is needed; was it another number of nodes?");
    }
  }
  return state;
}

}  // namespace nearfar
