#pragma once

#include <string>
#include <string_view>

namespace nearfar {

/// Settles gRPC for the process; called before anything else of it, repeated calls do nothing.
/// Its own log stays off stderr unless the user asked for it by GRPC_VERBOSITY: what went wrong is
/// said once, by who asked. Its callback threads live until the process ends: gRPC 1.51 can abort
/// when the last user of them goes while they are at work.
void PrepareTransport();

/// `host:port`, with brackets around an IPv6 address.
std::string HostAndPort(std::string_view host, int port);

/// A text on one line of at most 400 characters, as it goes into status messages and traces.
std::string OneLine(std::string_view text);

}  // namespace nearfar
