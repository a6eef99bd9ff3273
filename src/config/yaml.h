#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

namespace mcp_oauth {

// A YAML document as plain data that knows its lines. Scalars are kept as
// written; their types are the reader's matter.
struct yaml_node {
  enum class kind { null, scalar, list, map };
  kind is = kind::null;
  int line = 0;                    // 1-based
  std::string text;                // of a scalar
  std::vector<std::string> names;  // of a map, in the order of the file
  std::vector<int> name_lines;     // 1-based, one per name
  std::vector<yaml_node> items;    // of a list, or the values of a map

  const yaml_node* find(std::string_view name) const {
    for (std::size_t i = 0; i < names.size() && i < items.size(); ++i) {
      if (names[i] == name) return &items[i];
    }
    return nullptr;
  }
};

struct yaml_fault {
  int line = 0;  // 0: the text as a whole
  std::string reason;
};

// Exactly one document, or none (a null). Refused besides bad syntax: more than
// 1 MiB, bytes that are not UTF-8, control characters but tab and line breaks,
// a depth over 16, more than 50,000 nodes, anchors, aliases, merge keys and
// tags (a small file could grow without end), keys that are not text, and a key
// given twice in one map. No reason quotes the text, but for the name of a key given twice: it may hold
// secrets. With `twice` those are told there, the first of them counts, and reading goes on.
tl::expected<yaml_node, yaml_fault> parse_yaml(std::string_view text,
                                               std::vector<yaml_fault>* twice = nullptr);

}  // namespace mcp_oauth
