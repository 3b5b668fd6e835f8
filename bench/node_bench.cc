// What the wire costs: a BYTES element of 100 KB to a model that looks at nothing, over loopback, the
// client included, beside a bare gRPC service with the same messages that answers at once.
// Aims: >= 1,400 requests/s with 4 in flight; p50 <= 0.8 ms with 1.

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <grpcpp/grpcpp.h>

#include "adapters/grpc/messages.h"
#include "adapters/grpc/node_server.h"
#include "core/clock.h"
#include "inference.grpc.pb.h"

namespace nearfar {
namespace {

constexpr int kRequests = 2000;
constexpr std::size_t kElement = 100'000;

const SystemClock kClock;

/// Keeps a number of requests in flight and measures each from its making to its answer.
class Client {
 public:
  explicit Client(const std::string& address)
      : stub_(inference::GRPCInferenceService::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))),
        element_(kElement, 'x') {}

  /// Latencies in ms; empty when a request failed.
  std::vector<double> Run(int requests, int in_flight) {
    std::unique_lock lock(mutex_);
    to_send_ = requests;
    outstanding_ = 0;
    failed_ = false;
    latencies_.clear();
    for (int i = 0; i < in_flight; ++i) {
      SendNext();
    }
    changed_.wait(lock, [&] { return outstanding_ == 0; });
    return failed_ ? std::vector<double>() : latencies_;
  }

 private:
  struct Call {
    TimePoint sent;
    grpc::ClientContext context;
    inference::ModelInferRequest request;
    inference::ModelInferResponse response;
  };

  /// REQUIRES: mutex_ is held.
  void SendNext() {
    if (to_send_ == 0) {
      return;
    }
    --to_send_;
    ++outstanding_;
    auto* call = new Call;
    call->sent = kClock.Now();
    call->request.set_model_name("noop");
    WireTensor data{"data", "BYTES", {1}, {}};
    data.bytes.reserve(kElement + 4);
    AppendElement(data.bytes, element_);
    AddInput(call->request, std::move(data));
    stub_->async()->ModelInfer(&call->context, &call->request, &call->response,
                               [this, call](const grpc::Status& status) {
                                 const std::unique_ptr<Call> owned(call);
                                 const double spent = ToMilliseconds(kClock.Now() - call->sent);
                                 const std::lock_guard lock(mutex_);
                                 failed_ |= !status.ok();
                                 latencies_.push_back(spent);
                                 --outstanding_;
                                 SendNext();
                                 changed_.notify_all();
                               });
  }

  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  const std::string element_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int to_send_ = 0;
  int outstanding_ = 0;
  bool failed_ = false;
  std::vector<double> latencies_;
};

double Percentile(std::vector<double> values, double share) {
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

void Measure(benchmark::State& state, const std::string& address) {
  const auto in_flight = static_cast<int>(state.range(0));
  Client client(address);
  client.Run(200, in_flight);
  std::vector<double> latencies;
  for (auto _ : state) {
    const std::vector<double> more = client.Run(kRequests, in_flight);
    if (more.empty()) {
      state.SkipWithError("a request failed");
      return;
    }
    latencies.insert(latencies.end(), more.begin(), more.end());
  }
  state.counters["requests/s"] =
      benchmark::Counter(static_cast<double>(latencies.size()), benchmark::Counter::kIsRate);
  state.counters["p50_ms"] = Percentile(latencies, 0.50);
  state.counters["p95_ms"] = Percentile(latencies, 0.95);
}

void NodeNoOp(benchmark::State& state) {
  NodeServerOptions options;
  options.port = 0;
  auto node = NodeServer::Start({MakeNoOpModel("noop")}, nullptr, options, kClock);
  if (!node) {
    state.SkipWithError(node.error().message.c_str());
    return;
  }
  Measure(state, (*node)->address());
}

/// Answers every request at once with an empty reply, on gRPC's own thread.
class Bare final : public inference::GRPCInferenceService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest*,
                                       inference::ModelInferResponse*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

void BareGrpc(benchmark::State& state) {
  Bare service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    state.SkipWithError("no port");
    return;
  }
  Measure(state, "127.0.0.1:" + std::to_string(port));
}

BENCHMARK(BareGrpc)->Arg(1)->Arg(4)->Iterations(3)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(NodeNoOp)->Arg(1)->Arg(4)->Iterations(3)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace nearfar
