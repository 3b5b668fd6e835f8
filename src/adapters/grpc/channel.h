#pragma once

#include <string>
#include <string_view>

namespace nearfar {

/// Keeps gRPC's own log off stderr, unless the user asked for it by GRPC_VERBOSITY: what went wrong
/// is said once, by who asked. Settles it for the process; repeated calls do nothing.
void QuietTransport();

/// `host:port`, with brackets around an IPv6 address.
std::string HostAndPort(std::string_view host, int port);

/// A text on one line of at most 400 characters, as it goes into status messages and traces.
std::string OneLine(std::string_view text);

}  // namespace nearfar
