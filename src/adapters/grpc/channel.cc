#include "adapters/grpc/channel.h"

#include <grpc/support/log.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <mutex>

namespace nearfar {

void PrepareTransport() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (std::getenv("GRPC_VERBOSITY") == nullptr) {
      gpr_set_log_function([](gpr_log_func_args*) {});
    }
    // A server without a port holds the callback threads; it is never destroyed, on purpose.
    static auto* const service = new grpc::CallbackGenericService;
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(service);
    static const grpc::Server* const holder = builder.BuildAndStart().release();
    static_cast<void>(holder);
  });
}

std::string HostAndPort(std::string_view host, int port) {
  const bool ipv6 = host.find(':') != std::string_view::npos && host[0] != '[';
  std::string text = ipv6 ? "[" : "";
  text += host;
  text += ipv6 ? "]:" : ":";
  return text += std::to_string(port);
}

std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text.substr(0, 400)) {
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    if (!control) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  while (!line.empty() && line.back() == ' ') {
    line.pop_back();
  }
  return line;
}

}  // namespace nearfar
