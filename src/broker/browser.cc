#include "broker/browser.h"

#include "base/base64url.h"
#include "base/url.h"
#include "jose/digest.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view cookie = "mop_browser";
constexpr seconds cookie_lifetime{180 * 24 * 3600};
constexpr std::size_t cookie_length = 43;  // 32 bytes in base64url

}  // namespace

origin_scheme cookie_scheme(const settings& conf) {
  return conf.public_url.rfind("https://", 0) == 0 ? origin_scheme::https : origin_scheme::http;
}

std::string digest_of(std::string_view value) { return base64url_encode(sha256_bytes(value)); }

std::optional<browser> known_browser(const broker_world& world, const http_request& request) {
  auto value = find_cookie(request.fields, cookie, cookie_scheme(world.conf));
  if (!value || value->size() != cookie_length || !base64url_decode(*value)) return std::nullopt;
  return browser{digest_of(*value), {}};
}

browser known_or_new_browser(const broker_world& world, const http_request& request) {
  if (auto known = known_browser(world, request)) return *known;
  auto value = base64url_encode(world.random(32));
  auto field = set_cookie(cookie, value, cookie_scheme(world.conf), cookie_lifetime);
  return browser{digest_of(value), field.value_or("")};
}

void keep_browser(http_response& answer, const browser& b) {
  if (!b.new_cookie.empty()) answer.fields.add("Set-Cookie", b.new_cookie);
}

std::string forget_browser(const broker_world& world) {
  return expire_cookie(cookie, cookie_scheme(world.conf));
}

std::string seal_form(const broker_world& world, std::string_view purpose, std::string_view browser_digest,
                      json::object content, time_point expires) {
  content["browser"] = json::string_view(browser_digest.data(), browser_digest.size());
  content["expires"] = to_unix(expires);
  return base64url_encode(world.seal.seal("form", purpose, json::serialize(content), world.random));
}

result<json::object> open_form(const broker_world& world, std::string_view purpose,
                               std::string_view browser_digest, std::string_view sealed, time_point now) {
  auto bytes = base64url_decode(sealed);
  if (!bytes) return fail(errc::consent_forged, "the form's hidden value is not base64url");
  auto opened = world.seal.open("form", purpose, *bytes);
  if (!opened) return fail(errc::consent_forged, "the form's hidden value is not ours");
  auto content = parse_json_object(*opened);
  std::int64_t expires = 0;
  if (!content || read(*content, "expires", expires) != member::present) {
    return fail(errc::consent_forged, "the form's hidden value cannot be read");
  }
  if (text_member(*content, "browser") != browser_digest) {
    return fail(errc::state_foreign_browser, "the form was made for another browser");
  }
  if (from_unix(expires) <= now) {
    return fail(errc::state_expired, "the form ended " + std::to_string(to_unix(now) - expires) + " s ago");
  }
  return std::move(*content);
}

result<void> check_own_form(const settings& conf, const http_request& request) {
  auto site = request.fields.first("sec-fetch-site");
  if (!site.empty()) {
    if (site == "same-origin") return {};
    return fail(errc::consent_forged, "Sec-Fetch-Site is " + std::string(site.substr(0, 20)));
  }
  auto origin = request.fields.first("origin");
  // Pages with `Referrer-Policy: no-referrer` post with `Origin: null`.
  if (origin.empty() || origin == "null") return {};
  auto ours = url::parse(conf.public_url);
  if (ours && ours->origin() == origin) return {};
  return fail(errc::consent_forged, "the form was sent by another origin");
}

bool may_be_cross_site(const http_request& request) {
  auto site = request.fields.only("sec-fetch-site");
  return site != "same-origin";
}

}  // namespace mcp_oauth
