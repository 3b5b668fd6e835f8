#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/grpc/served_model.h"
#include "core/clock.h"
#include "core/expected.h"

namespace nearfar {

struct NodeServerOptions {
  std::string address = "127.0.0.1";  ///< host name or IP address to listen at
  int port = 8001;                    ///< [0, 65535]; 0: a free one
  int queue_length = 16;              ///< requests that may wait for one model; >= 0
  std::int64_t max_message_bytes = std::int64_t{32} << 20;  ///< a larger request is refused; > 0
  std::int64_t max_pixels = 50'000'000;                     ///< of a `pixels` tensor; > 0
  int max_images = 64;                                      ///< of one request; > 0
  Duration drain = std::chrono::seconds(10);  ///< Stop gives waiting requests this long; >= 0
};

Expected<void> Validate(const NodeServerOptions& options);

/// What one model of a node has done since the start.
struct ServedModelCounts {
  std::string name;
  std::uint64_t answered = 0;  ///< requests
  std::uint64_t failed = 0;    ///< answered with an error of input or model
  std::uint64_t refused = 0;   ///< the queue was full, or the node was stopping
  std::uint64_t expired = 0;   ///< not computed: deadline passed or sender gone while waiting
  std::uint64_t images = 0;    ///< images in answered requests (1 for `tensor`)
  Duration queued{};           ///< sum over requests that were computed
  Duration computed{};         ///< the same: decoding, preparing, inference, decoding of outputs
};

/// Serves models over the Open Inference Protocol v2 (docs/protocol.md). Each model has a bounded
/// queue and `callers` threads; a request that comes when the queue is full is refused at once, one
/// whose deadline passes or whose sender leaves while it waits is not computed.
class NodeServer {
 public:
  /// Listens and serves. `clock` must outlive the server. Errors: kInvalidInput for options or
  /// models that cannot be, kUnavailable when the port is in use or the address is not this
  /// machine's.
  static Expected<std::unique_ptr<NodeServer>> Start(std::vector<ServedModel> models,
                                                     ImageDecoder decode_image,
                                                     const NodeServerOptions& options,
                                                     const Clock& clock);
  virtual ~NodeServer() = default;

  virtual int port() const = 0;
  /// `host:port` as it listens.
  virtual std::string address() const = 0;
  virtual std::vector<ServedModelCounts> counts() const = 0;

  /// Refuses new requests, answers those in hand, then closes. Waiting requests that options.drain
  /// was too short for are refused. Blocks; a second call does nothing. The destructor calls it.
  virtual void Stop() = 0;
};

}  // namespace nearfar
