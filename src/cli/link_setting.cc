#include "cli/link_setting.h"

#include <charconv>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "cli/settings.h"

namespace nearfar::cli {
namespace {

template <typename Number>
std::optional<Number> ParseAll(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

/// A share in [0, 1] of "0.01" or "1%".
std::optional<double> ParseShare(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) {
    text.remove_suffix(1);
  }
  const auto number = ParseAll<double>(text);
  const double share = number.value_or(-1) * (percent ? 0.01 : 1);
  if (!(share >= 0 && share <= 1)) {
    return std::nullopt;
  }
  return share;
}

}  // namespace

Expected<LinkModel> ParseLinkModel(std::string_view text) {
  constexpr std::string_view kBetween = " \t\n,";
  LinkModel model;
  std::set<std::string, std::less<>> seen;
  for (;;) {
    const std::size_t begin = text.find_first_not_of(kBetween);
    if (begin == std::string_view::npos) {
      break;
    }
    text.remove_prefix(begin);
    const std::string word(text.substr(0, text.find_first_of(kBetween)));
    text.remove_prefix(word.size());
    const auto wrong = [&](const std::string& what) {
      return Fail(ErrorCode::kInvalidInput, "'" + word + "': " + what);
    };
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) {
      return wrong("write KEY=VALUE, as in up=20Mbit/s or delay=5ms");
    }
    const std::string key = word.substr(0, equals);
    const std::string_view value = std::string_view(word).substr(equals + 1);
    if (!seen.insert(key).second) {
      return wrong(key + " is given twice");
    }
    if (key == "up" || key == "down") {
      const auto rate = ParseByteRate(value);
      if (!rate) {
        return wrong(rate.error().message);
      }
      (key == "up" ? model.up_bytes_per_second : model.down_bytes_per_second) = *rate;
    } else if (key == "delay" || key == "jitter") {
      const auto time = ParseDuration(value);
      if (!time) {
        return wrong(time.error().message);
      }
      (key == "delay" ? model.delay : model.jitter) = *time;
    } else if (key == "loss") {
      const auto share = ParseShare(value);
      if (!share) {
        return wrong("write a share from 0 to 1 or from 0% to 100%");
      }
      model.loss = *share;
    } else if (key == "seed") {
      const auto seed = ParseAll<std::uint64_t>(value);
      if (!seed) {
        return wrong("write a whole number, not negative");
      }
      model.seed = *seed;
    } else {
      return wrong("there is no such key; there are up, down, delay, jitter, loss and seed");
    }
  }
  if (seen.empty()) {
    return Fail(ErrorCode::kInvalidInput, "a link model is empty; write up=20Mbit/s or the like");
  }
  if (const auto fine = Validate(model); !fine) {
    return tl::unexpected(fine.error());
  }
  return model;
}

}  // namespace nearfar::cli
