#include "broker/pages.h"

#include "base/base64url.h"
#include "broker/endpoint.h"
#include "broker/page_words.h"
#include "embedded/web.h"
#include "jose/digest.h"
#include "oauth/error_description.h"
#include "symptom/catalogue.h"

#include <kainjow/mustache.hpp>

namespace mcp_oauth {
namespace {

namespace mustache = kainjow::mustache;

std::string file(std::string_view name) {
  for (const auto& f : embedded_web()) {
    if (f.name == name) return std::string(f.contents);
  }
  return {};
}

// Rendering writes into the template object, so each page parses its own; the files are small.
std::string render(std::string_view name, const mustache::data& values) {
  mustache::mustache page(file(name));
  return page.render(values);
}

const std::string& style() {
  static const std::string css = file("style.css");
  return css;
}

// No `form-action`: Chromium applies it to the redirects that follow a form as well, and those end at the
// client.
const std::string& content_security_policy() {
  static const std::string policy = "default-src 'none'; style-src 'sha256-" +
                                    base64_encode(sha256_bytes(style())) +
                                    "'; base-uri 'none'; frame-ancestors 'none'";
  return policy;
}

http_response whole_page(int status, std::string_view title, const std::string& content) {
  mustache::data values;
  values.set("title", std::string(title));
  values.set("style", style());
  values.set("content", content);
  http_response answer;
  answer.status = status;
  answer.fields = {{"Content-Type", "text/html; charset=utf-8"},
                   {"Cache-Control", "no-store"},
                   {"Content-Security-Policy", content_security_policy()},
                   {"X-Frame-Options", "DENY"},
                   {"Referrer-Policy", "no-referrer"},
                   {"X-Content-Type-Options", "nosniff"},
                   {"Cross-Origin-Opener-Policy", "same-origin"}};
  answer.body = render("layout.mustache", values);
  return answer;
}

// An empty string is true to mustache; a value that is not there is left out instead.
void set_unless_empty(mustache::data& values, const std::string& name, std::string_view value) {
  if (!value.empty()) values.set(name, std::string(value));
}

}  // namespace

http_response to_response(const consent_page& page) {
  mustache::data values;
  values.set("client_name", page.client_name);
  set_unless_empty(values, "client_host", page.client_host);
  values.set("configured",
             page.configured ? mustache::data::type::bool_true : mustache::data::type::bool_false);
  values.set("redirect_host", page.redirect_host);
  values.set("this_computer",
             page.this_computer ? mustache::data::type::bool_true : mustache::data::type::bool_false);
  values.set("resource", page.resource);
  mustache::data scopes(mustache::data::type::list);
  for (const auto& s : page.scopes) {
    mustache::data one;
    one.set("scope", s);
    // Always set: what is absent here would be looked up outside.
    auto meaning = meaning_of_scope(s);
    one.set("meaning", meaning.empty() ? mustache::data(mustache::data::type::bool_false)
                                       : mustache::data(std::string(meaning)));
    scopes.push_back(one);
  }
  if (!page.scopes.empty()) values.set("scopes", scopes);
  set_unless_empty(values, "signed_in_as", page.signed_in_as);
  mustache::data choices(mustache::data::type::list);
  for (const auto& [provider, label] : page.choices) {
    mustache::data choice;
    choice.set("provider", provider);
    choice.set("label", label);
    choice.set("quiet",
               choices.is_empty_list() ? mustache::data::type::bool_false : mustache::data::type::bool_true);
    choices.push_back(choice);
  }
  values.set("choices", choices);
  if (!page.other_account.empty()) {
    mustache::data other;
    other.set("provider", page.other_account);
    values.set("other_account", other);
  }
  values.set("action", std::string(paths::consent));
  values.set("request", page.request);
  return whole_page(200, "Allow access?", render("consent.mustache", values));
}

http_response to_response(const sign_in_page& page, int status) {
  mustache::data values;
  values.set("client_name", page.client_name);
  values.set("action", std::string(paths::sign_in));
  values.set("login", page.login);
  values.set("form", page.form);
  set_unless_empty(values, "user", page.user);
  set_unless_empty(values, "message", page.message);
  return whole_page(status, "Sign in", render("sign_in.mustache", values));
}

http_response to_response(const new_password_page& page, int status) {
  mustache::data values;
  values.set("action", std::string(paths::sign_in));
  values.set("login", page.login);
  values.set("form", page.form);
  values.set("user", page.user);
  set_unless_empty(values, "message", page.message);
  return whole_page(status, "Choose a password", render("new_password.mustache", values));
}

http_response to_response(const error_page& page) {
  const auto& s = explain(page.why.code);
  auto words = words_for_people(page.why.code);
  std::string headline(words.headline);
  std::string advice(words.advice);
  if (!page.provider.empty()) {
    headline = "The sign-in service \"" + page.provider + "\" cannot be used right now";
    advice =
        "This server needs it to know who you are, and got no usable answer from it. Nothing is wrong with "
        "your account, and your approval was not lost. Try again in a minute.";
  }
  mustache::data values;
  values.set("advice", advice);
  values.set("description", error_description(page.why));
  values.set("cause", page.cause.empty() ? std::string(s.cause) : page.cause);
  values.set("fix", page.fix.empty() ? std::string(s.fix) : page.fix);
  set_unless_empty(values, "provider_words", page.provider_words);
  if (!page.provider_title.empty()) values.set("provider_title", page.provider_title);
  values.set("id", std::string(s.id));
  set_unless_empty(values, "request_id", page.request_id);
  set_unless_empty(values, "sent_redirect_uri", page.sent_redirect_uri);
  set_unless_empty(values, "again_at", page.again_at);
  if (!page.again_request.empty()) {
    mustache::data again;
    again.set("action", std::string(paths::consent));
    again.set("request", page.again_request);
    again.set("name", page.again_button);
    again.set("provider", page.again_provider);
    values.set("again", again);
  }
  if (!page.return_to.empty()) {
    values.set("return_to", page.return_to);
    values.set("return_host", page.return_host);
    bool second = !page.again_at.empty() || !page.again_request.empty();
    values.set("quiet_return", second ? mustache::data::type::bool_true : mustache::data::type::bool_false);
  }
  return whole_page(s.status != 0 ? s.status : 500, headline, render("error.mustache", values));
}

http_response sign_out_page(std::string_view signed_in_as, std::string_view form) {
  mustache::data values;
  values.set("action", std::string(paths::sign_out));
  values.set("form", std::string(form));
  set_unless_empty(values, "signed_in_as", signed_in_as);
  return whole_page(200, "Sign out", render("sign_out.mustache", values));
}

http_response signed_out_page() { return whole_page(200, "Signed out", render("signed_out.mustache", {})); }

}  // namespace mcp_oauth
