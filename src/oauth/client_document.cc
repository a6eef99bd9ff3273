#include "oauth/client_document.h"

#include "base/form.h"
#include "base/ip_address.h"
#include "base/json.h"
#include "base/text.h"
#include "oauth/redirect_uri.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_name = 200;

tl::unexpected<error> refused(std::string why) { return fail(errc::client_document_refused, std::move(why)); }
tl::unexpected<error> invalid(std::string why) { return fail(errc::client_document_invalid, std::move(why)); }

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; });
}

// RFC 3986 §3.3, judged after decoding once: an escaped dot is a dot to whoever normalises, and so is an
// escaped slash to some.
bool has_dot_segment(std::string_view decoded_path) {
  for (const auto& segment : split_words(decoded_path, '/')) {
    if (segment == "." || segment == "..") return true;
  }
  return false;
}

bool is_json(std::string_view content_type) {
  auto type = to_lower(trim(content_type.substr(0, content_type.find(';'))));
  return type == "application/json" || (type.starts_with("application/") && type.ends_with("+json"));
}

// Some libraries write absent members as null.
void drop_nulls(json::object& document) {
  for (auto member = document.begin(); member != document.end();) {
    member = member->value().is_null() ? document.erase(member) : member + 1;
  }
}

// The optional members of RFC 7591 §2 that we use.
result<void> read_optional(const json::object& document, client_metadata& client) {
  auto wrong = [](std::string_view name) { return invalid(std::string(name) + " has the wrong type"); };

  for (auto [name, to] : {std::pair<std::string_view, std::string*>{"client_uri", &client.client_uri},
                          {"logo_uri", &client.logo_uri},
                          {"tos_uri", &client.tos_uri},
                          {"policy_uri", &client.policy_uri},
                          {"scope", &client.scope},
                          {"application_type", &client.application_type},
                          {"software_id", &client.software_id},
                          {"software_version", &client.software_version}}) {
    if (read(document, name, *to) == member::wrong_type) return wrong(name);
    bool for_people = name.ends_with("_uri");
    if (for_people) {
      auto parsed = url::parse(*to);
      if (!parsed || !parsed->is_http()) to->clear();
    }
  }
  for (auto [name, to] :
       {std::pair<std::string_view, std::vector<std::string>*>{"grant_types", &client.grant_types},
        {"response_types", &client.response_types},
        {"contacts", &client.contacts}}) {
    if (read(document, name, *to) == member::wrong_type) return wrong(name);
  }
  if (!document.contains("grant_types")) client.grant_types = {"authorization_code"};
  if (!document.contains("response_types")) client.response_types = {"code"};
  return {};
}

}  // namespace

bool is_client_document_id(std::string_view client_id) {
  return starts_with_ignoring_case(client_id, "https://");
}

result<url> client_document_url(std::string_view client_id) {
  if (client_id.size() > longest_client_document_url) return refused("client id longer than 2048 characters");
  auto parsed = url::parse(client_id);
  if (!parsed) return refused("client id: " + parsed.error().detail);
  if (parsed->scheme != "https") return refused("client id: scheme is not https");
  // The draft asks for a path component; clients in use do not count "/" as one.
  if (parsed->path.empty() || parsed->path == "/") return refused("client id: no path");
  auto path = percent_decode(parsed->path);
  if (!path || has_control(*path) || path->find('\\') != std::string::npos) {
    return refused("client id: an escape in the path that no server needs");
  }
  if (has_dot_segment(*path)) return refused("client id: a dot segment in the path");
  if (parsed->has_fragment) return refused("client id: a fragment");
  if (is_disguised_address(parsed->host))
    return refused("client id: a disguised IP address for a host: " + parsed->host);
  return std::move(*parsed);
}

result<client_metadata> parse_client_document(std::string_view client_id, const http_answer& answer,
                                              std::size_t most_bytes) {
  auto about = [&](std::string_view what) { return std::string(what) + " from " + std::string(client_id); };
  // A redirect is no success either: it would put another document under this name.
  if (answer.status != 200) {
    return fail(errc::client_document_unreachable, about("status " + std::to_string(answer.status)));
  }
  auto content_type = answer.fields.only("content-type");
  if (!content_type || !is_json(*content_type)) {
    return fail(errc::client_document_unreachable,
                about("content type '" + std::string(content_type.value_or("")) + "', not JSON,"));
  }
  if (answer.body.size() > most_bytes) {
    return fail(errc::fetch_too_large, about(std::to_string(answer.body.size()) + " bytes"));
  }
  auto document = parse_json_object(answer.body);
  if (!document) return invalid(about("not a JSON object: " + document.error().detail));
  drop_nulls(*document);

  client_metadata client;
  if (read(*document, "client_id", client.client_id) != member::present) return invalid("no client_id");
  // Simple string comparison (RFC 3986 §6.2.1).
  if (client.client_id != client_id) {
    return invalid("client_id is '" + client.client_id + "', expected '" + std::string(client_id) + "'");
  }
  if (read(*document, "client_name", client.client_name) != member::present ||
      trim(client.client_name).empty()) {
    return invalid("no client_name");
  }
  if (client.client_name.size() > longest_name || has_control(client.client_name)) {
    return invalid("client_name is longer than 200 bytes or holds control characters");
  }
  if (document->contains("client_secret") || document->contains("client_secret_expires_at")) {
    return invalid("a secret in a public document");
  }
  auto method = read(*document, "token_endpoint_auth_method", client.token_endpoint_auth_method);
  if (method == member::absent) client.token_endpoint_auth_method = "none";
  if (method == member::wrong_type || client.token_endpoint_auth_method != "none") {
    return invalid("token_endpoint_auth_method '" + client.token_endpoint_auth_method + "', expected 'none'");
  }
  if (read(*document, "redirect_uris", client.redirect_uris) != member::present)
    return invalid("no redirect_uris");
  std::erase_if(client.redirect_uris, [](const std::string& uri) { return !check_redirect_uri_form(uri); });
  if (client.redirect_uris.empty()) return invalid("redirect_uris holds none that a client may use");

  auto rest = read_optional(*document, client);
  if (!rest) return tl::unexpected(rest.error());
  return client;
}

seconds client_document_lifetime(const http_answer& answer) {
  constexpr seconds shortest{5 * 60}, usual{3600}, longest{24 * 3600};
  std::optional<std::string> own, shared;
  bool forbidden = false;
  for (const auto& [name, value] : answer.fields) {
    if (!equal_ignoring_case(name, "cache-control")) continue;
    for (const auto& part : split_words(value, ',')) {
      auto directive = to_lower(trim(part));
      if (directive == "no-store" || directive.starts_with("no-cache")) forbidden = true;
      if (directive.starts_with("max-age=")) own = directive.substr(8);
      if (directive.starts_with("s-maxage=")) shared = directive.substr(9);
    }
  }
  if (forbidden) return shortest;
  const auto& stated = shared ? shared : own;
  if (!stated) return usual;
  // RFC 9111 §4.2.1: a freshness that cannot be read counts as stale.
  auto age = parse_decimal(*stated);
  if (!age) return shortest;
  auto bounded = std::min<std::uint64_t>(*age, static_cast<std::uint64_t>(longest.count()));
  return std::max(shortest, seconds(static_cast<std::int64_t>(bounded)));
}

}  // namespace mcp_oauth
