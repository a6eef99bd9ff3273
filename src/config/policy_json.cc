#include "base/json.h"
#include "config/policy_document.h"
#include "config/policy_grammar.h"

#include <cstddef>
#include <optional>
#include <string>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_text = 1024 * 1024;
constexpr int deepest = 16;  // as of YAML
constexpr std::size_t most_nodes = 50'000;

// A document as the grammar reads it. Nothing where it is deeper or larger than any policy.
class planter {
 public:
  std::optional<yaml_node> node_of(const json::value& value, int depth = 0) {
    if (depth > deepest || ++nodes_ > most_nodes) return std::nullopt;
    yaml_node node;
    if (value.is_null()) return node;
    bool full = true;
    auto add = [&](const json::value& item) {
      auto below = node_of(item, depth + 1);
      full = full && below.has_value();
      if (below) node.items.push_back(std::move(*below));
    };
    if (value.is_object()) {
      node.is = yaml_node::kind::map;
      for (const auto& member : value.get_object()) {
        node.names.emplace_back(member.key().data(), member.key().size());
        node.name_lines.push_back(0);
        add(member.value());
      }
    } else if (value.is_array()) {
      node.is = yaml_node::kind::list;
      for (const auto& item : value.get_array()) add(item);
    } else {
      node.is = yaml_node::kind::scalar;
      node.text = value.is_string() ? std::string(value.get_string().data(), value.get_string().size())
                                    : json::serialize(value);
    }
    if (!full) return std::nullopt;
    return node;
  }

 private:
  std::size_t nodes_ = 0;
};

}  // namespace

result<policy_document> read_policy_json(std::string_view text) {
  if (text.size() > longest_text) return fail(errc::policy_document_invalid, "over 1 MiB");
  auto value = parse_json(text);
  if (!value) return fail(errc::policy_document_invalid, "no JSON: " + value.error().detail);
  auto root = planter().node_of(*value);
  if (!root) return fail(errc::policy_document_invalid, "deeper or larger than a policy");
  return policy_in(*root);
}

}  // namespace mcp_oauth
