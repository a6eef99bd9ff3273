#include "oauth/challenge.h"

#include "base/form.h"
#include "base/text.h"
#include "oauth/scope.h"
#include "symptom/catalogue.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

std::string scope_list(const std::vector<std::string>& scopes) {
  std::vector<std::string> shown;
  std::copy_if(scopes.begin(), scopes.end(), std::back_inserter(shown),
               [](const auto& s) { return is_scope_token(s) && s != "offline_access"; });
  return join(shown, " ");
}

// RFC 6750 §3: %x20-21 / %x23-5B / %x5D-7E
std::string description_text(std::string_view text) {
  std::string safe;
  for (char c : text) safe += c == '"' ? '\'' : c < ' ' || c >= 0x7F || c == '\\' ? '?' : c;
  return safe;
}

std::string uri_text(std::string_view text) {
  std::string safe;
  for (char c : text) {
    bool unsafe = c <= ' ' || c >= 0x7F || c == '"' || c == '\\';
    safe += unsafe ? percent_encode({&c, 1}) : std::string(1, c);
  }
  return safe;
}

bool is_challenge_error(std::string_view error) {
  return error == "invalid_request" || error == "invalid_token" || error == "insufficient_scope";
}

// RFC 9449 §7.1
bool is_dpop_error(std::string_view error) {
  return is_challenge_error(error) || error == "invalid_dpop_proof" || error == "use_dpop_nonce";
}

std::vector<std::string> common_parameters(errc code, std::string_view resource_metadata_url,
                                           const std::vector<std::string>& scopes,
                                           bool (*may_be_sent)(std::string_view)) {
  const auto& row = explain(code);
  std::vector<std::string> parameters;
  auto add = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) parameters.push_back(std::string(name) + "=\"" + value + "\"");
  };
  if (may_be_sent(row.oauth_error)) {
    add("error", std::string(row.oauth_error));
    add("error_description", description_text(row.description));
  }
  add("scope", scope_list(scopes));
  add("resource_metadata", uri_text(resource_metadata_url));
  return parameters;
}

constexpr std::string_view alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

bool is_token_char(char c) {
  return alnum.find(c) != alnum.npos || std::string_view("!#$%&'*+-.^_`|~").find(c) != alnum.npos;
}
bool is_token68_char(char c) {
  return alnum.find(c) != alnum.npos || std::string_view("-._~+/").find(c) != alnum.npos;
}

class reader {
 public:
  explicit reader(std::string_view text) : rest_(text) {}

  bool at_end() const { return rest_.empty(); }
  void skip_space() { skip(" \t"); }
  void skip_list_space() { skip(" \t,"); }

  bool accept(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view token() {
    auto end = std::find_if_not(rest_.begin(), rest_.end(), is_token_char);
    return take(static_cast<std::size_t>(end - rest_.begin()));
  }

  // The name of a parameter and its '='; nothing, and nothing read, when something else stands there.
  std::optional<std::string_view> parameter_name() {
    auto before = rest_;
    auto name = token();
    skip_space();
    if (!name.empty() && accept('=')) {
      skip_space();
      return name;
    }
    rest_ = before;
    return std::nullopt;
  }

  bool next_is_parameter() const { return reader(*this).parameter_name().has_value(); }

  // A token68 that fills its list element; nothing, and nothing read, when a parameter stands there.
  std::optional<std::string_view> token68() {
    auto end = std::find_if_not(rest_.begin(), rest_.end(), is_token68_char);
    if (end == rest_.begin()) return std::nullopt;
    end = std::find_if_not(end, rest_.end(), [](char c) { return c == '='; });
    auto after = std::find_if_not(end, rest_.end(), [](char c) { return c == ' ' || c == '\t'; });
    if (after != rest_.end() && *after != ',') return std::nullopt;
    return take(static_cast<std::size_t>(end - rest_.begin()));
  }

  std::optional<std::string> value() {
    if (accept('"')) return quoted();
    auto text = token();
    if (text.empty()) return std::nullopt;
    return std::string(text);
  }

 private:
  void skip(std::string_view these) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(these), rest_.size()));
  }

  std::string_view take(std::size_t size) {
    auto text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }

  std::optional<std::string> quoted() {
    std::string text;
    while (!rest_.empty()) {
      char c = take(1)[0];
      if (c == '"') return text;
      if (c == '\\') {
        if (rest_.empty()) return std::nullopt;
        c = take(1)[0];
      }
      // RFC 9110 §5.6.4: neither bare nor escaped controls.
      if ((c >= 0 && c < ' ' && c != '\t') || c == 0x7F) return std::nullopt;
      text += c;
    }
    return std::nullopt;
  }

  std::string_view rest_;
};

}  // namespace

std::string bearer_challenge(errc code, std::string_view resource_metadata_url,
                             const std::vector<std::string>& scopes) {
  auto parameters = common_parameters(code, resource_metadata_url, scopes, is_challenge_error);
  // RFC 6750 §3: at least one parameter.
  if (parameters.empty()) parameters.emplace_back("realm=\"mcp\"");
  return "Bearer " + join(parameters, ", ");
}

std::string dpop_challenge(errc code, std::string_view resource_metadata_url,
                           const std::vector<std::string>& scopes, std::span<const algorithm> algorithms) {
  auto parameters = common_parameters(code, resource_metadata_url, scopes, is_dpop_error);
  std::vector<std::string> names;
  for (auto alg : algorithms) names.emplace_back(to_name(alg));
  parameters.push_back("algs=\"" + join(names, " ") + "\"");
  return "DPoP " + join(parameters, ", ");
}

json::object error_body(errc code, const std::vector<std::string>& required_scopes) {
  const auto& row = explain(code);
  auto error = row.oauth_error.empty() ? row.name : row.oauth_error;
  auto text = [](std::string_view s) { return json::value(json::string(s.data(), s.size())); };
  json::object body;
  body["error"] = text(error);
  body["error_description"] = text(row.description);
  if (!required_scopes.empty()) {
    json::array scopes;
    for (const auto& scope : required_scopes) scopes.push_back(text(scope));
    body["required_scopes"] = std::move(scopes);
  }
  return body;
}

std::optional<std::string_view> challenge::find(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const auto& [key, value] : parameters) {
    if (!equal_ignoring_case(key, name)) continue;
    if (found) return std::nullopt;
    found = value;
  }
  return found;
}

std::vector<challenge> parse_challenges(std::string_view field_value) {
  std::vector<challenge> challenges;
  reader in(field_value);
  while (true) {
    in.skip_list_space();
    if (in.at_end()) return challenges;
    // The comma ends parameters and challenges alike: an element with '=' after its first word is a parameter
    // of the challenge before it.
    if (auto name = in.parameter_name()) {
      if (challenges.empty() || !challenges.back().token68.empty()) return challenges;
      auto value = in.value();
      if (!value) return challenges;
      challenges.back().parameters.emplace_back(to_lower(*name), std::move(*value));
    } else {
      auto scheme = in.token();
      if (scheme.empty()) return challenges;
      challenges.push_back({std::string(scheme), {}, {}});
      if (in.accept(' ')) {
        in.skip_space();
        if (auto text = in.token68()) {
          challenges.back().token68 = *text;
        } else if (in.next_is_parameter()) {
          continue;
        }
      }
    }
    in.skip_space();
    if (!in.at_end() && !in.accept(',')) return challenges;
  }
}

}  // namespace mcp_oauth
