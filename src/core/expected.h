#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace nearfar {

/// What kind of failure an Error is; callers branch on this, people read the message.
enum class ErrorCode {
  kInvalidInput,      ///< a file, message or option that is not what it should be
  kNotFound,          ///< a file, model, class or key that is not there
  kUnsupported,       ///< well formed, but nearfar has no way to handle it
  kLimitExceeded,     ///< larger than a stated limit (pixels, bytes, boxes, queue)
  kUnavailable,       ///< a peer that does not answer, refuses, or is not ready
  kDeadlineExceeded,  ///< the time given for the work has passed
  kIo,                ///< reading or writing failed
  kCancelled,         ///< asked to stop
  kInternal,          ///< a broken promise of our own
};

/// A failure of the world. The message says what was tried, with which value, and what to do.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;

  friend bool operator==(const Error&, const Error&) = default;
};

/// Name of a code as it stands in traces and messages ("invalid-input", ...).
constexpr std::string_view ToString(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidInput: return "invalid-input";
    case ErrorCode::kNotFound: return "not-found";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kLimitExceeded: return "limit-exceeded";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kDeadlineExceeded: return "deadline-exceeded";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kCancelled: return "cancelled";
    case ErrorCode::kInternal: return "internal";
  }
  return "internal";
}

/// A value or the Error that prevented it.
template <typename T>
using Expected = tl::expected<T, Error>;

/// Shorthand for returning an Error from a function that returns Expected<T>.
inline tl::unexpected<Error> Fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

}  // namespace nearfar
