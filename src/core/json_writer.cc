#include "core/json_writer.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace nearfar {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Length of the UTF-8 sequence at the start of `text`, or 0 where there is none.
std::size_t SequenceLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) {
      return 0;
    }
  }
  // Overlong forms, surrogates and what lies beyond U+10FFFF.
  const bool bad = (lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F) ||
                   (lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F);
  return bad ? 0 : length;
}

template <typename Real>
void AppendReal(std::string& out, Real value) {
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "\"nan\"" : value > 0 ? "\"inf\"" : "\"-inf\"";
    return;
  }
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace

void JsonWriter::AppendText(std::string_view text) {
  out_ += '"';
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    std::size_t length = 1;
    if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += text[0];
    } else if (c == '\n') {
      out_ += "\\n";
    } else if (c < 0x20 || c == 0x7F) {
      constexpr char kHex[] = "0123456789abcdef";
      out_ += "\\u00";
      out_ += kHex[c >> 4];
      out_ += kHex[c & 15];
    } else if (length = SequenceLength(text); length > 0) {
      out_.append(text.substr(0, length));
    } else {
      length = 1;
      out_ += kReplacement;
    }
    text.remove_prefix(length);
  }
  out_ += '"';
}

void JsonWriter::Key(std::string_view key) {
  Separate();
  AppendText(key);
  out_ += ':';
  needs_comma_ = false;
}

void JsonWriter::Value(std::string_view text) {
  Separate();
  AppendText(text);
}

void JsonWriter::Value(bool value) {
  Separate();
  out_ += value ? "true" : "false";
}

void JsonWriter::Value(double value) {
  Separate();
  AppendReal(out_, value);
}

void JsonWriter::Value(float value) {
  Separate();
  AppendReal(out_, value);
}

void JsonWriter::Value(Duration duration) {
  constexpr std::int64_t kPerMillisecond = 1'000'000;
  const std::int64_t count = duration.count();
  Separate();
  if (count < 0) {
    out_ += '-';
  }
  char digits[24];
  out_.append(digits, std::to_chars(digits, digits + sizeof digits,
                                    static_cast<std::uint64_t>(std::abs(count / kPerMillisecond)))
                          .ptr);
  const auto rest = static_cast<std::uint64_t>(std::abs(count % kPerMillisecond));
  if (rest > 0) {
    const char* end = std::to_chars(digits, digits + sizeof digits, kPerMillisecond + rest).ptr;
    while (end[-1] == '0') {
      --end;
    }
    digits[0] = '.';
    out_.append(digits, static_cast<std::size_t>(end - digits));
  }
}

void JsonWriter::Value(Size size) {
  BeginArray();
  Value(size.width);
  Value(size.height);
  EndArray();
}

void JsonWriter::Value(const Rect& rect) {
  BeginArray();
  Value(rect.x);
  Value(rect.y);
  Value(rect.width);
  Value(rect.height);
  EndArray();
}

void JsonWriter::Value(const Detection& detection) {
  BeginArray();
  Value(detection.box.x1);
  Value(detection.box.y1);
  Value(detection.box.x2);
  Value(detection.box.y2);
  Value(detection.score);
  Value(detection.label);
  EndArray();
}

void JsonWriter::Value(const ModelIdentity& identity) {
  BeginObject();
  Field("name", identity.name);
  Field("version", identity.version);
  Field("hash", identity.hash);
  Field("preprocessing", identity.preprocessing);
  if (!identity.pictures.empty()) {
    Field("pictures", identity.pictures);
  }
  Field("nms", identity.nms);
  Field("score_floor", identity.score_floor);
  Field("label_map", identity.label_map);
  Field("input", identity.input);
  EndObject();
}

std::string AsUtf8(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const std::size_t length = SequenceLength(text);
    clean.append(length > 0 ? text.substr(0, length) : kReplacement);
    text.remove_prefix(length > 0 ? length : 1);
  }
  return clean;
}

}  // namespace nearfar
