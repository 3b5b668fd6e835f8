#include "models/text_format.h"

#include <cctype>
#include <charconv>
#include <cstdio>

namespace nearfar {
namespace {

constexpr int kDeepest = 64;

class TextReader {
 public:
  TextReader(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  Expected<std::vector<TextField>> Read() {
    std::vector<TextField> fields;
    if (!ReadFields('\0', 0, fields)) {
      return Fail(ErrorCode::kInvalidInput,
                  std::string(file_) + ":" + std::to_string(line_) + ": " + problem_);
    }
    return fields;
  }

 private:
  char Peek() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') {
          ++at_;
        }
      } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
        line_ += c == '\n' ? 1 : 0;
        ++at_;
      } else {
        return c;
      }
    }
    return '\0';
  }

  bool Take(char wanted) {
    if (Peek() != wanted) {
      return false;
    }
    ++at_;
    return true;
  }

  bool Problem(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  /// Fields up to the closing character, or to the end of the text when that is '\0'.
  bool ReadFields(char close, int depth, std::vector<TextField>& fields) {
    if (depth > kDeepest) {
      return Problem("messages are nested too deeply");
    }
    while (true) {
      const char next = Peek();
      if (next == close) {
        at_ += close != '\0' ? 1 : 0;
        return true;
      }
      if (next == '\0') {
        return Problem(std::string("the text ends where '") + close + "' was expected");
      }
      TextField field;
      field.line = line_;
      if (!ReadName(field.name) || !ReadValues(field, depth, fields)) {
        return false;
      }
      if (!Take(',')) {
        Take(';');
      }
    }
  }

  bool ReadName(std::string& name) {
    if (Take('[')) {  // an extension or Any: its name means nothing here
      while (at_ < text_.size() && text_[at_] != ']' && text_[at_] != '\n') {
        name.push_back(text_[at_++]);
      }
      return Take(']') || Problem("expected ']' after an extension's name");
    }
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_')) {
      name.push_back(text_[at_++]);
    }
    return !name.empty() ||
           Problem(std::string("expected a field's name, found '") + text_[at_] + "'");
  }

  bool ReadValues(const TextField& named, int depth, std::vector<TextField>& fields) {
    const bool colon = Take(':');
    if (!Take('[')) {
      return ReadValue(named, colon, depth, fields);
    }
    if (Take(']')) {
      return true;
    }
    do {
      if (!ReadValue(named, true, depth, fields)) {
        return false;
      }
    } while (Take(','));
    return Take(']') || Problem("'" + named.name + "': expected ',' or ']' in a list");
  }

  bool ReadValue(const TextField& named, bool scalar_allowed, int depth,
                 std::vector<TextField>& fields) {
    TextField field{named.name, {}, {}, false, named.line};
    const char next = Peek();
    if (next == '{' || next == '<') {
      ++at_;
      field.is_message = true;
      if (!ReadFields(next == '{' ? '}' : '>', depth + 1, field.fields)) {
        return false;
      }
    } else if (!scalar_allowed) {
      return Problem("'" + named.name + "': expected ':' or '{'");
    } else if (next == '"' || next == '\'') {
      do {  // neighbouring strings are one string
        if (!ReadString(field.value)) {
          return Problem("'" + named.name + "': a string does not end on its line");
        }
      } while (Peek() == '"' || Peek() == '\'');
    } else {
      while (at_ < text_.size() &&
             (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_' ||
              text_[at_] == '.' || text_[at_] == '-' || text_[at_] == '+')) {
        field.value.push_back(text_[at_++]);
      }
      if (field.value.empty()) {
        return Problem("'" + named.name + "': expected a value");
      }
    }
    fields.push_back(std::move(field));
    return true;
  }

  bool ReadString(std::string& value) {
    const char quote = text_[at_++];
    while (at_ < text_.size() && text_[at_] != '\n') {
      const char c = text_[at_++];
      if (c == quote) {
        return true;
      }
      if (c != '\\') {
        value.push_back(c);
        continue;
      }
      if (at_ == text_.size()) {
        return false;
      }
      const char escaped = text_[at_++];
      if (escaped >= '0' && escaped <= '7') {
        int code = escaped - '0';
        for (int i = 0; i < 2 && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '7';
             ++i) {
          code = code * 8 + (text_[at_++] - '0');
        }
        value.push_back(static_cast<char>(code));
      } else {
        value.push_back(escaped == 'n'   ? '\n'
                        : escaped == 't' ? '\t'
                        : escaped == 'r' ? '\r'
                                         : escaped);
      }
    }
    return false;
  }

  std::string_view text_;
  std::string_view file_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::string problem_;
};

}  // namespace

Expected<std::vector<TextField>> ParseTextFormat(std::string_view text, std::string_view file) {
  return TextReader(text, file).Read();
}

std::string QuoteText(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted.push_back('\\');
      quoted.push_back(c);
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\%03o", static_cast<unsigned>(c));
      quoted += code;
    } else {
      quoted.push_back(c);
    }
  }
  return quoted + "\"";
}

std::string NumberText(float value) {
  char text[40];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string NumberText(const std::array<float, 3>& values) {
  return NumberText(values[0]) + "," + NumberText(values[1]) + "," + NumberText(values[2]);
}

}  // namespace nearfar
