#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/ort/detector.h"
#include "adapters/ort/graph_cost.h"
#include "cli/flag_values.h"
#include "cli/report.h"
#include "core/json_writer.h"
#include "core/labels.h"
#include "models/repository.h"

namespace nearfar::cli {
namespace {

struct ModelFlags {
  std::vector<std::string> models;
  std::vector<std::string> settings;         // KEY=VALUE for the first model
  std::vector<std::string> second_settings;  // for the second
  std::string provider = "cpu";
  std::string write_to;
  bool json = false;
  bool synonyms = false;
  bool list_settings = false;
};

struct ModelReport {
  std::string given;
  std::unique_ptr<ort::OrtDetector> detector;
  ort::GraphCost cost;
};

std::string Rounded(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

/// 1234567 as "1,234,567".
std::string Grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

std::string TensorsText(const std::vector<TensorFacts>& tensors) {
  std::string text;
  for (const TensorFacts& tensor : tensors) {
    text += (text.empty() ? "" : ", ") + tensor.name + " " + ShapeText(tensor.shape) + " " +
            std::string(ToString(tensor.type));
  }
  return text;
}

std::string SizeText(Size size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

std::string DecoderText(const DecoderSpec& decoder) {
  std::string text = decoder.family;
  for (const auto& [name, value] : decoder.parameters) {
    text += " " + name + "=" + value;
  }
  return text;
}

/// Share of the big model's size that the small one does without [SmallBig Table II].
double PrunedShare(const ort::GraphCost& small, const ort::GraphCost& big) {
  return 1 - static_cast<double>(small.file_bytes) / static_cast<double>(big.file_bytes);
}

void PrintText(const std::vector<ModelReport>& reports) {
  for (const ModelReport& report : reports) {
    const ModelPackage& package = report.detector->model().package();
    const GraphFacts& facts = report.detector->session().facts();
    std::cout << package.name << (package.version.empty() ? "" : " version " + package.version)
              << "\n"
              << "  file         " << report.detector->file().string() << " (SHA-256 "
              << report.detector->identity().hash << "...)\n"
              << "  parameters   " << Grouped(report.cost.parameters) << "\n"
              << "  size         " << Rounded(report.cost.file_mb(), 2) << " MB (2^20 bytes)\n"
              << "  operations   " << Rounded(report.cost.gflops(), 2) << " GFLOPs (2 x MAC) at "
              << SizeText(package.input.size);
    for (const auto& [op, macs] : report.cost.macs_of) {
      std::cout << (op == report.cost.macs_of.begin()->first ? ": " : ", ") << op << " "
                << Rounded(2e-9 * static_cast<double>(macs), 2);
    }
    std::cout << "\n  input        " << TensorsText(facts.inputs) << "\n"
              << "  preprocess   " << CanonicalText(package.input) << "\n"
              << "  outputs      " << TensorsText(facts.outputs) << "\n"
              << "  decoder      " << DecoderText(package.decoder) << "\n"
              << "  labels       " << report.detector->labels().size() << ":";
    std::string labels;
    for (const std::string& label : report.detector->labels()) {
      labels += (labels.empty() ? " " : ", ") + label;
      if (labels.size() > 70) {
        labels += ", ...";
        break;
      }
    }
    std::cout << labels << "\n"
              << "  nms          " << CanonicalText(package.nms) << ", scores from "
              << Rounded(double{package.score_floor}, 3) << "\n";
    for (const std::string& assumed : report.detector->assumed()) {
      std::cout << "  assumed      " << assumed << "\n";
    }
  }
  if (reports.size() == 2) {
    const bool first_is_small = reports[0].cost.file_bytes <= reports[1].cost.file_bytes;
    const ModelReport& small = reports[first_is_small ? 0 : 1];
    const ModelReport& big = reports[first_is_small ? 1 : 0];
    const auto row = [](const ModelReport& report, const std::string& pruned) {
      return std::vector<std::string>{
          report.detector->model().package().name, Rounded(report.cost.file_mb(), 2), pruned,
          Rounded(report.cost.gflops(), 2),
          Rounded(static_cast<double>(report.cost.parameters) / 1e6, 2)};
    };
    std::cout << "\n"
              << FormatTable(
                     {"", "Model size(MB)", "Pruned(%)", "FLOPs(Billion)", "Parameters(Million)"},
                     {row(small, Rounded(100 * PrunedShare(small.cost, big.cost), 2)),
                      row(big, "-")});
  }
}

void AddTensors(JsonWriter& json, std::string_view key, const std::vector<TensorFacts>& tensors) {
  json.Key(key);
  json.BeginArray();
  for (const TensorFacts& tensor : tensors) {
    json.BeginObject();
    json.Field("name", tensor.name);
    json.Field("type", ToString(tensor.type));
    json.Field("shape", tensor.shape);
    json.EndObject();
  }
  json.EndArray();
}

void PrintJson(const std::vector<ModelReport>& reports) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Key("models");
  json.BeginArray();
  for (const ModelReport& report : reports) {
    const ModelPackage& package = report.detector->model().package();
    json.BeginObject();
    json.Field("name", package.name);
    json.Field("version", package.version);
    json.Field("file", report.detector->file().string());
    json.Field("hash", report.detector->identity().hash);
    json.Field("parameters", report.cost.parameters);
    json.Field("size_bytes", report.cost.file_bytes);
    json.Field("size_mb", report.cost.file_mb());
    json.Field("macs", report.cost.macs);
    json.Field("gflops", report.cost.gflops());
    json.Field("input_size", package.input.size);
    AddTensors(json, "inputs", report.detector->session().facts().inputs);
    AddTensors(json, "outputs", report.detector->session().facts().outputs);
    json.Field("preprocessing", CanonicalText(package.input));
    json.Key("decoder");
    json.BeginObject();
    json.Field("family", package.decoder.family);
    for (const auto& [name, value] : package.decoder.parameters) {
      json.Field(name, value);
    }
    json.EndObject();
    json.Field("labels", report.detector->labels());
    json.Field("nms", CanonicalText(package.nms));
    json.Field("score_floor", package.score_floor);
    json.Field("assumed", report.detector->assumed());
    json.EndObject();
  }
  json.EndArray();
  if (reports.size() == 2) {
    const bool first_is_small = reports[0].cost.file_bytes <= reports[1].cost.file_bytes;
    json.Field("pruned_share", PrunedShare(reports[first_is_small ? 0 : 1].cost,
                                           reports[first_is_small ? 1 : 0].cost));
  }
  json.EndObject();
  std::cout << text << "\n";
}

void PrintSettings() {
  for (const SettingInfo& setting : KnownSettings()) {
    std::cout << setting.key << ": " << setting.meaning << "\n";
  }
  std::cout << "box.stretch.CLASS: left,top,right,bottom: how far the boxes of a class are moved "
               "outwards, in shares of their width and height\n";
  std::cout << "labels: file with a class name a line (option only; a package has labels.txt)\n";
  for (const DecoderFamily& family : DecoderFamilies()) {
    std::cout << "decoder=" << family.name << ": " << family.reads << "\n";
    for (const DecoderParameter& parameter : family.parameters) {
      std::cout << "  decoder." << parameter.name << ": " << parameter.meaning << "\n";
    }
  }
}

int RunModel(const ModelFlags& flags) {
  if (flags.synonyms || flags.list_settings) {
    if (flags.synonyms) {
      std::cout << Synonyms::DefaultText();
    } else {
      PrintSettings();
    }
    return kDone;
  }
  if (flags.models.empty()) {
    Say("which model? nearfar model MODEL [MODEL], or --synonyms, or --settings");
    return kUsage;
  }
  std::vector<ModelReport> reports;
  for (std::size_t i = 0; i < flags.models.size(); ++i) {
    const auto settings = i == 0 ? ParseModelSettings(flags.settings, "--set")
                                 : ParseModelSettings(flags.second_settings, "--set2");
    if (!settings) {
      Say(settings.error().message);
      return kUsage;
    }
    ort::DetectorOptions options;
    options.model = flags.models[i];
    options.settings = *settings;
    options.engine.provider = flags.provider;
    auto detector = ort::OrtDetector::Open(options);
    if (!detector) {
      return Stop(detector.error());
    }
    auto cost = ort::MeasureGraph((*detector)->file(), (*detector)->model().package().input);
    if (!cost) {
      return Stop(cost.error());
    }
    reports.push_back({flags.models[i], *std::move(detector), *std::move(cost)});
  }
  if (flags.json) {
    PrintJson(reports);
  } else {
    PrintText(reports);
  }
  if (!flags.write_to.empty()) {
    for (const ModelReport& report : reports) {
      const auto written =
          WritePackage(report.detector->model().package(), report.detector->session().facts(),
                       report.detector->file(), flags.write_to);
      if (!written) {
        return Stop(written.error());
      }
      Say("wrote " + written->string());
    }
  }
  return kDone;
}

}  // namespace

std::function<int()> SetUpModel(CLI::App& app) {
  auto flags = std::make_shared<ModelFlags>();  // outlives this call: the parser fills it later
  app.add_option("model", flags->models, "an .onnx file or a package's folder; two to compare them")
      ->expected(0, 2)
      ->type_name("MODEL");
  app.add_option("--set", flags->settings, "KEY=VALUE over the first model's config.pbtxt")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--set2", flags->second_settings, "KEY=VALUE over the second model's config.pbtxt")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_option("--provider", flags->provider, "execution provider")->capture_default_str();
  app.add_option("--write", flags->write_to,
                 "write DIR/<name>/ as a package: config.pbtxt with all that was found or assumed, "
                 "labels.txt, 1/model.onnx")
      ->type_name("DIR");
  app.add_flag("--json", flags->json, "one JSON object on stdout");
  app.add_flag("--synonyms", flags->synonyms,
               "print the default synonyms of class names, to be edited");
  app.add_flag("--settings", flags->list_settings,
               "print every key that --set and config.pbtxt take");
  return [flags] { return RunModel(*flags); };
}

}  // namespace nearfar::cli
