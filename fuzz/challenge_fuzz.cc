// rooms: oauth
#include "oauth/challenge.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {

// What was read can be written again, and reads the same.
std::string written(const std::vector<mcp_oauth::challenge>& challenges) {
  std::string text;
  for (const auto& c : challenges) {
    if (!text.empty()) text += ", ";
    text += c.scheme;
    if (!c.token68.empty()) text += " " + c.token68;
    const char* separator = " ";
    for (const auto& [name, value] : c.parameters) {
      text += separator + name + "=\"";
      for (char byte : value) {
        if (byte == '"' || byte == '\\') text += '\\';
        text += byte;
      }
      text += '"';
      separator = ", ";
    }
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto read = mcp_oauth::parse_challenges({reinterpret_cast<const char*>(data), size});
  auto text = written(read);
  if (written(mcp_oauth::parse_challenges(text)) != text) std::abort();
  return 0;
}
