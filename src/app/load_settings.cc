#include "app/commands.h"
#include "config/load.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace mcp_oauth {
namespace {

std::optional<std::string> environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(errc::file_unreadable, path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::optional<settings> load_settings(const command_input& in, bool standalone_ok, exit_code& why,
                                      bool quiet) {
  config_input input;
  bool named = true;
  input.file_name = in.config_file;
  if (input.file_name.empty()) input.file_name = environment("CONFIG_PATH").value_or("");
  if (input.file_name.empty()) {
    input.file_name = "config.yaml";
    named = false;
  }
  std::error_code ignored;
  input.absolute_path = std::filesystem::absolute(input.file_name, ignored).string();
  if (std::filesystem::exists(input.file_name, ignored)) {
    auto text = read_file(input.file_name);
    if (!text) {
      std::cerr << input.absolute_path << ": cannot be read\n";
      why = exit_code::configuration;
      return std::nullopt;
    }
    input.text = std::move(*text);
  }
  input.file = named ? config_file::required : config_file::optional;
  input.environment = environment;
  input.read_file = read_file;
  input.flags = in.flags;
  input.standalone_ok = standalone_ok;

  auto loaded = load(input);
  if (!loaded) {
    for (const auto& e : loaded.error()) std::cerr << to_string(e) << "\n";
    why = exit_code::configuration;
    return std::nullopt;
  }
  if (!quiet) {
    for (const auto& warning : loaded->warnings) std::cerr << "⚠ Warning: " << warning << "\n";
  }
  if (in.debug) loaded->value.log.level = "debug";
  return std::move(loaded->value);
}

}  // namespace mcp_oauth
