#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adapters/grpc/node_server.h"
#include "adapters/image/codec.h"
#include "adapters/ort/detector.h"
#include "cli/report.h"
#include "core/json_writer.h"

namespace nearfar::cli {
namespace {

namespace fs = std::filesystem;

struct NodeFlags {
  std::vector<std::string> models;
  std::vector<std::string> settings;   // [MODEL:]KEY=VALUE
  std::vector<std::string> providers;  // NAME or MODEL=NAME
  int threads = 1;
  int callers = 2;
  double max_message_mb = 32;
  double drain_seconds = 10;
  NodeServerOptions server;
  bool noop = false;
  bool json = false;
};

/// Whether a folder is one model's package: it has a config.pbtxt or a version folder with a graph.
bool IsPackage(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / "config.pbtxt", ignored)) {
    return true;
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos &&
        fs::exists(entry.path() / "model.onnx", ignored)) {
      return true;
    }
  }
  return false;
}

/// The models that a path stands for: a file, a package, or every package of a repository, by name.
Expected<std::vector<fs::path>> ModelsAt(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored) || IsPackage(path)) {
    return std::vector<fs::path>{path};
  }
  std::vector<fs::path> packages;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, ignored)) {
    if (entry.is_directory(ignored) && IsPackage(entry.path())) {
      packages.push_back(entry.path());
    }
  }
  if (packages.empty()) {
    return Fail(
        ErrorCode::kNotFound,
        "no model in '" + path.string() +
            "': give an .onnx file, a package <model>/<version>/model.onnx, or a folder of such");
  }
  std::sort(packages.begin(), packages.end());
  return packages;
}

std::string NameAt(const fs::path& model) {
  const fs::path clean = model.has_filename() ? model : model.parent_path();
  return clean.extension() == ".onnx" ? clean.stem().string() : clean.filename().string();
}

/// The part of "[MODEL SEPARATOR]REST" that is meant for a model: REST, or nothing.
std::optional<std::string> ForModel(const std::string& flag, char separator,
                                    const std::string& model) {
  const std::string prefix = model + separator;
  if (flag.starts_with(prefix)) {
    return flag.substr(prefix.size());
  }
  // Another model's name stands before the separator, or none does.
  const std::size_t at = flag.find(separator);
  const std::size_t equals = flag.find('=');
  const bool named =
      separator == ':' ? at != std::string::npos && at < equals : at != std::string::npos;
  return named ? std::nullopt : std::optional<std::string>(flag);
}

std::optional<std::string> WireType(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "FP32";
    case ElementType::kFloat16:
      return "FP16";
    case ElementType::kFloat64:
      return "FP64";
    case ElementType::kUint8:
      return "UINT8";
    case ElementType::kInt8:
      return "INT8";
    case ElementType::kInt32:
      return "INT32";
    case ElementType::kInt64:
      return "INT64";
    case ElementType::kBool:
      return "BOOL";
    default:
      return std::nullopt;
  }
}

std::optional<std::vector<WireTensorSpec>> WireSpecs(const std::vector<TensorFacts>& tensors) {
  std::vector<WireTensorSpec> specs;
  for (const TensorFacts& tensor : tensors) {
    const auto type = WireType(tensor.type);
    if (!type) {
      return std::nullopt;
    }
    specs.push_back({tensor.name, *type, tensor.shape});
  }
  return specs;
}

/// Runs the graph on tensors as they came over the wire.
Expected<TensorAnswer> RunTensors(const ort::OrtDetector& detector,
                                  std::span<const WireTensorView> inputs) {
  const SystemClock clock;
  const std::vector<TensorFacts>& facts = detector.session().facts().inputs;
  std::vector<ort::RawTensor> raw;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    raw.push_back({inputs[i].name, facts[i].type, inputs[i].shape,
                   std::as_bytes(std::span(inputs[i].bytes))});
  }
  const TimePoint start = clock.Now();
  auto outputs = detector.session().Run(raw);
  if (!outputs) {
    return tl::unexpected(outputs.error());
  }
  TensorAnswer answer;
  answer.infer = clock.Now() - start;
  for (const ort::RawTensor& output : outputs->tensors()) {
    const auto type = WireType(output.type);
    if (!type) {
      return Fail(ErrorCode::kUnsupported, "output '" + std::string(output.name) +
                                               "' has a type that the protocol does not carry");
    }
    WireTensor tensor{
        std::string(output.name), *type, {output.shape.begin(), output.shape.end()}, {}};
    tensor.bytes.assign(reinterpret_cast<const char*>(output.bytes.data()), output.bytes.size());
    answer.outputs.push_back(std::move(tensor));
  }
  return answer;
}

Expected<ServedModel> OpenModel(const fs::path& path, const NodeFlags& flags) {
  const std::string name = NameAt(path);
  ort::DetectorOptions options;
  options.model = path;
  options.engine.intra_op_threads = flags.threads;
  for (const std::string& flag : flags.providers) {
    options.engine.provider = ForModel(flag, '=', name).value_or(options.engine.provider);
  }
  for (const std::string& flag : flags.settings) {
    if (const auto setting = ForModel(flag, ':', name)) {
      const std::size_t equals = setting->find('=');
      if (equals == std::string::npos || equals == 0) {
        return Fail(
            ErrorCode::kInvalidInput,
            "--set " + flag + ": expected [MODEL:]KEY=VALUE (see nearfar model --settings)");
      }
      options.settings[setting->substr(0, equals)] = setting->substr(equals + 1);
    }
  }
  auto opened = ort::OrtDetector::Open(options);
  if (!opened) {
    return tl::unexpected(opened.error());
  }
  const std::shared_ptr<ort::OrtDetector> detector = *std::move(opened);
  for (const std::string& assumed : detector->assumed()) {
    Say("model '" + name + "': assumed: " + assumed);
  }
  ServedModel model;
  const ModelPackage& package = detector->model().package();
  model.name = package.name.empty() ? name : package.name;
  model.version = package.version.empty() ? "1" : package.version;
  model.callers = flags.callers;
  model.detector = detector;
  auto inputs = WireSpecs(detector->session().facts().inputs);
  auto outputs = WireSpecs(detector->session().facts().outputs);
  if (inputs && outputs) {
    model.inputs = *std::move(inputs);
    model.outputs = *std::move(outputs);
    model.execute = [detector](std::span<const WireTensorView> given) {
      return RunTensors(*detector, given);
    };
  }
  return model;
}

void PrintReady(const NodeServer& node, const std::vector<std::string>& names, bool json) {
  if (json) {
    std::string text;
    JsonWriter writer(text);
    writer.BeginObject();
    writer.Field("address", node.address());
    writer.Field("port", node.port());
    writer.Field("models", names);
    writer.EndObject();
    std::cout << text << std::endl;
    return;
  }
  std::string line = "ready at " + node.address() + ", serving";
  for (const std::string& name : names) {
    line += (name == names.front() ? " " : ", ") + name;
  }
  std::cout << line << std::endl;
}

void PrintCounts(const std::vector<ServedModelCounts>& all, bool json) {
  std::string text;
  if (json) {
    JsonWriter writer(text);
    writer.BeginObject();
    writer.Key("models");
    writer.BeginArray();
    for (const ServedModelCounts& counts : all) {
      writer.BeginObject();
      writer.Field("name", counts.name);
      writer.Field("answered", static_cast<std::int64_t>(counts.answered));
      writer.Field("failed", static_cast<std::int64_t>(counts.failed));
      writer.Field("refused", static_cast<std::int64_t>(counts.refused));
      writer.Field("expired", static_cast<std::int64_t>(counts.expired));
      writer.Field("images", static_cast<std::int64_t>(counts.images));
      writer.Field("queued_ms", ToMilliseconds(counts.queued));
      writer.Field("computed_ms", ToMilliseconds(counts.computed));
      writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
    std::cout << text << std::endl;
    return;
  }
  for (const ServedModelCounts& counts : all) {
    char times[96];
    std::snprintf(times, sizeof times, ", %.1f s queued, %.1f s computed in all",
                  ToMilliseconds(counts.queued) / 1000, ToMilliseconds(counts.computed) / 1000);
    text += counts.name + ": " + std::to_string(counts.answered) + " answered (" +
            std::to_string(counts.images) + " images), " + std::to_string(counts.failed) +
            " failed, " + std::to_string(counts.refused) + " refused, " +
            std::to_string(counts.expired) + " expired" + times + "\n";
  }
  std::cout << text << std::flush;
}

int RunNode(const NodeFlags& flags) {
  NodeServerOptions options = flags.server;
  options.max_message_bytes = static_cast<std::int64_t>(flags.max_message_mb * (1 << 20));
  options.drain = FromMilliseconds(1000 * flags.drain_seconds);
  if (const auto valid = Validate(options); !valid) {
    Say(valid.error().message);
    return kUsage;
  }
  if (flags.models.empty() && !flags.noop) {
    Say("which models? nearfar node --models MODEL [MODEL ...]");
    return kUsage;
  }
  WatchForInterrupt();
  std::vector<ServedModel> models;
  std::vector<std::string> names;
  for (const std::string& path : flags.models) {
    const auto found = ModelsAt(path);
    if (!found) {
      return Stop(found.error());
    }
    for (const fs::path& at : *found) {
      auto model = OpenModel(at, flags);
      if (!model) {
        return Stop(model.error());
      }
      names.push_back(model->name);
      models.push_back(*std::move(model));
    }
  }
  if (flags.noop) {
    models.push_back(MakeNoOpModel("noop"));
    names.push_back("noop");
  }
  const ImageLimits limits{.max_pixels = options.max_pixels,
                           .max_bytes = options.max_message_bytes};
  const auto decode = [limits](std::span<const std::uint8_t> bytes) -> Expected<Image> {
    if (!IsJpegOrPng(bytes)) {
      return Fail(ErrorCode::kInvalidInput, "neither JPEG nor PNG");
    }
    return DecodeImage(bytes, limits);
  };
  const SystemClock clock;
  auto node = NodeServer::Start(std::move(models), decode, options, clock);
  if (!node) {
    return Stop(node.error());
  }
  PrintReady(**node, names, flags.json);
  while (!Interrupted()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  Say("stopping: finishing what is in hand");
  (*node)->Stop();
  PrintCounts((*node)->counts(), flags.json);
  return kDone;
}

}  // namespace

std::function<int()> SetUpNode(CLI::App& app) {
  auto flags = std::make_shared<NodeFlags>();  // outlives this call: the parser fills it later
  NodeServerOptions& server = flags->server;
  app.add_option(
         "--models,models", flags->models,
         "an .onnx file, a package's folder, or a folder of packages; several are served side "
         "by side")
      ->type_name("MODEL");
  app.add_option("--address", server.address, "name or address of this machine to listen at")
      ->capture_default_str();
  app.add_option("--port", server.port, "port; 0 picks a free one")->capture_default_str();
  app.add_option("--threads", flags->threads, "engine threads of one call")->capture_default_str();
  app.add_option("--callers", flags->callers, "calls of a model that run at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  app.add_option("--provider", flags->providers,
                 "execution provider, for all models or one: NAME or MODEL=NAME (default cpu)")
      ->type_name("[MODEL=]NAME")
      ->allow_extra_args(false);
  app.add_option("--set", flags->settings, "setting over config.pbtxt, for all models or one")
      ->type_name("[MODEL:]KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--queue", server.queue_length,
                 "requests that may wait for a model; more are refused")
      ->capture_default_str();
  app.add_option("--max-message-mb", flags->max_message_mb, "largest request, in 2^20 bytes")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 2047.0));
  app.add_option("--max-pixels", server.max_pixels, "largest picture, in pixels")
      ->capture_default_str();
  app.add_option("--max-images", server.max_images, "most pictures in one request")
      ->capture_default_str();
  app.add_option("--drain", flags->drain_seconds,
                 "seconds that waiting requests are given when the node is stopped")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  app.add_flag("--noop", flags->noop,
               "also serve 'noop', a model that looks at nothing, for measuring");
  app.add_flag("--json", flags->json, "the lines on stdout as JSON");
  return [flags] { return RunNode(*flags); };
}

}  // namespace nearfar::cli
