#include "cli/paper_report.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <vector>

#include "cli/report.h"
#include "core/json_writer.h"

namespace nearfar::cli {
namespace {

using Row = std::vector<std::string>;

/// The printed row of that name; rows of one table have different names.
const PaperRow* RowOf(const PaperTable& table, const std::string& name) {
  const auto row = std::find_if(table.rows.begin(), table.rows.end(),
                                [&](const PaperRow& candidate) { return candidate.name == name; });
  return row == table.rows.end() ? nullptr : &*row;
}

std::string Mark(const PaperLine& line) {
  return line.pair ? "[" + std::to_string(*line.pair + 1) + "]" : "";
}

std::string Cell(const FilledTable& table, const PaperLine& line, std::size_t column) {
  const std::optional<double>& value = line.values[column];
  return value ? PaperNumber(*table.paper, RowOf(*table.paper, line.row), column, *value) : "-";
}

Row Header(const FilledTable& table) {
  Row header = {"", ""};
  header.insert(header.end(), table.paper->titles.begin(), table.paper->titles.end());
  header.insert(header.end(), {"", ""});
  return header;
}

/// The lines as people read them: what the line above says already is not said again.
std::vector<Row> Rows(const FilledTable& table) {
  std::vector<Row> rows;
  std::string row_above;
  std::string remark_above;
  for (const PaperLine& line : table.lines) {
    Row row = {line.row == row_above ? "" : line.row, line.whose};
    for (std::size_t c = 0; c < line.values.size(); ++c) {
      row.push_back(Cell(table, line, c));
    }
    const bool said = line.row == row_above && line.remark == remark_above;
    const std::string note = line.whose == "paper" && !line.remark.empty() ? "note: " : "";
    row.insert(row.end(), {Mark(line), said ? "" : note + line.remark});
    rows.push_back(std::move(row));
    row_above = line.row;
    remark_above = line.remark;
  }
  return rows;
}

std::string Title(const PaperTable& table) {
  return "Table " + std::string(table.number) + ". " + std::string(table.title);
}

constexpr const char* kLegend =
    "paper: as printed. ours: the paper's rule with its count and area thresholds (2, 0.31) and a "
    "score threshold fitted to other images; its own verdict, or as large a share uploaded as in "
    "the "
    "paper's row. mAP: VOC07, 11 points, IoU 0.5. Objects: boxes scored > 0.5, right or wrong, as "
    "the "
    "paper counts; true objects: annotated ones that such a box finds. (Columns in parentheses) "
    "are not "
    "printed by the paper but recomputed from its rows. -: not known.";

std::string Csv(const Row& row) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    line += (i > 0 ? "," : "") + CsvField(row[i]);
  }
  return line + "\n";
}

void Values(JsonWriter& json, const PaperTable& table, const PaperLine& line) {
  json.Key("values");
  json.BeginObject();
  for (std::size_t c = 0; c < line.values.size(); ++c) {
    if (line.values[c]) {
      json.Field(table.titles[c], *line.values[c]);
    }
  }
  json.EndObject();
}

void Answer(JsonWriter& json, const char* key, const PaperAnswer& answer) {
  json.Key(key);
  json.BeginObject();
  if (answer.map) {
    json.Field("map_voc07", *answer.map);
  }
  json.Field("objects_counted", answer.counted);
  json.Field("objects_found", answer.found);
  json.Field("upload_ratio", answer.upload_ratio);
  if (answer.seconds) {
    json.Field("seconds", *answer.seconds);
  }
  json.EndObject();
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

std::string PaperText(std::span<const FilledTable> tables, std::span<const PaperPair> pairs) {
  std::string text;
  for (const FilledTable& table : tables) {
    text += Title(*table.paper) + "\n" + FormatTable(Header(table), Rows(table));
    for (const std::string_view slip : table.paper->slips) {
      text += "Note: " + std::string(slip) + ".\n";
    }
    text += "\n";
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    std::string indent = "[" + std::to_string(i + 1) + "] ";
    for (const std::string& line : DescribePair(pairs[i])) {
      text += indent + line + "\n";
      indent = "    ";
    }
  }
  return text + kLegend + "\n";
}

std::string PaperMarkdown(std::span<const FilledTable> tables, std::span<const PaperPair> pairs) {
  std::string text;
  const auto add = [&](const Row& row) {
    text += "|";
    for (std::string cell : row) {
      for (std::size_t at = 0; (at = cell.find('|', at)) != std::string::npos; at += 2) {
        cell.insert(at, "\\");
      }
      text += " " + cell + " |";
    }
    text += "\n";
  };
  for (const FilledTable& table : tables) {
    text += "## " + Title(*table.paper) + "\n\n";
    const Row header = Header(table);
    add(header);
    text += "|";
    for (std::size_t c = 0; c < header.size(); ++c) {
      text += c < 2 || c + 2 >= header.size() ? "---|" : "---:|";
    }
    text += "\n";
    for (const Row& row : Rows(table)) {
      add(row);
    }
    for (const std::string_view slip : table.paper->slips) {
      text += "\nNote: " + std::string(slip) + ".\n";
    }
    text += "\n";
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    text += "- \\[" + std::to_string(i + 1) + "\\] ";
    std::string between;
    for (const std::string& line : DescribePair(pairs[i])) {
      text += between + line;
      between = "; ";
    }
    text += "\n";
  }
  return text + (pairs.empty() ? "" : "\n") + kLegend + "\n";
}

std::string PaperJson(std::span<const FilledTable> tables, std::span<const PaperPair> pairs) {
  std::string text;
  JsonWriter json(text);
  json.BeginObject();
  json.Key("tables");
  json.BeginArray();
  for (const FilledTable& table : tables) {
    json.BeginObject();
    json.Field("number", table.paper->number);
    json.Field("title", table.paper->title);
    json.Field("columns", table.paper->titles);
    json.Field("notes", table.paper->slips);
    json.Key("lines");
    json.BeginArray();
    for (const PaperLine& line : table.lines) {
      json.BeginObject();
      json.Field("row", line.row);
      json.Field("whose", line.whose);
      if (line.pair) {
        json.Field("pair", *line.pair + 1);
      }
      Values(json, *table.paper, line);
      json.FieldUnlessEmpty("remark", line.remark);
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.Key("pairs");
  json.BeginArray();
  for (const PaperPair& pair : pairs) {
    json.BeginObject();
    json.Field("models", NameOf(pair.options().models));
    json.Field("data", NameOf(pair.options().data));
    json.Field("near", pair.near_name());
    json.Field("far", pair.far_name());
    json.Field("models_as_paper", pair.options().models_as_paper);
    json.Field("images_as_paper", pair.options().images_as_paper);
    json.Field("images", pair.images());
    json.Field("objects", pair.objects());
    json.Field("classes", pair.classes());
    json.Field("score_thresholds", pair.score_thresholds());
    json.Field("seed", pair.options().seed);
    json.Field("remarks", pair.remarks());
    Answer(json, "small", pair.small());
    Answer(json, "big", pair.big());
    Answer(json, "ours", pair.ours());
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return text + "\n";
}

Expected<void> WritePaperCsv(const std::string& folder, std::span<const FilledTable> tables,
                             std::span<const PaperPair> pairs) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return Fail(ErrorCode::kIo, "cannot make the folder " + folder + ": " + error.message());
  }
  for (const FilledTable& table : tables) {
    Row header = {"row", "whose", "pair"};
    header.insert(header.end(), table.paper->titles.begin(), table.paper->titles.end());
    header.push_back("remark");
    std::string text = Csv(header);
    for (const PaperLine& line : table.lines) {
      Row row = {line.row, line.whose, line.pair ? std::to_string(*line.pair + 1) : ""};
      for (std::size_t c = 0; c < line.values.size(); ++c) {
        row.push_back(line.values[c] ? Cell(table, line, c) : "");
      }
      row.push_back(line.remark);
      text += Csv(row);
    }
    if (auto written = Write(folder + "/table_" + std::string(table.paper->number) + ".csv", text);
        !written) {
      return written;
    }
  }
  std::string text = Csv({"pair", "description"});
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    for (const std::string& line : DescribePair(pairs[i])) {
      text += Csv({std::to_string(i + 1), line});
    }
  }
  return Write(folder + "/pairs.csv", text);
}

}  // namespace nearfar::cli
