#include "guard/issuer_metadata.h"

#include "base/json.h"
#include "base/text.h"
#include "base/url.h"
#include "oauth/endpoint_url.h"
#include "oauth/near_miss.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr seconds shortest_time{300}, usual_time{3600}, longest_time{24 * 3600};

// What an answer is that is no JSON document; "" for a 200 that may be one.
std::string what_came(const http_answer& answer) {
  auto status = "status " + std::to_string(answer.status);
  if (answer.status >= 300 && answer.status < 400) {
    auto to = answer.fields.first("location");
    return status + ", a redirect" + (to.empty() ? "" : " to '" + std::string(to) + "'") +
           ", which is not followed: configure where it leads, if that is right";
  }
  if (answer.status != 200) return status;
  if (answer.body.empty()) return "an empty answer";
  if (looks_like_a_page(answer.body)) {
    return "a web page (HTML or XML) in place of JSON: a wrong URL, or a sign-in in front of it";
  }
  return {};
}

std::string from(std::string_view url) { return " from " + std::string(url); }

// Plain http is for an issuer that was configured with it, and then for its own host only.
bool may_name(std::string_view issuer, std::string_view document_url, const std::string& endpoint) {
  if (is_usable_endpoint(issuer, endpoint)) return true;
  auto theirs = url::parse(endpoint), document = url::parse(document_url);
  return theirs && document && theirs->scheme == "http" && !theirs->has_fragment &&
         theirs->origin() == document->origin();
}

// "https://host" and "/path" of an issuer; a slash at its end does not count (RFC 8414 §3.1).
std::pair<std::string_view, std::string_view> split_issuer(std::string_view issuer) {
  if (issuer.ends_with('/')) issuer.remove_suffix(1);
  auto scheme = issuer.find("://");
  auto slash = scheme == std::string_view::npos ? scheme : issuer.find('/', scheme + 3);
  if (slash == std::string_view::npos) return {issuer, {}};
  return {issuer.substr(0, slash), issuer.substr(slash)};
}

}  // namespace

bool is_json_document(const http_answer& answer) {
  return what_came(answer).empty() && parse_json_object(answer.body).has_value();
}

std::vector<std::string> metadata_urls(std::string_view issuer) {
  auto [origin, path] = split_issuer(issuer);
  std::string host(origin), rest(path);
  std::vector<std::string> urls = {host + rest + "/.well-known/openid-configuration",
                                   host + "/.well-known/oauth-authorization-server" + rest};
  if (!rest.empty()) urls.push_back(host + "/.well-known/openid-configuration" + rest);
  return urls;
}

http_call metadata_request(std::string_view url) {
  return {"GET", std::string(url), {{"Accept", "application/json"}}, ""};
}

http_call keys_request(std::string_view jwks_uri) {
  return {"GET", std::string(jwks_uri), {{"Accept", "application/json, application/jwk-set+json"}}, ""};
}

result<issuer_metadata> process_metadata_answer(const issuer_rules& rules, std::string_view url,
                                                const http_answer& answer) {
  auto invalid = [&](const std::string& why) { return fail(errc::issuer_metadata_invalid, why + from(url)); };
  if (answer.status >= 500 || answer.status == 429) {
    return fail(errc::issuer_unreachable, "status " + std::to_string(answer.status) + from(url));
  }
  if (auto words = what_came(answer); !words.empty()) return invalid(words);
  auto document = parse_json_object(answer.body);
  if (!document) return invalid("no JSON object (" + document.error().detail + ")");

  issuer_metadata found;
  if (read(*document, "issuer", found.issuer) != member::present)
    return invalid("a document without `issuer`");
  if (found.issuer != rules.issuer) {
    auto words = how_issuers_differ(found.issuer, rules.issuer);
    return invalid("a document of issuer '" + found.issuer + "', configured is '" + rules.issuer + "'" +
                   (words.empty() ? "" : " (" + words + ")") + ",");
  }
  for (auto [name, to] : {std::pair<std::string_view, std::string*>{"jwks_uri", &found.jwks_uri},
                          {"introspection_endpoint", &found.introspection_endpoint}}) {
    auto state = read(*document, name, *to);
    if (state == member::wrong_type) return invalid(std::string(name) + " is no string, in the document");
    if (state == member::present && !may_name(rules.issuer, url, *to)) {
      return invalid(std::string(name) + " '" + *to +
                     "' is not https, or an address inside that this issuer may not name, in the document");
    }
  }
  found.document = answer.body;
  return found;
}

result<key_set> process_keys_answer(std::string_view url, const http_answer& answer) {
  auto unusable = [&](const std::string& why) {
    return fail(errc::issuer_keys_unavailable, why + from(url));
  };
  if (auto words = what_came(answer); !words.empty()) return unusable(words);
  auto keys = key_set::parse(answer.body);
  if (!keys) return unusable(keys.error().detail);
  if (keys->size() == 0) return unusable("a key set without a key that can be used");
  return keys;
}

bool withdraws_every_key(const http_answer& answer) {
  if (!what_came(answer).empty()) return false;
  auto keys = key_set::parse(answer.body);
  return keys && keys->size() == 0;
}

seconds time_to_keep(const http_answer& answer) {
  auto directives = to_lower(answer.fields.first("cache-control"));
  auto time = usual_time;
  for (const auto& part : split_words(directives, ',')) {
    auto directive = trim(part);
    if (directive == "no-store" || directive == "no-cache") return shortest_time;
    constexpr std::string_view max_age = "max-age=";
    if (!directive.starts_with(max_age)) continue;
    auto number = parse_decimal(directive.substr(max_age.size()));
    if (number) time = seconds(static_cast<std::int64_t>(std::min<std::uint64_t>(*number, 1'000'000'000)));
  }
  return std::clamp(time, shortest_time, longest_time);
}

}  // namespace mcp_oauth
