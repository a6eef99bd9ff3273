#include "config/load.h"

#include "config/reading.h"

#include <utility>

namespace mcp_oauth {
namespace {

config_error missing_file(const config_input& input) {
  config_error e;
  e.file = input.absolute_path.empty() ? input.file_name : input.absolute_path;
  e.hint =
      "name it with --config or CONFIG_PATH, or set MCP_SERVER_URL and "
      "need no file";
  e.code = errc::config_not_found;
  return e;
}

}  // namespace

tl::expected<loaded, std::vector<config_error>> load(const config_input& input,
                                                     std::vector<std::string>* beside_errors) {
  bool missing = !input.text && !input.file_name.empty();
  if (missing && input.file == config_file::required) return tl::unexpected(std::vector{missing_file(input)});

  config_reading reading;
  read_file(input, reading);
  if (!reading.errors.empty() && reading.errors.front().code == errc::config_malformed) {
    return tl::unexpected(std::move(reading.errors));
  }
  read_environment(input, reading);
  read_flags(input, reading);
  if (beside_errors != nullptr) *beside_errors = reading.warnings;
  bool says_something = reading.has("mcp_server_url") || reading.has("issuers[0].issuer") ||
                        reading.has("provider") || reading.has("mode");
  if (missing && !input.standalone_ok && !says_something) {
    return tl::unexpected(std::vector{missing_file(input)});
  }
  derive(input, reading);
  if (!reading.errors.empty()) return tl::unexpected(std::move(reading.errors));
  return loaded{static_cast<settings&&>(reading.draft), std::move(reading.warnings)};
}

settings with_port(settings s, std::uint16_t bound) {
  if (s.port != 0) return s;
  s.port = bound;
  if (!s.public_url.ends_with(":0")) return s;
  const std::string before = s.public_url;
  const std::string after = before.substr(0, before.size() - 1) + std::to_string(bound);
  auto move = [&](std::string& address) {
    if (address.starts_with(before + "/")) address.replace(0, before.size(), after);
  };
  move(s.callback_url);
  for (auto& upstream : s.upstreams) {
    move(upstream.resource);
    auto own_host = upstream.hosts.empty() ? std::string::npos : upstream.resource.find(":0/");
    if (own_host != std::string::npos) upstream.resource.replace(own_host + 1, 1, std::to_string(bound));
  }
  s.public_url = after;
  return s;
}

}  // namespace mcp_oauth
