#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "adapters/ort/session.h"
#include "core/expected.h"
#include "live/ports.h"
#include "models/detection_model.h"

namespace nearfar::ort {

/// Which model, and how it is run.
struct DetectorOptions {
  std::filesystem::path model;                  ///< an .onnx file or a package's folder
  std::map<std::string, std::string> settings;  ///< over config.pbtxt: see KnownSettings()
  EngineOptions engine;
  std::optional<float> score_floor;  ///< over the package's
  std::optional<NmsOptions> nms;     ///< over the package's
  std::string label_map = "none";    ///< Synonyms::version() in force, for the identity
};

/// A model of the user's own, run by ONNX Runtime. Several threads may call it at once.
class OrtDetector final : public Detector {
 public:
  /// Finds, inspects and loads the model, then runs it once on a grey picture, so that outputs that
  /// do not fit the decoder are known before any work begins.
  /// Errors: as FindModel, Session::Open and Inspect, with the model's path in front.
  static Expected<std::unique_ptr<OrtDetector>> Open(const DetectorOptions& options);

  Expected<DetectorAnswer> Detect(const PixelView& view, int offset_x, int offset_y) override;
  /// Boxes are not clipped to the view: NMS and then the cut give what Detect gives.
  Expected<DetectorAnswer> DetectBeforeNms(const PixelView& view, int offset_x,
                                           int offset_y) override;
  Expected<std::unique_ptr<DetectorPass>> Prepare(const PixelView& view, int offset_x,
                                                  int offset_y) override;
  /// Detect, or DetectBeforeNms, with a network input of another size than the package's.
  /// Errors, besides theirs: kUnsupported when the graph does not leave the size free.
  Expected<DetectorAnswer> DetectWithInput(const PixelView& view, int offset_x, int offset_y,
                                           Size input, bool with_nms);
  const ModelIdentity& identity() const override { return identity_; }
  const std::vector<std::string>& labels() const override { return model_.labels(); }

  const DetectionModel& model() const { return model_; }
  const Session& session() const { return *session_; }
  /// The file that was loaded.
  const std::filesystem::path& file() const { return file_; }
  /// What nobody had said about the model and was taken as documented, to be printed.
  const std::vector<std::string>& assumed() const { return assumed_; }

 private:
  OrtDetector(std::unique_ptr<Session> session, DetectionModel model);
  class Pass;

  Expected<std::unique_ptr<Pass>> Begin(const PixelView& view, int offset_x, int offset_y,
                                        Size input);
  std::vector<std::byte> TakeSpareTensor();
  void KeepSpareTensor(std::vector<std::byte> tensor);

  std::unique_ptr<Session> session_;
  DetectionModel model_;
  ModelIdentity identity_;
  std::filesystem::path file_;
  std::vector<std::string> assumed_;
  std::mutex mutex_;
  std::vector<std::vector<std::byte>> spare_tensors_;  ///< guarded by mutex_; one a pass in hand
};

}  // namespace nearfar::ort
