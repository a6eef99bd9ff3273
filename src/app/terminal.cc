#include "app/terminal.h"

#include <cstdlib>
#include <string_view>

#include <unistd.h>

namespace mcp_oauth {

bool wants_colour() {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  bool refused = no_color != nullptr && *no_color != '\0';
  bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return !refused && !dumb && ::isatty(STDOUT_FILENO) == 1;
}

}  // namespace mcp_oauth
