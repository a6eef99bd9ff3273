#include "app/foreign_text.h"

#include "oauth/redact.h"

namespace mcp_oauth {

void text_of_path(log_line& line, std::string_view name, std::string_view path) {
  // A secret in a path takes a query in disguise.
  if (path.find_first_of("%=") == std::string_view::npos) {
    line.text(name, path);
  } else {
    line.text(name, path_without_secrets(path));
  }
}

void text_of_call(log_line& line, std::string_view name, std::string_view text) {
  if (text.find_first_of(":%=? ") == std::string_view::npos) {
    line.text(name, text);
  } else {
    line.text(name, without_secrets(text));
  }
}

}  // namespace mcp_oauth
