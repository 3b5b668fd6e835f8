#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapters/grpc/detection_tensors.h"
#include "adapters/grpc/wire_tensor.h"
#include "core/clock.h"
#include "core/expected.h"
#include "core/labels.h"
#include "live/ports.h"

namespace nearfar {

struct NodeLinkOptions {
  std::string address;                   ///< host:port of the node
  std::string model;                     ///< name there; empty: the only one (nearfar nodes)
  std::string model_version;             ///< empty: the server's choice
  LinkId link{1};                        ///< goes into the answers
  std::vector<std::string> class_names;  ///< by label, for servers that send no names
  DetectionLimits limits;
  std::int64_t max_reply_bytes = std::int64_t{32} << 20;  ///< > 0
  Duration connect_timeout = std::chrono::seconds(5);  ///< for one attempt to connect; [10 ms, 1 h]
  /// After a lost or refused connection the next attempts come at growing distances; requests in
  /// between fail at once.
  Duration first_backoff = std::chrono::milliseconds(200);  ///< >= 100 ms
  Duration longest_backoff = std::chrono::seconds(5);       ///< >= first_backoff
};

Expected<void> Validate(const NodeLinkOptions& options);

/// How a picture becomes the tensors of a server's model, and that model's outputs boxes: what the
/// client does itself when the server knows nothing but tensors. Called by several threads at once.
class TensorExchange {
 public:
  virtual ~TensorExchange() = default;
  /// The model's inputs for an upload. Errors: of decoding.
  virtual Expected<std::vector<WireTensor>> Encode(const Upload& upload) const = 0;
  /// Boxes in px of the sent picture. Errors: kInvalidInput for outputs that do not fit.
  virtual Expected<NamedDetections> Decode(std::span<const WireTensorView> outputs,
                                           Size sent) const = 0;
  /// Every class name that it gives.
  virtual const std::vector<std::string>& class_names() const = 0;
};

/// What a node says of itself and of one of its models.
struct NodeDescription {
  std::string server;  ///< "nearfar 0.1.0"
  std::string model;
  std::string model_version;
  std::string platform;
  std::string model_hash;                ///< empty when it does not say
  bool takes_images = false;             ///< the payload `image`
  bool takes_pixels = false;             ///< the payload `pixels`
  std::vector<WireTensorSpec> inputs;    ///< all of them
  std::vector<std::string> class_names;  ///< empty when it does not say
  std::vector<std::string> unmapped;     ///< of class_names: have no place in the label space
};

/// A link to one model of a node that speaks the Open Inference Protocol v2: a nearfar node
/// (payloads `image`, `pixels`) or, with a TensorExchange, any stock server (payload `tensor`).
///
/// The `done` of Send runs on a thread of the transport and should be brief. Answers tell failures
/// by ErrorCode: unavailable (cannot be reached, stopping, another protocol there), limit-exceeded
/// (refused: queue full, message too large), deadline-exceeded, cancelled, invalid-input (garbage
/// in the reply, or the node calls the upload garbage), not-found (no such model), unsupported
/// (gRPC, but another service). bytes_up and bytes_down count messages without the transport's
/// framing.
class GrpcNodeLink : public NodeLink {
 public:
  /// Makes the link without waiting for the node.
  /// @param exchange  null for the payloads that the uploads name.
  /// `clock` must outlive the link. Errors: kInvalidInput.
  static Expected<std::unique_ptr<GrpcNodeLink>> Open(const NodeLinkOptions& options,
                                                      LabelSpace labels, const Synonyms& synonyms,
                                                      std::unique_ptr<TensorExchange> exchange,
                                                      const Clock& clock);

  /// Asks the node what it is, waiting at most `patience`. Errors: as in answers.
  virtual Expected<NodeDescription> Describe(Duration patience) = 0;

  /// Class names in answers so far that have no place in the label space: their boxes were dropped.
  virtual std::vector<std::string> unmapped() const = 0;
};

}  // namespace nearfar
