#include "oauth/near_miss.h"

#include "base/base64url.h"
#include "base/json.h"
#include "base/text.h"
#include "base/url.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace mcp_oauth {
namespace {

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

std::string_view without_slash(std::string_view text) {
  while (text.ends_with('/')) text.remove_suffix(1);
  return text;
}

std::string_view without_scheme(std::string_view text) {
  for (std::string_view scheme : {"https://", "http://"}) {
    if (starts_with_ignoring_case(text, scheme)) return text.substr(scheme.size());
  }
  return text;
}

bool has_blanks(std::string_view text) { return text.find_first_of(" \t\r\n") != std::string_view::npos; }

std::string no_blanks(std::string_view text) {
  std::string out(text);
  std::erase_if(out, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  return out;
}

// What only a slip of the pen tells apart.
std::string slip(std::string_view seen, std::string_view expected) {
  if (seen == expected || seen.empty() || expected.empty()) return {};
  if (no_blanks(seen) == no_blanks(expected)) {
    return has_blanks(expected) ? "the configured one has blanks in it" : "it has blanks in it";
  }
  if (without_slash(seen) == without_slash(expected)) {
    return seen.size() > expected.size()
               ? "they differ in the slash at its end, which the configured one lacks: configure " +
                     in_quotes(seen)
               : "they differ in the slash at the end of the configured one: configure " + in_quotes(seen);
  }
  if (equal_ignoring_case(seen, expected)) return "they differ in upper and lower case only";
  if (without_scheme(seen) == without_scheme(expected)) return "they differ in http and https only";
  if (equal_ignoring_case(without_slash(without_scheme(seen)), without_slash(without_scheme(expected)))) {
    return "they differ in scheme, case or the slash at the end only";
  }
  auto a = url::parse(seen), b = url::parse(expected);
  if (a && b && a->is_http() && a->host == b->host && a->path == b->path && a->query == b->query) {
    return a->effective_port() == b->effective_port() ? "they differ in writing the usual port only"
                                                      : "they differ in the port only";
  }
  return {};
}

struct entra {
  int version = 0;  // 0: not Entra's
  std::string_view directory;
};

entra entra_of(std::string_view issuer) {
  entra e;
  auto rest = without_scheme(issuer);
  auto host = rest.substr(0, rest.find('/'));
  auto path = rest.substr(std::min(host.size() + 1, rest.size()));
  if (host == "sts.windows.net") e.version = 1;
  if (host == "login.microsoftonline.com") e.version = without_slash(path).ends_with("/v2.0") ? 2 : 1;
  e.directory = path.substr(0, path.find('/'));
  return e;
}

std::string how_entra_differs(std::string_view seen, std::string_view expected) {
  auto a = entra_of(seen), b = entra_of(expected);
  if (a.version == 0 || b.version == 0) return {};
  if (a.directory != b.directory) return "it is of another directory (tenant) of Entra";
  if (a.version != b.version) {
    std::string words = a.version == 1 ? "it is of Entra's version 1, the configured one of version 2: set "
                                         "requestedAccessTokenVersion of the API's registration to 2"
                                       : "it is of Entra's version 2, the configured one of version 1";
    return words + ", or configure " + in_quotes(seen);
  }
  return {};
}

struct prefix {
  std::string_view text;
  std::string_view whose;
};
constexpr auto prefixes = std::to_array<prefix>({
    {"ghp_", "a personal access token of GitHub"},
    {"gho_", "a token of GitHub"},
    {"ghu_", "a token of GitHub"},
    {"ghs_", "a token of GitHub"},
    {"github_pat_", "a personal access token of GitHub"},
    {"ya29.", "an access token of Google, which is for Google's own interfaces"},
    {"1//", "a refresh token of Google"},
    {"xoxb-", "a token of Slack"},
    {"xoxp-", "a token of Slack"},
    {"glpat-", "a personal access token of GitLab"},
    {"sk-", "an API key"},
    {"AKIA", "a key of AWS"},
    {"0.A", "a refresh token of Entra"},
    {"1.A", "a refresh token of Entra"},
});

std::string_view first_part(std::string_view token) { return token.substr(0, token.find('.')); }

// The JOSE header of a token, if its first part is one.
bool has_header(std::string_view token, bool encrypted) {
  auto bytes = base64url_decode(first_part(token));
  if (!bytes) return false;
  auto members = parse_json_object(*bytes);
  return members && members->contains("alg") && (!encrypted || members->contains("enc"));
}

// Whether the text begins as a JOSE header does, however it goes on.
bool begins_as_header(std::string_view token) {
  std::string part(first_part(token).substr(0, 64));
  for (char& c : part) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (part.ends_with('=')) part.pop_back();
  part.resize(part.size() / 4 * 4);
  auto bytes = base64url_decode(part);
  if (!bytes || !bytes->starts_with('{')) return false;
  constexpr std::array names = {"\"alg\"", "\"typ\"", "\"kid\"", "\"cty\"", "\"enc\"", "\"x5t\""};
  return std::any_of(names.begin(), names.end(),
                     [&](const char* name) { return bytes->find(name) != std::string::npos; });
}

}  // namespace

std::string how_issuers_differ(std::string_view seen, std::string_view expected) {
  auto words = how_entra_differs(seen, expected);
  if (words.empty()) words = slip(seen, expected);
  if (!words.empty() || seen == expected) return words;
  auto a = url::parse(seen), b = url::parse(expected);
  if (!a || !b || !a->is_http() || !b->is_http()) return {};
  if (a->host == b->host) {
    auto one = without_slash(a->path), other = without_slash(b->path);
    if (one.starts_with(other))
      return "the host is the same, and the path of the configured one is cut short";
    if (other.starts_with(one)) return "the host is the same, and the configured one has a longer path";
    return "the host is the same, the path another: another realm, tenant or server of it";
  }
  if (a->path == b->path && a->path.size() > 1) {
    return "the path is the same, the host another: one issuer under two names, as inside and outside of a "
           "container";
  }
  return {};
}

std::string how_audiences_differ(std::span<const std::string> seen, std::string_view client_id,
                                 std::span<const std::string> accepted) {
  for (const auto& one : seen) {
    for (const auto& other : accepted) {
      auto words = slip(one, other);
      if (!words.empty()) return in_quotes(one) + ": " + words;
    }
  }
  // Only then what is less near, for with several servers all have one host.
  for (const auto& one : seen) {
    for (const auto& other : accepted) {
      constexpr std::string_view api = "api://";
      if (one == std::string(api) + other || other == std::string(api) + one) {
        return in_quotes(one) + ": they differ in api:// only; accept both";
      }
      auto a = url::parse(one), b = url::parse(other);
      if (a && b && a->is_http() && b->is_http() && a->host == b->host) {
        return in_quotes(one) +
               ": the host is the same, the path another: the client has to ask with resource set to the "
               "accepted URL";
      }
    }
  }
  for (const auto& one : seen) {
    if (!client_id.empty() && one == client_id) {
      return "the audience is the client's own id: an id token, or the issuer was asked for no resource";
    }
    if (one == "00000003-0000-0000-c000-000000000000" ||
        starts_with_ignoring_case(one, "https://graph.microsoft.com")) {
      return "the token is for Microsoft Graph: the client has to ask for a scope of this API";
    }
    if (one.ends_with("/userinfo"))
      return "the token is for the issuer's userinfo endpoint: the client has to ask with an audience";
    if (one == "account") return "the token has Keycloak's own audience: add an audience mapper for this one";
  }
  return {};
}

std::string how_scopes_differ(std::span<const std::string> granted, std::string_view missing) {
  auto alike = [](std::string_view text) {
    std::string out;
    for (char c : text) out += c == ':' || c == '/' || c == '.' || c == '_' || c == '-' ? ':' : to_lower(c);
    return out;
  };
  auto ends = [](std::string_view longer, std::string_view shorter) {
    if (longer.size() <= shorter.size() || !longer.ends_with(shorter)) return false;
    char before = longer[longer.size() - shorter.size() - 1];
    return before == ':' || before == '/' || before == '.';
  };
  for (const auto& one : granted) {
    if (equal_ignoring_case(one, missing)) return in_quotes(one) + " differs in upper and lower case only";
    if (alike(one) == alike(missing)) return in_quotes(one) + " differs in its separators only";
    if (ends(one, missing)) return in_quotes(one) + " has a prefix more";
    if (ends(missing, one)) return in_quotes(one) + " has a prefix less";
  }
  for (const auto& one : granted) {
    if (one.size() > 4 && edit_distance(one, missing) <= 2) return in_quotes(one) + " is nearly the same";
  }
  return {};
}

token_shape shape_of(std::string_view token) {
  if (token.find_first_of(" \t\r\n\"'") != std::string_view::npos) return token_shape::broken;
  auto dots = std::count(token.begin(), token.end(), '.');
  if (dots == 2 && has_header(token, false)) return token_shape::jwt;
  if (dots == 4 && has_header(token, true)) return token_shape::jwe;
  return begins_as_header(token) ? token_shape::broken : token_shape::opaque;
}

std::string what_token_looks_like(std::string_view token) {
  if (token.empty()) return "it is empty";
  if (token.find_first_of("\"'") != std::string_view::npos) return "it has quotes in it";
  if (starts_with_ignoring_case(token, "bearer ")) return "the word Bearer is part of it: it stands twice";
  if (has_blanks(token)) return "it has blanks or line breaks in it";
  if (token.find('%') != std::string_view::npos) return "it is percent-encoded";
  for (const auto& [text, whose] : prefixes) {
    if (token.starts_with(text)) return "it begins with " + std::string(text) + ": " + std::string(whose);
  }
  auto dots = std::count(token.begin(), token.end(), '.');
  if (dots == 4 && has_header(token, true)) return "it is encrypted (a JWE), and only its issuer can read it";
  if (begins_as_header(token)) {
    if (dots < 2 || token.ends_with('.')) return "it begins as a JWT and is cut off";
    if (dots > 2) return "it begins as a JWT and has too many parts";
    if (token.find_first_of("+/=") != std::string_view::npos) return "it is in base64 and not in base64url";
    return "it begins as a JWT, whose header cannot be read";
  }
  if (starts_with_ignoring_case(token, "basic")) return "it looks like credentials for Basic";
  return "it is an opaque string of " + std::to_string(token.size()) + " characters";
}

bool looks_like_a_page(std::string_view body) {
  auto first = body.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && body[first] == '<';
}

std::string how_long_from(time_point now, time_point then) {
  auto between = std::chrono::duration_cast<seconds>(then - now).count();
  auto count = std::llabs(between);
  std::string amount = count < 120             ? std::to_string(count) + " s"
                       : count < 2 * 3600      ? std::to_string(count / 60) + " min"
                       : count < 2 * 24 * 3600 ? std::to_string(count / 3600) + " h"
                                               : std::to_string(count / (24 * 3600)) + " days";
  return between < 0 ? amount + " ago" : "in " + amount;
}

}  // namespace mcp_oauth
