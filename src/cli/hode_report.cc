#include "cli/hode_report.h"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "cli/report.h"
#include "core/json_writer.h"

namespace nearfar::cli {
namespace {

std::vector<std::string> Texts(const std::vector<FigureCell>& row) {
  std::vector<std::string> texts;
  for (const FigureCell& cell : row) {
    texts.push_back(cell.text);
  }
  return texts;
}

std::string CsvLine(const std::vector<std::string>& row) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    line += (i > 0 ? "," : "") + CsvField(row[i]);
  }
  return line + "\n";
}

std::string MarkdownLine(const std::vector<std::string>& row) {
  std::string line = "|";
  for (std::string cell : row) {
    for (std::size_t at = 0; (at = cell.find('|', at)) != std::string::npos; at += 2) {
      cell.insert(at, "\\");
    }
    line += " " + cell + " |";
  }
  return line + "\n";
}

Expected<void> Write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) {
    return Fail(ErrorCode::kIo, "cannot write " + path);
  }
  return {};
}

}  // namespace

FigureCell::FigureCell(std::optional<double> number, int digits) : text("-"), value(number) {
  if (number) {
    char digits_of[40];
    std::snprintf(digits_of, sizeof digits_of, "%.*f", digits, *number);
    text = digits_of;
  }
}

std::string FiguresText(std::span<const PaperFigure> figures, std::span<const std::string> about) {
  std::string text;
  for (const PaperFigure& figure : figures) {
    std::vector<std::vector<std::string>> rows;
    for (const auto& row : figure.rows) {
      rows.push_back(Texts(row));
    }
    text += figure.title + "\n" + FormatTable(figure.header, rows);
    for (const std::string& note : figure.notes) {
      text += "- " + note + "\n";
    }
    text += "\n";
  }
  for (const std::string& line : about) {
    text += line + "\n";
  }
  return text;
}

std::string FiguresMarkdown(std::span<const PaperFigure> figures,
                            std::span<const std::string> about) {
  std::string text;
  for (const PaperFigure& figure : figures) {
    text += "## " + figure.title + "\n\n" + MarkdownLine(figure.header) + "|";
    for (std::size_t c = 0; c < figure.header.size(); ++c) {
      const bool number = !figure.rows.empty() && figure.rows.back()[c].value.has_value();
      text += number ? "---:|" : "---|";
    }
    text += "\n";
    for (const auto& row : figure.rows) {
      text += MarkdownLine(Texts(row));
    }
    text += "\n";
    for (const std::string& note : figure.notes) {
      text += "- " + note + "\n";
    }
    text += "\n";
  }
  for (const std::string& line : about) {
    text += line + "\n\n";
  }
  return text;
}

std::string FiguresJson(std::span<const PaperFigure> figures, std::span<const std::string> about) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Field("about", about);
  json.Key("figures");
  json.BeginArray();
  for (const PaperFigure& figure : figures) {
    json.BeginObject();
    json.Field("name", figure.name);
    json.Field("title", figure.title);
    json.Key("rows");
    json.BeginArray();
    for (const auto& row : figure.rows) {
      json.BeginObject();
      for (std::size_t c = 0; c < row.size(); ++c) {
        if (row[c].value) {
          json.Field(figure.header[c], *row[c].value);
        } else if (row[c].text != "-") {
          json.Field(figure.header[c], row[c].text);
        }
      }
      json.EndObject();
    }
    json.EndArray();
    json.Field("notes", figure.notes);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return text + "\n";
}

Expected<void> MakeFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return Fail(ErrorCode::kIo, "cannot make the folder " + folder + ": " + error.message());
  }
  return {};
}

Expected<void> WriteFigures(const std::string& folder, std::span<const PaperFigure> figures,
                            std::span<const std::string> about) {
  for (const PaperFigure& figure : figures) {
    std::string text = CsvLine(figure.header);
    for (const auto& row : figure.rows) {
      text += CsvLine(Texts(row));
    }
    if (auto written = Write(folder + "/" + figure.name + ".csv", text); !written) {
      return written;
    }
    for (const NamedChart& chart : figure.charts) {
      const std::string stem = folder + "/" + chart.name;
      if (auto written = WriteSvg(chart.chart, stem + ".svg"); !written) {
        return written;
      }
      if (auto written = WritePng(chart.chart, stem + ".png"); !written) {
        return written;
      }
    }
  }
  return Write(folder + "/figures.md", FiguresMarkdown(figures, about));
}

}  // namespace nearfar::cli
