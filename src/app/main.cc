#include "app/command_line.h"
#include "app/commands.h"
#include "app/memory_image.h"
#include "app/memory_use.h"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  mcp_oauth::keep_memory_private();
  mcp_oauth::give_back_large_memory();
  try {
    return mcp_oauth::run_command_line(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "mcp-oauth-proxy: a defect of this program: %s\n", e.what());
    return static_cast<int>(mcp_oauth::exit_code::crash);
  }
}
