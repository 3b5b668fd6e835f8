#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/expected.h"
#include "models/package.h"

namespace nearfar {

/// The files of one model, found and read; the graph itself is left to the engine.
struct ModelFiles {
  std::filesystem::path model;  ///< the .onnx file
  std::string name;
  std::string version;                       ///< version folder; empty for a bare file
  PackageConfig config;                      ///< config.pbtxt with the options laid over it
  std::vector<std::string> labels;           ///< lines of labels.txt; empty = there is none
  std::map<std::string, std::string> files;  ///< contents of files that decoder parameters name
};

/// Finds a model at `path`: a bare .onnx file, or the folder of a package in the Triton repository
/// layout `<model>/config.pbtxt, labels.txt, <version>/model.onnx` (config.pbtxt and labels.txt may
/// lack; the highest version counts).
/// @param options  settings by key as in config.pbtxt (without `nearfar.`), which win over the
/// file's;
///                 `labels` names a file of labels.
/// Errors: kNotFound, kIo, kInvalidInput with the file and the line or option.
Expected<ModelFiles> FindModel(const std::filesystem::path& path,
                               const std::map<std::string, std::string>& options);

/// Writes a package folder `<folder>/<package.name>`: config.pbtxt, labels.txt, `1/model.onnx`
/// copied from `model`, and the files that the decoder's parameters name. Errors: kIo, or
/// kInvalidInput when the folder is there already.
Expected<std::filesystem::path> WritePackage(const ModelPackage& package, const GraphFacts& facts,
                                             const std::filesystem::path& model,
                                             const std::filesystem::path& folder);

/// The whole of a file. Errors: kNotFound, kIo, kLimitExceeded above `limit` bytes.
Expected<std::string> ReadTextFile(const std::filesystem::path& path,
                                   std::size_t limit = 16U << 20U);

}  // namespace nearfar
