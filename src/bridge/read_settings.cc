#include "bridge/read_settings.h"

#include "base/json.h"
#include "base/text.h"
#include "base/url.h"
#include "bridge/command_line.h"
#include "bridge/option_values.h"
#include "bridge/options.h"
#include "bridge/outbound.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace mcp_oauth {
namespace {

std::string nearest(std::string_view seen, const std::vector<std::string>& known) {
  std::string best;
  auto least = std::numeric_limits<std::size_t>::max();
  for (const auto& one : known) {
    auto distance = edit_distance(to_lower(seen), to_lower(one));
    if (distance < least) {
      least = distance;
      best = one;
    }
  }
  return least <= std::max<std::size_t>(3, seen.size() / 3) ? best : "";
}

std::string unknown(std::string_view what, std::string_view seen, const std::vector<std::string>& known) {
  auto near = nearest(seen, known);
  return std::string(what) + " " + std::string(seen.substr(0, 80)) +
         (near.empty() ? " is not known" : " is not known; the nearest is " + near);
}

constexpr auto verbs = std::to_array<std::pair<std::string_view, bridge_verb>>(
    {{"login", bridge_verb::login}, {"logout", bridge_verb::logout}, {"status", bridge_verb::status}});

constexpr std::string_view under_the_other_name =
    "Under this name settings come from the environment and MCP_PROXY_CONFIG; for login and status use "
    "mcp-oauth-proxy bridge …";

class reading {
 public:
  explicit reading(const bridge_input& input) : in_(input) {}

  tl::expected<bridge_command, std::vector<std::string>> run() {
    command_.settings.drop_in = in_.drop_in;
    read_verb();
    if (command_.verb == bridge_verb::help || command_.verb == bridge_verb::print_version)
      return std::move(command_);
    // Which file, before anything else.
    auto file = variable("MCP_PROXY_CONFIG");
    for (std::size_t i = 0; i < args_.size(); ++i) {
      if (args_[i] == "--config" && i + 1 < args_.size()) file = args_[i + 1];
      if (args_[i].starts_with("--config=")) file = args_[i].substr(9);
    }
    if (file) read_json(*file);
    read_environment();
    read_arguments();
    check();
    if (!errors_.empty()) return tl::unexpected(std::move(errors_));
    return std::move(command_);
  }

 private:
  void wrong(const std::string& text) { errors_.push_back("failed to load config: " + text); }

  std::optional<std::string> variable(std::string_view name) const {
    auto value = in_.environment ? in_.environment(name) : std::nullopt;
    if (value && value->empty()) value.reset();
    return value;
  }

  void read_verb() {
    args_ = in_.arguments;
    if (!args_.empty() && !in_.drop_in) {
      for (auto [name, verb] : verbs) {
        if (args_.front() != name) continue;
        command_.verb = verb;
        args_.erase(args_.begin());
        break;
      }
    }
    if (command_.verb == bridge_verb::status) command_.as_json = std::erase(args_, "--json") > 0;
    for (const auto& one : args_) {
      if (one == "--help" || one == "-h") command_.verb = bridge_verb::help;
      if (one == "--version") command_.verb = bridge_verb::print_version;
    }
  }

  // ---- the file

  void read_json(const std::string& path) {
    auto text = in_.read_file ? in_.read_file(path) : fail(errc::file_unreadable, "no such file");
    if (!text) {
      bool absent = text.error().detail.find("no such file") != std::string::npos;
      return wrong(absent ? "ENOENT: no such file or directory, open '" + path + "'"
                          : path + ": " + text.error().detail);
    }
    auto document = parse_json_object(*text);
    if (!document) return wrong(path + ": " + document.error().detail);
    file_ = path;
    read_object(*document, "");
  }

  void read_object(const json::object& o, const std::string& prefix) {
    for (const auto& one : o) {
      auto key = prefix + std::string(one.key());
      if (key.starts_with('$') || one.value().is_null()) continue;  // "$schema"
      const auto* option = find([&](const bridge_option& row) { return row.key == key; });
      bool section = std::any_of(bridge_options().begin(), bridge_options().end(),
                                 [&](const auto& row) { return row.key.starts_with(key + "."); });
      if (option != nullptr) {
        take_json(*option, one.value());
      } else if (section && one.value().is_object()) {
        read_object(one.value().as_object(), key + ".");
      } else if (section) {
        wrong(file_ + ": " + key + ": Expected object");
      } else {
        std::vector<std::string> known;
        for (const auto& row : bridge_options()) known.emplace_back(row.key);
        wrong(file_ + ": " + unknown("the key", key, known));
      }
    }
  }

  void take_json(const bridge_option& option, const json::value& value) {
    using kind = bridge_option::kind;
    std::string text;
    bool fits = true;
    switch (option.of) {
      case kind::number: fits = value.is_int64() || value.is_string() || value.is_uint64(); break;
      case kind::boolean: fits = value.is_bool() || value.is_string(); break;
      case kind::list: fits = value.is_array() || value.is_string(); break;
      case kind::map: fits = value.is_object(); break;
      case kind::text: fits = value.is_string(); break;
    }
    constexpr std::string_view names[] = {"string", "number", "boolean", "array", "object"};
    if (!fits)
      return wrong(file_ + ": " + std::string(option.key) + ": Expected " +
                   std::string(names[static_cast<std::size_t>(option.of)]));
    text = value.is_string() ? std::string(value.as_string()) : json::serialize(value);
    take(option, option.key, text);
  }

  // ---- the environment

  void read_environment() {
    std::vector<std::string> known = {"MCP_PROXY_CONFIG"};
    for (const auto& row : bridge_options()) {
      known.emplace_back(row.variable);
      if (auto value = variable(row.variable)) take(row, row.variable, *value);
      if (!row.is_secret) continue;
      auto named = std::string(row.variable) + "_FILE";
      known.push_back(named);
      if (auto path = variable(named)) {
        auto text = in_.read_file(*path);
        if (text) {
          take(row, named, trim(std::string_view(*text).substr(0, text->find_last_not_of("\r\n") + 1)));
        } else {
          wrong(named + ": " + *path + ": " + text.error().detail);
        }
      }
    }
    auto& s = command_.settings;
    if (s.tls.ca_file.empty()) s.tls.ca_file = variable("NODE_EXTRA_CA_CERTS").value_or("");
    if (s.sign_in.token_cache_dir.empty() && !in_.drop_in)
      s.sign_in.token_cache_dir = variable("MCP_REMOTE_CONFIG_DIR").value_or("");
    for (const auto& name : in_.variables) {
      if (holds(known, name) && name != "UPSTREAM_URL" && name != "LOG_LEVEL" && variable(name))
        s.named_variables.push_back(name);
      // oauth2-proxy, another program, has names that begin alike.
      bool ours = (name.starts_with("OAUTH2_") && !name.starts_with("OAUTH2_PROXY_")) ||
                  name.starts_with("UPSTREAM_");
      if (ours && !holds(known, name)) {
        auto words = unknown("the variable", name, known);
        auto end = words.find(" is not known") + std::string_view(" is not known").size();
        command_.warnings.push_back(words.insert(end, " and does nothing"));
      }
    }
    std::sort(s.named_variables.begin(), s.named_variables.end());
  }

  // ---- the command line

  void read_arguments() {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < args_.size(); ++i) {
      const auto& arg = args_[i];
      if (!arg.starts_with("--")) {
        words.push_back(arg);
        continue;
      }
      auto equals = arg.find('=');
      auto name = arg.substr(0, equals);
      auto value = [&]() -> std::optional<std::string> {
        if (equals != std::string::npos) return arg.substr(equals + 1);
        if (i + 1 < args_.size()) return args_[++i];
        wrong(name + " needs a value");
        return std::nullopt;
      };
      if (name == "--config") {
        value();
      } else if (name == "--header-file") {
        if (auto path = value()) read_header_file(*path);
      } else if (const auto* option = find([&](const auto& row) { return row.flag == name; })) {
        auto text = value();
        if (text) take(*option, name, *text);
      } else {
        take_flag(name, value);
      }
    }
    take_words(words);
    auto shown = without_secrets(args_);
    if (auto at = std::find(shown.begin(), shown.end(), command_.settings.upstream.url); at != shown.end())
      shown.erase(at);
    command_.settings.shown_arguments = std::move(shown);
  }

  void take_flag(const std::string& name, const std::function<std::optional<std::string>()>& value) {
    auto flags = bridge_flags();
    auto found = std::find_if(flags.begin(), flags.end(), [&](const auto& row) { return row.name == name; });
    if (found == flags.end()) {
      for (std::string_view transport : {"http-only", "sse-only", "http-first", "sse-first"}) {
        if (name.substr(2) == transport)
          return wrong("the flag " + name + " is not known; it is --transport " + name.substr(2));
      }
      std::vector<std::string> known = {"--config", "--header-file", "--help", "--version"};
      for (const auto& row : flags) known.emplace_back(row.name);
      for (const auto& row : bridge_options()) {
        if (!row.flag.empty()) known.emplace_back(row.flag);
      }
      // "--port" is the end of what it is called here.
      auto longer = std::find_if(known.begin(), known.end(),
                                 [&](const std::string& one) { return one.ends_with(name.substr(1)); });
      if (longer != known.end() && name.size() > 4)
        return wrong("the flag " + name.substr(0, 80) + " is not known; the nearest is " + *longer);
      return wrong(unknown("the flag", name, known));
    }
    of_mcp_remote_ = of_mcp_remote_ || name == "--static-oauth-client-info";
    std::string text;
    if (found->has_value) {
      auto given = value();
      if (!given) return;
      text = std::move(*given);
      if (name == "--header" || name == "--static-oauth-client-info") {
        auto whole = expanded(name, text);
        if (!whole) return;
        text = std::move(*whole);
      }
      if (name.starts_with("--static-oauth") && text.starts_with('@')) {
        auto content = in_.read_file(text.substr(1));
        if (!content) return wrong(name + ": " + text.substr(1) + ": " + content.error().detail);
        text = std::move(*content);
      }
    }
    if (auto flaw = found->take(command_.settings, text)) wrong(name + *flaw);
  }

  // ${NAME} by the environment. An unset one is an error: an empty credential would be sent else.
  std::optional<std::string> expanded(const std::string& who, std::string_view text) {
    std::string out;
    while (true) {
      auto at = text.find("${");
      auto end = at == std::string_view::npos ? at : text.find('}', at);
      if (end == std::string_view::npos) return out + std::string(text);
      auto name = text.substr(at + 2, end - at - 2);
      auto value = variable(name);
      if (!value) {
        wrong(who + ": ${" + std::string(name) + "} is not set");
        return std::nullopt;
      }
      out += text.substr(0, at);
      out += *value;
      text.remove_prefix(end + 1);
    }
  }

  void read_header_file(const std::string& path) {
    auto text = in_.read_file(path);
    if (!text) return wrong("--header-file: " + path + ": " + text.error().detail);
    int number = 0;
    std::string_view rest = *text;
    while (!rest.empty()) {
      auto end = rest.find('\n');
      auto line = trim(rest.substr(0, end));
      if (line.ends_with('\r')) line.remove_suffix(1);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      ++number;
      if (line.empty() || line.starts_with('#')) continue;
      auto where = path + ":" + std::to_string(number);
      auto whole = expanded(where, line);
      if (!whole) continue;
      if (auto flaw = take_header(command_.settings, *whole)) wrong(where + *flaw);
    }
  }

  void take_words(const std::vector<std::string>& words) {
    if (!words.empty() && !in_.drop_in) {
      if (words[0].find("://") == std::string::npos) return refuse_word(words[0]);
      if (auto flaw = option_values::put_url(command_.settings.upstream.url, words[0])) {
        url_told_ = true;
        wrong("the URL" + *flaw);
      }
      if (words.size() > 1) {
        of_mcp_remote_ = true;
        const auto* port = find([](const auto& row) { return row.key == "oauth2.callbackPort"; });
        take(*port, "the callback port", words[1]);
      }
    }
    auto most = in_.drop_in ? 0U : 2U;
    for (std::size_t i = most; i < words.size(); ++i)
      wrong("what is \"" + words[i].substr(0, 60) + "\" for?" +
            (in_.drop_in ? " " + std::string(under_the_other_name) : ""));
  }

  // What stands where the URL should, or a command before it. Nothing else is said of the words behind it.
  void refuse_word(const std::string& word) {
    url_told_ = true;
    auto shown = "\"" + word.substr(0, 60) + "\"";
    std::vector<std::string> known;
    for (const auto& [name, unused] : verbs) known.emplace_back(name);
    if (holds(known, word))
      return wrong(word + " stands before the flags: mcp-oauth-proxy bridge " + word + " URL …");
    bool is_word = word.find_first_of(".:/") == std::string::npos;
    if (is_word) {
      auto near = nearest(word, known);
      return wrong(shown + (near.empty() ? " is neither a URL nor a command: login, logout and status are"
                                         : " is not a command; the nearest is " + near));
    }
    auto local = url::parse("http://" + word);
    auto scheme = local && local->is_loopback() ? "http://" : "https://";
    std::string whole;
    if (word.find("http") != 0 && !option_values::put_url(whole, scheme + word))
      return wrong("the URL " + shown + " has no scheme; is " + whole.substr(0, 80) + " meant?");
    auto flaw = option_values::put_url(whole, word);
    wrong(flaw ? "the URL" + *flaw : "the URL " + shown + " has no //");
  }

  // ---- between the settings

  void check() {
    auto& s = command_.settings;
    auto& in = s.sign_in;
    const bool status_of_all = command_.verb == bridge_verb::status && s.upstream.url.empty();
    if (s.upstream.url.empty() && !status_of_all && !url_told_)
      wrong(in_.drop_in ? "upstream.url: Required (UPSTREAM_URL)"
                        : "upstream.url: Required: the URL of the MCP server is the first argument");
    auto rules = outbound_rules::of(s);
    for (auto [name, value] :
         {std::pair<std::string_view, const std::string*>{"upstream.url", &s.upstream.url},
          {"oauth2.tokenUrl", &in.token_url},
          {"oauth2.authorizationUrl", &in.authorization_url},
          {"oauth2.issuer", &in.issuer},
          {"oauth2.deviceAuthorizationUrl", &in.device_authorization_url},
          {"oauth2.identityProviderUrl", &in.identity_provider_url},
          {"oauth2.identityTokenUrl", &in.identity_token_url},
          {"oauth2.successUrl", &in.success_url}}) {
      if (value->empty()) continue;
      if (auto usable = usable_url(*value, name, rules); !usable) wrong(usable.error().detail);
    }
    if (!in.client_metadata_url.empty() && !in.client_metadata_url.starts_with("https://"))
      wrong("oauth2.clientMetadataUrl must use https");
    if (!in.access_token.empty() || !in.access_token_command.empty()) {
      if (!granted_) in.grant = bridge_grant::given;
      granted_ = true;
    }
    if (in_.drop_in && !granted_)
      wrong(
          "oauth2.grant: Required (OAUTH2_GRANT): authorization_code, client_credentials, device_code, "
          "jwt_bearer, "
          "enterprise or token");
    // Whoever comes from mcp-remote has registered its redirect URI.
    if (of_mcp_remote_ && !host_given_) in.callback_host = "localhost";
    if (of_mcp_remote_ && !path_given_) in.callback_path = "/oauth/callback";
    // What is kept is shown and forgotten without what it was got with.
    if (command_.verb == bridge_verb::serve || command_.verb == bridge_verb::login) check_grant();
    for (const auto& [name, unused] : s.upstream.headers) {
      if (!equal_ignoring_case(name, "Authorization")) continue;
      wrong(
          "upstream.headers: the bridge owns the upstream Authorization header; for a fixed token set "
          "oauth2.grant to token, with OAUTH2_ACCESS_TOKEN");
    }
    if (s.tls.certificate_file.empty() != s.tls.key_file.empty())
      wrong("tls.certificateFile and tls.keyFile belong together");
  }

  void check_grant() {
    const auto& in = command_.settings.sign_in;
    const bool machine = in.grant == bridge_grant::client_credentials;
    const bool may_register = in.discovery && !machine;
    const bool needs_client = machine || in.grant == bridge_grant::authorization_code ||
                              in.grant == bridge_grant::device_code || in.grant == bridge_grant::enterprise;
    if (needs_client && in.client_id.empty() && !may_register)
      wrong("oauth2.clientId: Required (OAUTH2_CLIENT_ID)");
    if (machine && in.client_secret.empty() && in.private_key_file.empty())
      wrong(
          "oauth2.clientSecret: Required with client_credentials (OAUTH2_CLIENT_SECRET), or "
          "oauth2.privateKeyFile");
    if (in.grant == bridge_grant::given && in.access_token.empty() && in.access_token_command.empty())
      wrong(
          "oauth2.accessToken: Required with the grant token (OAUTH2_ACCESS_TOKEN), or "
          "oauth2.accessTokenCommand");
    bool assertion = in.grant == bridge_grant::jwt_bearer || in.grant == bridge_grant::enterprise;
    if (assertion && in.assertion_file.empty() && in.assertion_command.empty())
      wrong("oauth2.assertionFile: Required with this grant, or oauth2.assertionCommand");
    if (in.grant == bridge_grant::enterprise && in.identity_provider_url.empty() &&
        in.identity_token_url.empty())
      wrong("oauth2.identityProviderUrl: Required with enterprise");
    if (in.discovery || in.grant == bridge_grant::given) return;
    auto cannot = [&](const char* why) {
      errors_.push_back(std::string("failed to build oauth2 grant: ") + why);
    };
    if (in.token_url.empty())
      cannot("OAuth2 token endpoint is not set; provide tokenUrl or enable discovery");
    bool has_more = !in.refresh_token.empty() || !in.authorization_code.empty();
    if (in.grant == bridge_grant::authorization_code && in.interactive && in.authorization_url.empty() &&
        !has_more)
      cannot(
          "interactive authorization_code flow requires an authorizationUrl (set OAUTH2_AUTHORIZATION_URL or "
          "enable discovery)");
  }

  // ---- what they share

  template <class P>
  const bridge_option* find(P fits) const {
    auto all = bridge_options();
    auto found = std::find_if(all.begin(), all.end(), fits);
    return found == all.end() ? nullptr : &*found;
  }

  void take(const bridge_option& option, std::string_view name, std::string_view value) {
    if (option.key == "oauth2.grant") granted_ = true;
    if (option.key == "oauth2.callbackHost") host_given_ = true;
    if (option.key == "oauth2.callbackPath") path_given_ = true;
    auto flaw = option.take(command_.settings, value);
    if (!flaw) return;
    url_told_ = url_told_ || option.key == "upstream.url";
    auto where = name == option.key && !file_.empty() ? file_ + ": " : "";
    // Only what is no secret is quoted.
    bool quotes = option.is_secret && option.of == bridge_option::kind::text;
    wrong(where + std::string(name) + (quotes ? ": not usable" : *flaw));
  }

  const bridge_input& in_;
  std::vector<std::string> args_;
  std::string file_;
  bool granted_ = false;
  bool host_given_ = false, path_given_ = false;
  bool of_mcp_remote_ = false;  // by what says there which redirect URI is registered
  bool url_told_ = false;       // something is wrong with the URL, and was said
  bridge_command command_;
  std::vector<std::string> errors_;
};

}  // namespace

tl::expected<bridge_command, std::vector<std::string>> read_bridge_settings(const bridge_input& input) {
  return reading(input).run();
}

std::string bridge_help(bool drop_in) {
  std::string out =
      drop_in ? "Usage: mcp-oauth2-proxy [flags]\n\n" + std::string(under_the_other_name) + "\n\n"
              : std::string(
                    "Usage: mcp-oauth-proxy bridge [login|logout|status] URL [CALLBACK-PORT] [flags]\n"
                    "       mcp-oauth-proxy bridge status [URL] [--json]\n"
                    "\n"
                    "Without a word before the URL: an MCP server on standard input and output that is the "
                    "one at URL, "
                    "signed\n"
                    "in. login signs in now, logout forgets the sign-in and revokes it, status shows what is "
                    "kept.\n"
                    "\n");
  out += "Flags (and the variable of the environment, where there is one):\n";
  auto row = [&](std::string left, std::string_view about, std::string_view variable) {
    left.resize(std::max<std::size_t>(left.size() + 1, 34), ' ');
    out += "  " + left + std::string(about) + (variable.empty() ? "" : " (" + std::string(variable) + ")") +
           "\n";
  };
  row("--config FILE", "A JSON file of settings", "MCP_PROXY_CONFIG");
  for (const auto& one : bridge_options()) {
    if (!one.flag.empty()) row(std::string(one.flag) + " VALUE", one.about, one.variable);
  }
  row("--header-file FILE", "Lines of NAME: VALUE, with # for comments", "");
  for (const auto& one : bridge_flags())
    row(std::string(one.name) + (one.has_value ? " VALUE" : ""), one.about, "");
  return out + "\nSettings without a flag: docs/guide/bridge.md.\n";
}

}  // namespace mcp_oauth
