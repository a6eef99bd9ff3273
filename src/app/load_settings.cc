#include "app/commands.h"
#include "app/file_access.h"
#include "config/load.h"

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <unistd.h>

namespace mcp_oauth {
namespace {

std::optional<std::string> environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

// Names only: what the variables hold is not looked at.
std::vector<std::string> environment_names() {
  std::vector<std::string> names;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string_view text = *entry;
    names.emplace_back(text.substr(0, text.find('=')));
  }
  return names;
}

}  // namespace

std::optional<settings> load_settings(const command_input& in, bool standalone_ok, exit_code& why,
                                      std::vector<std::string>* warnings) {
  config_input input;
  bool named = true;
  input.file_name = in.config_file;
  if (input.file_name.empty()) input.file_name = environment("CONFIG_PATH").value_or("");
  if (input.file_name.empty() && in.default_file) {
    input.file_name = "config.yaml";
    named = false;
  }
  std::error_code ignored;
  input.absolute_path = absolute_path(input.file_name);
  if (!input.file_name.empty() && std::filesystem::exists(input.file_name, ignored)) {
    auto text = read_file_text(input.file_name);
    if (!text) {
      std::cerr << input.absolute_path << ": cannot be read: " << text.error().detail << "\n";
      why = exit_code::configuration;
      return std::nullopt;
    }
    input.text = std::move(*text);
  }
  input.file = named ? config_file::required : config_file::optional;
  input.environment = environment;
  input.variables = environment_names();
  input.read_file = read_file_text;
  input.flags = in.flags;
  input.standalone_ok = standalone_ok;

  auto loaded = load(input);
  if (!loaded) {
    for (const auto& e : loaded.error()) std::cerr << to_string(e) << "\n";
    why = exit_code::configuration;
    return std::nullopt;
  }
  if (warnings != nullptr) {
    *warnings = loaded->warnings;
  } else {
    for (const auto& warning : loaded->warnings) std::cerr << "⚠ Warning: " << warning << "\n";
  }
  if (in.debug) loaded->value.log.level = "debug";
  return std::move(loaded->value);
}

}  // namespace mcp_oauth
