#pragma once

#include <string_view>

namespace mcp_oauth {

// A file of the source tree that the program carries with it; see cmake/embed.cmake.
struct embedded_file {
  std::string_view name;  // relative to the BASE it was embedded with
  std::string_view contents;
};

}  // namespace mcp_oauth
