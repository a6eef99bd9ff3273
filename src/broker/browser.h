#pragma once

#include "base/json.h"
#include "broker/exchange.h"
#include "broker/world.h"
#include "oauth/cookies.h"

#include <optional>
#include <string>
#include <string_view>

namespace mcp_oauth {

// What ties pages, forms and logins to one browser: a random cookie of no other meaning. It is no approval
// and no sign-in; the store and our forms know only its digest.
struct browser {
  std::string digest;
  std::string new_cookie;  // Set-Cookie for a browser that had none; "" otherwise
};

// The browser that the request comes from, or nothing.
std::optional<browser> known_browser(const broker_world& world, const http_request& request);
// The same, or a new one whose cookie the answer must set.
browser known_or_new_browser(const broker_world& world, const http_request& request);
void keep_browser(http_response& answer, const browser& b);
// The Set-Cookie that makes it a new one.
std::string forget_browser(const broker_world& world);

origin_scheme cookie_scheme(const settings& conf);

// BASE64URL(SHA256(value)): the form in which the store names what is secret.
std::string digest_of(std::string_view value);

// A value that only we can read or make, for one purpose, one browser and a time; the hidden input of our
// forms.
std::string seal_form(const broker_world& world, std::string_view purpose, std::string_view browser_digest,
                      json::object content, time_point expires);
// Errors: consent_forged for what is not ours or of another purpose; state_foreign_browser for the form of
// another browser; state_expired.
result<json::object> open_form(const broker_world& world, std::string_view purpose,
                               std::string_view browser_digest, std::string_view sealed, time_point now);

// Whether a POST was sent by a page of ours, as far as the browser says (Sec-Fetch-Site, otherwise Origin). A
// second line behind the sealed form and the SameSite cookie: what the browser leaves out is not missed.
// Errors: consent_forged.
result<void> check_own_form(const settings& conf, const http_request& request);

// Whether another site may have led the browser here: so it says, a sibling host of ours did, or it does not
// say. `none` does not say either: that of a link in a mail stays `none` whichever sites redirect it on.
bool may_be_cross_site(const http_request& request);

}  // namespace mcp_oauth
