#include "oauth/registration_request.h"

#include "base/json.h"
#include "base/text.h"
#include "base/url.h"
#include "oauth/displayable.h"
#include "oauth/endpoint_form.h"
#include "oauth/redirect_uri.h"
#include "oauth/scope.h"

#include <algorithm>
#include <initializer_list>

namespace mcp_oauth {
namespace {

constexpr std::size_t longest_body = 64 * 1024;
constexpr std::size_t most_redirect_uris = 20;
constexpr std::size_t most_items = 20;
constexpr std::size_t longest_text = 256;
constexpr std::size_t longest_uri = 2048;

tl::unexpected<error> malformed(std::string_view name, std::string_view what) {
  return fail(errc::registration_malformed, std::string(name) + ": " + std::string(what));
}

// Clients write null for what they do not set.
template <class T>
result<bool> read_member(const json::object& o, std::string_view name, T& out) {
  const auto* value = o.if_contains({name.data(), name.size()});
  if (value == nullptr || value->is_null()) return false;
  if (read(o, name, out) != member::present) return malformed(name, "of another type");
  return true;
}

result<void> read_text(const json::object& o, std::string_view name, std::string& out) {
  std::string text;
  auto present = read_member(o, name, text);
  if (!present) return tl::unexpected(present.error());
  if (text.size() > longest_text) return malformed(name, "longer than 256 bytes");
  out = displayable(text);
  return {};
}

result<void> read_page_uri(const json::object& o, std::string_view name, std::string& out,
                           std::vector<std::string>& dropped) {
  std::string text;
  auto present = read_member(o, name, text);
  if (!present) return tl::unexpected(present.error());
  if (text.empty()) return {};
  auto parsed = url::parse(text);
  bool shown = parsed && text.size() <= longest_uri &&
               (parsed->scheme == "https" || (parsed->scheme == "http" && parsed->is_loopback()));
  if (shown) {
    out = std::move(text);
  } else {
    dropped.push_back(std::string(name) + ": not an https URL of at most 2048 characters");
  }
  return {};
}

// Keeps those of `offered`, the first of which must remain; all of them when the member is absent or empty.
result<void> read_choices(const json::object& o, std::string_view name,
                          std::initializer_list<std::string_view> offered, std::vector<std::string>& out,
                          std::vector<std::string>& dropped) {
  std::vector<std::string> asked;
  auto present = read_member(o, name, asked);
  if (!present) return tl::unexpected(present.error());
  if (asked.size() > most_items) return malformed(name, "more than 20");
  for (auto choice : offered) {
    if (asked.empty() || std::find(asked.begin(), asked.end(), choice) != asked.end())
      out.emplace_back(choice);
  }
  if (!asked.empty() && out.size() < asked.size())
    dropped.push_back(std::string(name) + ": what is not offered");
  if (std::find(out.begin(), out.end(), *offered.begin()) == out.end()) {
    return malformed(name, std::string(*offered.begin()) + " is missing");
  }
  return {};
}

result<void> read_redirect_uris(const json::object& o, const server_rules& rules,
                                registration_request& into) {
  std::vector<std::string> asked;
  auto present = read_member(o, "redirect_uris", asked);
  if (!present) return tl::unexpected(present.error());
  if (asked.empty()) return fail(errc::registration_redirect_refused, "redirect_uris is missing or empty");
  if (asked.size() > most_redirect_uris) return malformed("redirect_uris", "more than 20");
  auto& kept = into.client.redirect_uris;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    auto acceptable = check_redirect_uri_registrable(asked[i], rules);
    if (!acceptable) {
      into.dropped.push_back("redirect_uris[" + std::to_string(i) + "]: " + acceptable.error().detail);
    } else if (std::find(kept.begin(), kept.end(), asked[i]) == kept.end()) {
      kept.push_back(std::move(asked[i]));
    }
  }
  if (kept.empty()) return fail(errc::registration_redirect_refused, join(into.dropped, "; "));
  return {};
}

result<void> read_authentication(const json::object& o, std::string& method) {
  auto present = read_member(o, "token_endpoint_auth_method", method);
  if (!present) return tl::unexpected(present.error());
  if (!*present) method = "client_secret_basic";  // RFC 7591 §2
  if (method != "none" && method != "client_secret_basic" && method != "client_secret_post") {
    return malformed("token_endpoint_auth_method", "not offered");
  }
  return {};
}

result<void> read_scope(const json::object& o, const server_rules& rules, registration_request& into) {
  std::string text;
  auto present = read_member(o, "scope", text);
  if (!present) return tl::unexpected(present.error());
  auto asked = parse_scope(text);
  if (!asked) return malformed("scope", "too long, or a character that no scope may hold");
  std::vector<std::string> kept;
  for (auto& scope : *asked) {
    const auto& known = rules.scopes_supported;
    if (std::find(known.begin(), known.end(), scope) != known.end()) kept.push_back(scope);
  }
  if (kept.size() < asked->size()) into.dropped.push_back("scope: what is not known here");
  into.client.scope = join(kept, " ");
  return {};
}

result<void> read_contacts(const json::object& o, std::vector<std::string>& out) {
  std::vector<std::string> contacts;
  auto present = read_member(o, "contacts", contacts);
  if (!present) return tl::unexpected(present.error());
  if (contacts.size() > most_items) return malformed("contacts", "more than 20");
  for (const auto& contact : contacts) {
    if (contact.size() > longest_text) return malformed("contacts", "longer than 256 bytes");
    auto shown = displayable(contact);
    if (!shown.empty()) out.push_back(std::move(shown));
  }
  return {};
}

result<void> read_application_type(const json::object& o, std::string& out) {
  std::string type;
  auto present = read_member(o, "application_type", type);
  if (!present) return tl::unexpected(present.error());
  if (type == "web" || type == "native") out = std::move(type);
  return {};
}

result<json::object> parse_body(const http_request& request) {
  if (request.method != "POST") return fail(errc::http_method_refused, "not POST");
  auto content_type = request.fields.only("content-type");
  if (!content_type || !is_media_type(*content_type, "application/json")) {
    return fail(errc::http_media_type_unsupported, "not application/json");
  }
  if (request.body.size() > longest_body) return fail(errc::body_too_large, "a registration over 64 KiB");
  auto parsed = parse_json_object(request.body);
  if (!parsed) return fail(errc::registration_malformed, parsed.error().detail);
  return parsed;
}

}  // namespace

result<registration_request> parse_registration_request(const http_request& request,
                                                        const server_rules& rules) {
  auto body = parse_body(request);
  if (!body) return tl::unexpected(body.error());
  registration_request parsed;
  auto& client = parsed.client;
  auto& dropped = parsed.dropped;
  using check = result<void>;
  check outcome = read_redirect_uris(*body, rules, parsed);
  auto then = [&](auto&& read_next) {
    if (outcome) outcome = read_next();
  };
  then([&] { return read_authentication(*body, client.token_endpoint_auth_method); });
  then([&] {
    return read_choices(*body, "grant_types", {"authorization_code", "refresh_token"}, client.grant_types,
                        dropped);
  });
  then([&] { return read_choices(*body, "response_types", {"code"}, client.response_types, dropped); });
  then([&] { return read_text(*body, "client_name", client.client_name); });
  then([&] { return read_page_uri(*body, "client_uri", client.client_uri, dropped); });
  then([&] { return read_page_uri(*body, "logo_uri", client.logo_uri, dropped); });
  then([&] { return read_page_uri(*body, "tos_uri", client.tos_uri, dropped); });
  then([&] { return read_page_uri(*body, "policy_uri", client.policy_uri, dropped); });
  then([&] { return read_scope(*body, rules, parsed); });
  then([&] { return read_contacts(*body, client.contacts); });
  then([&] { return read_application_type(*body, client.application_type); });
  then([&] { return read_text(*body, "software_id", client.software_id); });
  then([&] { return read_text(*body, "software_version", client.software_version); });
  if (!outcome) return tl::unexpected(outcome.error());
  return parsed;
}

}  // namespace mcp_oauth
