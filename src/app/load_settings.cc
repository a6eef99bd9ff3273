#include "app/commands.h"
#include "app/file_access.h"
#include "config/load.h"
#include "symptom/catalogue.h"

#include <algorithm>
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

std::string config_file_of(const command_input& in) {
  if (!in.config_file.empty()) return in.config_file;
  auto named = environment("CONFIG_PATH").value_or("");
  return named.empty() && in.default_file ? "config.yaml" : named;
}

tl::expected<loaded, std::vector<std::string>> read_settings(const command_input& in, bool standalone_ok,
                                                             const config_flags& more,
                                                             std::vector<errc>* codes) {
  auto tell = [codes](errc code) {
    if (codes != nullptr && std::find(codes->begin(), codes->end(), code) == codes->end())
      codes->push_back(code);
  };
  config_input input;
  input.file_name = config_file_of(in);
  bool named = !in.config_file.empty() || !environment("CONFIG_PATH").value_or("").empty();
  std::error_code ignored;
  input.absolute_path = absolute_path(input.file_name);
  if (!input.file_name.empty() && std::filesystem::exists(input.file_name, ignored)) {
    auto text = read_file_text(input.file_name);
    if (!text) {
      tell(text.error().code);
      return tl::unexpected(std::vector{input.absolute_path + ": cannot be read: " + text.error().detail});
    }
    input.text = std::move(*text);
  }
  input.file = named ? config_file::required : config_file::optional;
  input.environment = environment;
  input.variables = environment_names();
  input.read_file = read_file_text;
  input.flags = in.flags;
  input.flags.insert(input.flags.end(), more.begin(), more.end());
  input.standalone_ok = standalone_ok;

  std::vector<std::string> doubts;
  auto loaded = load(input, &doubts);
  if (!loaded) {
    std::vector<std::string> lines;
    for (const auto& e : loaded.error()) {
      lines.push_back(to_string(e));
      tell(e.code);
    }
    for (const auto& doubt : doubts) lines.push_back("⚠ Warning: " + doubt);
    return tl::unexpected(std::move(lines));
  }
  auto& log = loaded->value.log;
  log.copy_to_stderr = in.debug || in.verbose || !environment("DEBUG").value_or("").empty();
  if (in.debug && log.debug.empty()) log.debug = {"*"};
  if (in.debug && log.level != "trace") log.level = "debug";
  if (in.verbose) log.level = "trace";
  return std::move(*loaded);
}

std::optional<settings> load_settings(const command_input& in, bool standalone_ok, exit_code& why,
                                      std::vector<std::string>* warnings) {
  std::vector<errc> codes;
  auto loaded = read_settings(in, standalone_ok, {}, &codes);
  if (!loaded) {
    for (const auto& line : loaded.error()) std::cerr << line << "\n";
    for (errc code : codes) std::cerr << "  (" << explain(code).id << ")\n";
    why = exit_code::configuration;
    return std::nullopt;
  }
  if (warnings != nullptr) {
    *warnings = std::move(loaded->warnings);
  } else {
    for (const auto& warning : loaded->warnings) std::cerr << "⚠ Warning: " << warning << "\n";
  }
  return std::move(loaded->value);
}

}  // namespace mcp_oauth
