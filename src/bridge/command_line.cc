#include "bridge/command_line.h"

#include "base/shell.h"
#include "base/text.h"
#include "bridge/options.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

constexpr std::string_view hidden = "***";

bool is_reference(std::string_view value) {
  bool variable = value.starts_with("${") && value.find('}') == value.size() - 1;
  return variable || value.starts_with('@');
}

// The name may be shown, and what stands behind the separator may not.
std::string half_hidden(std::string_view value, char separator) {
  auto at = value.find(separator);
  if (at == std::string_view::npos) return std::string(hidden);
  auto behind = trim(value.substr(at + 1));
  auto between = separator == ':' ? ": " : std::string(1, separator);
  return std::string(value.substr(0, at)) + between + std::string(is_reference(behind) ? behind : hidden);
}

std::string shown_value(std::string_view flag, std::string_view value) {
  if (flag == "--header") return half_hidden(value, ':');
  if (flag == "--authorize-param") return half_hidden(value, '=');
  // A command may hold a password, a document a secret.
  constexpr auto closed =
      std::to_array<std::string_view>({"--access-token-command", "--assertion-command",
                                       "--static-oauth-client-info", "--static-oauth-client-metadata"});
  bool may_be_secret = std::find(closed.begin(), closed.end(), flag) != closed.end();
  for (const auto& option : bridge_options()) {
    if (option.flag == flag) may_be_secret = may_be_secret || option.is_secret;
  }
  return std::string(may_be_secret && !is_reference(value) ? hidden : value);
}

bool has_value(std::string_view flag) {
  if (flag == "--config" || flag == "--header-file") return true;
  for (const auto& option : bridge_options()) {
    if (option.flag == flag) return true;
  }
  for (const auto& one : bridge_flags()) {
    if (one.name == flag) return one.has_value;
  }
  return false;
}

std::string name_of(bridge_grant grant) {
  switch (grant) {
    case bridge_grant::client_credentials: return "client_credentials";
    case bridge_grant::jwt_bearer: return "jwt_bearer";
    case bridge_grant::enterprise: return "enterprise";
    case bridge_grant::given: return "token";
    case bridge_grant::authorization_code:
    case bridge_grant::device_code: break;
  }
  return "";  // two ways to one sign-in
}

}  // namespace

std::vector<std::string> without_secrets(const std::vector<std::string>& arguments) {
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& one = arguments[i];
    auto equals = one.find('=');
    auto flag = one.substr(0, equals);
    if (!one.starts_with("--")) {
      shown.push_back(one);
    } else if (equals != std::string::npos) {
      shown.push_back(flag + "=" + shown_value(flag, one.substr(equals + 1)));
    } else {
      shown.push_back(one);
      if (has_value(flag) && i + 1 < arguments.size()) shown.push_back(shown_value(flag, arguments[++i]));
    }
  }
  return shown;
}

// Whoever runs the command is there to be asked, whatever the bridge was told.
std::string bridge_command_line(std::string_view verb, const bridge_settings& settings) {
  const auto& in = settings.sign_in;
  std::string line =
      "mcp-oauth-proxy bridge " + std::string(verb) + " " + shell_quoted(settings.upstream.url);
  const auto& given = settings.shown_arguments;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (!in.interactive && given[i] == "--interactive") {
      ++i;
    } else if (in.interactive || !given[i].starts_with("--interactive=")) {
      line += " " + shell_quoted(given[i]);
    }
  }
  auto variables = settings.named_variables;
  auto told = std::find(given.begin(), given.end(), "--config") != given.end() ||
              holds(variables, "MCP_PROXY_CONFIG");
  if (!in.interactive && std::erase(variables, "OAUTH2_INTERACTIVE") + (told ? 1U : 0U) > 0)
    line += " --interactive true";
  // The registered redirect URI has the port of that name's default.
  if (settings.drop_in && verb == "login" && !in.callback_port && in.redirect_uri.empty())
    line += " --callback-port " + std::to_string(port_of_the_guide);
  if (!variables.empty()) line += " (with " + join(variables, ", ") + " as the bridge has it)";
  return line;
}

std::string with_command_lines(std::string_view text, const bridge_settings& settings) {
  std::string out(text);
  for (std::string_view verb : {"login", "logout"}) {
    auto general = "mcp-oauth-proxy bridge " + std::string(verb) + " URL";
    if (auto at = out.find(general); at != std::string::npos)
      out.replace(at, general.size(), bridge_command_line(verb, settings));
  }
  return out;
}

std::string kept_settings(const bridge_settings& settings) {
  const auto& s = settings.sign_in;
  std::string variables, flags;
  auto flag = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) flags += std::string(name) + " " + shell_quoted(value) + " ";
  };
  auto variable = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) variables += std::string(name) + "=" + value + " ";
  };
  auto names = [](const std::vector<std::pair<std::string, std::string>>& pairs) {
    std::vector<std::string> all;
    for (const auto& [name, value] : pairs) all.push_back(name + "=" + std::string(hidden));
    return all;
  };
  variable("OAUTH2_AUTHORIZATION_URL", s.authorization_url.empty() ? "" : shell_quoted(s.authorization_url));
  variable("OAUTH2_EXTRA_PARAMS", join(names(s.extra_params), ","));
  variable("OAUTH2_REFRESH_TOKEN", s.refresh_token.empty() ? "" : std::string(hidden));
  flag("--grant", name_of(s.grant));
  flag("--issuer", s.issuer);
  flag("--token-endpoint", s.token_url);
  flag("--client-id", s.client_id);
  flag("--client-metadata-url", s.client_metadata_url);
  if (s.scope) flags += "--scope " + shell_quoted(*s.scope) + " ";
  if (s.resource) flags += "--resource " + shell_quoted(*s.resource) + " ";
  flag("--audience", s.audience);
  flag("--assertion-file", s.assertion_file);
  flag("--assertion-command", s.assertion_command.empty() ? "" : std::string(hidden));
  flag("--identity-provider-url", s.identity_provider_url);
  flag("--identity-token-url", s.identity_token_url);
  flag("--identity-client-id", s.identity_client_id);
  for (const auto& one : names(s.authorize_params)) flag("--authorize-param", one);
  for (const auto& [name, value] : settings.upstream.headers)
    flag("--header", name + ": " + std::string(hidden));
  auto all = variables + flags;
  if (!all.empty()) all.pop_back();
  return all;
}

}  // namespace mcp_oauth
