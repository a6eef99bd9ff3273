#include "config/policy_document.h"

#include "config/policy_grammar.h"
#include "config/yaml.h"

#include <string>

namespace mcp_oauth {

result<policy_document> read_policy_document(std::string_view text) {
  auto first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '<')
    return fail(errc::policy_document_invalid, "line 1: is a web page, or XML");
  auto root = parse_yaml(text);
  if (!root) {
    return fail(errc::policy_document_invalid, "line " + std::to_string(root.error().line) +
                                                   ": neither YAML nor JSON: " + root.error().reason);
  }
  return policy_in(*root);
}

}  // namespace mcp_oauth
