#include <array>
#include <cassert>
#include <cstddef>
#include <cstdio>

#include "data/write_truth.h"

namespace nearfar {
namespace {

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

/// At most two decimals, none where they are zero.
std::string FormatPixel(double value) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.2f", value);
  std::string text = buffer.data();
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') {
    text.pop_back();
  }
  return text;
}

std::string Element(std::string_view name, std::string_view content) {
  return "<" + std::string(name) + ">" + std::string(content) + "</" + std::string(name) + ">";
}

}  // namespace

std::string FormatVocXml(const TruthImage& image, const LabelSpace& classes,
                         std::string_view picture, std::string_view set) {
  std::string xml = "<annotation>\n  " + Element("folder", Escape(set)) + "\n  " +
                    Element("filename", Escape(picture)) + "\n  " +
                    Element("size", Element("width", std::to_string(image.size.width)) +
                                        Element("height", std::to_string(image.size.height)) +
                                        Element("depth", "3")) +
                    "\n  " + Element("segmented", "0") + "\n";
  for (const TruthObject& object : image.objects) {
    assert(object.label >= 0 && object.label < classes.size());
    xml += "  " +
           Element("object",
                   Element("name", Escape(classes.names[static_cast<std::size_t>(object.label)])) +
                       Element("difficult", object.difficult ? "1" : "0") +
                       Element("bndbox", Element("xmin", FormatPixel(object.box.x1 + 1.0)) +
                                             Element("ymin", FormatPixel(object.box.y1 + 1.0)) +
                                             Element("xmax", FormatPixel(object.box.x2)) +
                                             Element("ymax", FormatPixel(object.box.y2)))) +
           "\n";
  }
  return xml + "</annotation>\n";
}

}  // namespace nearfar
