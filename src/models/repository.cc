#include "models/repository.h"

#include <charconv>
#include <fstream>
#include <sstream>
#include <system_error>

namespace nearfar {
namespace {

namespace fs = std::filesystem;

/// The highest version folder that holds the model's file.
Expected<fs::path> FindVersion(const fs::path& folder, const std::string& model_file) {
  long best = -1;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    long version = 0;
    const auto [end, problem] = std::from_chars(name.data(), name.data() + name.size(), version);
    if (problem == std::errc{} && end == name.data() + name.size() && version > best &&
        fs::exists(entry.path() / model_file)) {
      best = version;
    }
  }
  if (best < 0) {
    return Fail(ErrorCode::kNotFound, "'" + folder.string() +
                                          "' holds no model: neither is it an "
                                          ".onnx file nor is there a version folder with " +
                                          model_file + " (e.g. 1/" + model_file + ")");
  }
  return folder / std::to_string(best) / model_file;
}

}  // namespace

Expected<std::string> ReadTextFile(const fs::path& path, std::size_t limit) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return Fail(ErrorCode::kNotFound, "'" + path.string() + "' does not exist");
  }
  if (fs::is_directory(path, error)) {
    return Fail(ErrorCode::kInvalidInput, "'" + path.string() + "' is a folder, not a file");
  }
  if (const auto size = fs::file_size(path, error); !error && size > limit) {
    return Fail(ErrorCode::kLimitExceeded, "'" + path.string() + "' has " + std::to_string(size) +
                                               " bytes, more than " + std::to_string(limit));
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    return Fail(ErrorCode::kIo, "cannot read '" + path.string() + "'");
  }
  return std::move(text).str();
}

Expected<ModelFiles> FindModel(const fs::path& path,
                               const std::map<std::string, std::string>& options) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return Fail(ErrorCode::kNotFound,
                "no model at '" + path.string() +
                    "': expected an .onnx file or a folder with config.pbtxt and 1/model.onnx");
  }
  ModelFiles found;
  fs::path folder;
  if (fs::is_directory(path, error)) {
    folder = fs::absolute(path, error).lexically_normal();
    if (folder.filename().empty()) {
      folder = folder.parent_path();
    }
    found.name = folder.filename().string();
    if (fs::exists(folder / "config.pbtxt", error)) {
      const fs::path file = path / "config.pbtxt";
      const auto text = ReadTextFile(file);
      if (!text) {
        return tl::unexpected(text.error());
      }
      auto config = ParseConfig(*text, file.string());
      if (!config) {
        return tl::unexpected(config.error());
      }
      found.config = *std::move(config);
      found.name = found.config.name.empty() ? found.name : found.config.name;
    }
    const auto model = FindVersion(path, found.config.model_file);
    if (!model) {
      return tl::unexpected(model.error());
    }
    found.model = *model;
    found.version = model->parent_path().filename().string();
  } else {
    found.model = path;
    found.name = path.stem().string();
  }

  fs::path labels;
  if (!folder.empty()) {
    const bool named = !found.config.label_file.empty();
    labels = path / (named ? found.config.label_file : "labels.txt");
    if (!named && !fs::exists(labels, error)) {
      labels.clear();
    }
  }
  for (const auto& [key, value] : options) {
    const std::string where = "option " + key;
    if (key == "labels") {
      labels = value;
      continue;
    }
    if (auto ok = CheckSettingKey(key, where); !ok) {
      return tl::unexpected(ok.error());
    }
    found.config.settings[key] = {value, where};
  }
  if (!labels.empty()) {
    const auto text = ReadTextFile(labels);
    if (!text) {
      return Fail(text.error().code, "labels: " + text.error().message);
    }
    found.labels = ParseLabels(*text);
  }
  if (const auto priors = found.config.settings.find("decoder.priors");
      priors != found.config.settings.end()) {
    // A path in config.pbtxt starts from its folder, one of the command line from where we are.
    const bool from_option = priors->second.where.starts_with("option ");
    const fs::path file = from_option || folder.empty() ? fs::path(priors->second.value)
                                                        : path / priors->second.value;
    const auto text = ReadTextFile(file);
    if (!text) {
      return Fail(text.error().code,
                  priors->second.where + ": nearfar.decoder.priors: " + text.error().message);
    }
    found.files["priors"] = *text;
  }
  return found;
}

Expected<fs::path> WritePackage(const ModelPackage& package, const GraphFacts& facts,
                                const fs::path& model, const fs::path& folder) {
  const fs::path target = folder / package.name;
  std::error_code error;
  if (fs::exists(target, error)) {
    return Fail(ErrorCode::kInvalidInput,
                "'" + target.string() + "' is there already; choose another folder or remove it");
  }
  fs::create_directories(target / "1", error);
  if (error) {
    return Fail(ErrorCode::kIo,
                "cannot make '" + (target / "1").string() + "': " + error.message());
  }
  fs::copy_file(model, target / "1" / "model.onnx", error);
  if (error) {
    return Fail(ErrorCode::kIo, "cannot copy '" + model.string() + "' to '" +
                                    (target / "1" / "model.onnx").string() +
                                    "': " + error.message());
  }
  ModelPackage written = package;
  std::map<std::string, std::string> texts;
  for (const auto& [parameter, content] : package.decoder.files) {
    written.decoder.parameters[parameter] = parameter + ".csv";
    texts[parameter + ".csv"] = content;
  }
  texts["config.pbtxt"] = WriteConfig(written, facts);
  std::string labels;
  for (const std::string& label : package.labels) {
    labels += label + "\n";
  }
  texts["labels.txt"] = labels;
  for (const auto& [name, text] : texts) {
    std::ofstream file(target / name, std::ios::binary);
    file << text;
    file.close();
    if (!file) {
      return Fail(ErrorCode::kIo, "cannot write '" + (target / name).string() + "'");
    }
  }
  return target;
}

}  // namespace nearfar
