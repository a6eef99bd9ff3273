// The authorization server (RFC 8414, OpenID Connect Discovery).

#include "base/text.h"
#include "doctor/site_check.h"
#include "jose/key_set.h"
#include "oauth/displayable.h"
#include "oauth/near_miss.h"

#include <algorithm>
#include <array>

namespace mcp_oauth::checks {
namespace {

bool all_asked(const site_server& server) {
  return std::all_of(server.forms.begin(), server.forms.end(),
                     [](const site_document& one) { return one.exchange != nullptr; });
}

// Whether this is a server that clients come to: one that was named, or the origin where nothing is named.
bool counts(const site_facts& facts, const site_server& server) {
  if (!facts.asks_for_token() || !all_asked(server)) return false;
  // Without resource metadata the origin is a guess, and the lack of it is said already.
  return !server.of_origin || server.usable();
}

// The servers with metadata, whose members can be looked at.
template <class F>
void each_usable(const site_facts& facts, F look) {
  for (const auto& server : facts.servers) {
    if (counts(facts, server) && server.usable()) look(server);
  }
}

std::string get_command(std::string_view address) { return "curl -si " + shell_url(address); }

std::string in(const site_server& server, std::string_view name) {
  return std::string(name) + " in " + shown_url(server.best->address);
}

bool is_named_list(const site_server& server, std::string_view name, std::vector<std::string>& values) {
  return read(server.object, name, values) == member::present;
}

std::string told_of_all(const std::vector<site_document>& forms) {
  std::string told;
  for (const auto& form : forms) {
    told += (told.empty() ? "" : "; ") + shown_url(form.address) + ": " +
            (form.good() ? "a document" : form.trouble);
  }
  return told;
}

// An answer that only shows that nothing is routed there.
bool is_nowhere(const http_answer& answer) {
  return answer.status == 404 || answer.status == 405 || answer.status == 410 || answer.status >= 500;
}

void judge_token_endpoint(const site_facts& facts, const std::string& address, site_findings& into) {
  const auto* asked_of = facts.evidence.find(asked::token, address);
  if (asked_of == nullptr) return;
  auto where = "POST " + shown_url(address);
  auto verify = "curl -si -d grant_type=authorization_code -d code=x -d client_id=x " + shell_url(address);
  if (!asked_of->answered()) {
    auto& one = into.failure(errc::server_endpoint_unreachable, displayable(asked_of->answer.error().detail),
                             "an answer to a made-up code", where);
    one.certain = asked_of->answer.error().code == errc::fetch_failed;
    one.verify = verify;
    return;
  }
  const auto& answer = *asked_of->answer;
  if (answer.status == 429) {
    into.unknown(errc::front_throttles, "status 429", "an OAuth error", where).verify = verify;
    return;
  }
  auto object = parse_json_object(answer.body);
  if (object && object->contains("error")) {
    into.ok("The token endpoint is there",
            "a made-up code gets " + displayable(text_member(*object, "error")), where);
    return;
  }
  auto& one = into.failure(errc::server_endpoint_unreachable, told_with_words(answer),
                           "an OAuth error as JSON (RFC 6749 §5.2)", where);
  one.certain = is_nowhere(answer) || looks_like_a_page(answer.body);
  // JSON of another kind: it may be an endpoint all the same.
  if (object) one.level = severity::warning;
  one.verify = verify;
}

void judge_authorize_endpoint(const site_facts& facts, const std::string& address, site_findings& into) {
  const auto* asked_of = facts.evidence.find(asked::authorize, address);
  if (asked_of == nullptr) return;
  auto where = "GET " + shown_url(address);
  if (!asked_of->answered()) {
    auto& one = into.failure(errc::server_endpoint_unreachable, displayable(asked_of->answer.error().detail),
                             "a page, a redirect or an error", where);
    one.certain = asked_of->answer.error().code == errc::fetch_failed;
    one.verify = get_command(address);
    return;
  }
  int status = asked_of->status();
  if (!is_nowhere(*asked_of->answer)) {
    into.ok("The authorization endpoint is there", "status " + std::to_string(status), where);
    return;
  }
  auto& one = into.failure(errc::server_endpoint_unreachable, told_with_words(*asked_of->answer),
                           "a page, a redirect or 400", where);
  // 500 to a request without parameters may be bad manners, and 405 one that wants POST.
  one.certain = status == 404;
  if (status != 404) one.level = severity::warning;
  one.verify = get_command(address);
}

}  // namespace

void server_is_published(const site_facts& facts, site_findings& into) {
  bool any = facts.first_server() != nullptr;
  for (const auto& server : facts.servers) {
    if (!counts(facts, server)) continue;
    if (server.usable()) {
      into.ok("The authorization server's metadata is there", "", shown_url(server.best->address));
      continue;
    }
    if (server.forms.empty()) continue;  // no URL: said by resource.servers
    auto answered = [](const site_document& one) { return one.exchange->answered(); };
    auto bad = std::find_if(server.forms.begin(), server.forms.end(),
                            [&](const site_document& one) { return answered(one) && !one.absent; });
    bool silent = std::none_of(server.forms.begin(), server.forms.end(), answered);
    const auto& form = bad == server.forms.end() ? server.forms.front() : *bad;
    auto& one = into.add(
        any ? severity::warning : severity::failure,
        bad == server.forms.end() ? errc::server_metadata_absent : errc::server_metadata_unusable,
        told_of_all(server.forms), "the metadata of " + shown_url(server.issuer), shown_url(form.address));
    one.certain = !silent || form.exchange->answer.error().code == errc::fetch_failed;
    if (silent)
      one.cause =
          "The issuer that the resource names does not answer from here: it is not running, or its name is "
          "an inner one.";
    if (silent && form.exchange->answer.error().code == errc::address_refused)
      one.cause = "A public server names an issuer with an inner address, where clients cannot come.";
    one.verify = get_command(form.address);
  }
}

void server_issuer(const site_facts& facts, site_findings& into) {
  each_usable(facts, [&](const site_server& server) {
    auto agrees = [&](const std::string& said) {
      return said == server.issuer || (server.of_origin && said == server.issuer + "/");
    };
    if (agrees(server.said_issuer)) {
      into.ok("The issuer is the one that was named", shown_url(server.issuer), in(server, "issuer"));
      return;
    }
    bool other_form = std::any_of(server.forms.begin(), server.forms.end(), [&](const site_document& form) {
      return form.good() && agrees(text_member(*form.object, "issuer"));
    });
    auto how = how_issuers_differ(server.said_issuer, server.issuer);
    auto& one = into.add(other_form || server.of_origin ? severity::warning : severity::failure,
                         errc::server_issuer_differs,
                         server.said_issuer.empty() ? "no issuer" : shown_url(server.said_issuer),
                         shown_url(server.issuer), in(server, "issuer"));
    if (!how.empty()) one.cause += " Here: " + how + ".";
    one.verify = "curl -s " + shell_url(server.best->address) + " | grep -o '\"issuer\"[^,]*'";
  });
}

void server_endpoints(const site_facts& facts, site_findings& into) {
  each_usable(facts, [&](const site_server& server) {
    auto verify = "curl -s " + shell_url(server.best->address);
    for (const char* name : {"authorization_endpoint", "token_endpoint"}) {
      if (!text_member(server.object, name).empty()) continue;
      auto& one = into.failure(errc::server_endpoint_absent, std::string("no ") + name,
                               std::string("a URL in ") + name, shown_url(server.best->address));
      one.verify = verify;
    }
    for (const char* name : {"authorization_endpoint", "token_endpoint", "registration_endpoint"}) {
      auto address = text_member(server.object, name);
      auto parsed = url::parse(address);
      if (address.empty()) continue;
      bool cleartext = parsed && parsed->scheme == "http" && !parsed->is_loopback();
      if (parsed && parsed->is_http() && !cleartext) continue;
      auto& one =
          into.failure(errc::server_endpoint_insecure, shown_url(address), "an https URL", in(server, name));
      if (cleartext && is_inner_host(parsed->host)) one.level = severity::warning;
      one.verify = verify;
    }
    judge_authorize_endpoint(facts, text_member(server.object, "authorization_endpoint"), into);
    judge_token_endpoint(facts, text_member(server.object, "token_endpoint"), into);
  });
}

void server_pkce(const site_facts& facts, site_findings& into) {
  each_usable(facts, [&](const site_server& server) {
    std::vector<std::string> methods;
    bool named = is_named_list(server, "code_challenge_methods_supported", methods);
    if (named && holds(methods, "S256")) {
      into.ok("PKCE with S256 is announced", "", in(server, "code_challenge_methods_supported"));
      return;
    }
    auto& one =
        into.failure(errc::server_pkce_absent, named ? displayable(join(methods, ", ")) : "no such member",
                     "S256", in(server, "code_challenge_methods_supported"));
    one.verify = "curl -s " + shell_url(server.best->address) + " | grep -o 'code_challenge_methods[^]]*'";
  });
}

void server_registration(const site_facts& facts, site_findings& into) {
  each_usable(facts, [&](const site_server& server) {
    auto address = text_member(server.object, "registration_endpoint");
    bool documents = false;
    read(server.object, "client_id_metadata_document_supported", documents);
    if (address.empty() && documents) {
      into.ok("Clients can get an id", "client id metadata documents", shown_url(server.best->address));
      return;
    }
    if (address.empty()) {
      auto& one = into.warning(errc::server_registration_absent,
                               "no registration_endpoint, no client_id_metadata_document_supported",
                               "one of both", shown_url(server.best->address));
      one.verify = "curl -s " + shell_url(server.best->address);
      return;
    }
    const auto* asked_of = facts.evidence.find(asked::registration, address);
    if (asked_of == nullptr) return;
    auto verify = "curl -si -H 'Content-Type: application/json' -d '{' " + shell_url(address);
    auto where = "POST " + shown_url(address);
    if (!asked_of->answered()) {
      auto& one =
          into.add(documents ? severity::warning : severity::failure, errc::server_endpoint_unreachable,
                   displayable(asked_of->answer.error().detail), "400 to what is no registration", where);
      one.certain = asked_of->answer.error().code == errc::fetch_failed;
      one.verify = verify;
      return;
    }
    int status = asked_of->status();
    if (status == 429) {
      into.unknown(errc::front_throttles, "status 429", "400 to what is no registration", where).verify =
          verify;
      return;
    }
    bool closed = status == 401 || status == 403 || status == 404 || status == 405 || status == 501;
    if (!closed) {
      into.ok("Clients can get an id",
              status == 400 ? "registration" : "registration, status " + std::to_string(status), where);
      return;
    }
    auto& one = into.add(documents ? severity::warning : severity::failure, errc::server_registration_closed,
                         told_with_words(*asked_of->answer), "400 to what is no registration", where);
    one.certain = status != 403 || !looks_like_a_page(asked_of->answer->body);
    one.verify = verify;
  });
}

void server_methods(const site_facts& facts, site_findings& into) {
  each_usable(facts, [&](const site_server& server) {
    auto verify = "curl -s " + shell_url(server.best->address);
    std::vector<std::string> types, grants, methods;
    bool fine = true;
    auto lacks = [&](severity level, const char* name, const std::vector<std::string>& seen,
                     const char* what) {
      fine = false;
      auto& one =
          into.add(level, errc::server_grants_narrow, displayable(join(seen, ", ")), what, in(server, name));
      one.verify = verify;
    };
    if (is_named_list(server, "response_types_supported", types) && !holds(types, "code"))
      lacks(severity::failure, "response_types_supported", types, "code");
    if (is_named_list(server, "grant_types_supported", grants)) {
      if (!holds(grants, "authorization_code"))
        lacks(severity::failure, "grant_types_supported", grants, "authorization_code");
      if (!holds(grants, "refresh_token")) {
        lacks(severity::warning, "grant_types_supported", grants, "refresh_token");
      }
    }
    if (is_named_list(server, "token_endpoint_auth_methods_supported", methods) && !holds(methods, "none")) {
      fine = false;
      auto& one = into.warning(errc::server_auth_methods_narrow, displayable(join(methods, ", ")),
                               "none, among others", in(server, "token_endpoint_auth_methods_supported"));
      one.verify = verify;
    }
    if (fine) into.ok("What clients need is announced", "", shown_url(server.best->address));
  });
}

void server_keys(const site_facts& facts, site_findings& into) {
  each_usable(facts, [&](const site_server& server) {
    auto address = text_member(server.object, "jwks_uri");
    const auto* asked_of = address.empty() ? nullptr : facts.evidence.find(asked::keys, address);
    if (asked_of == nullptr) return;
    auto where = shown_url(address);
    auto verify = get_command(address);
    if (!asked_of->answered() || asked_of->status() != 200) {
      auto& one = into.failure(errc::server_keys_unreachable,
                               asked_of->answered() ? told_with_words(*asked_of->answer)
                                                    : displayable(asked_of->answer.error().detail),
                               "a key set", where);
      one.certain = asked_of->answered() || asked_of->answer.error().code == errc::fetch_failed;
      // Clients need no keys; who verifies may come to it by another way.
      if (!asked_of->answered()) one.level = severity::warning;
      one.verify = verify;
      return;
    }
    auto keys = key_set::parse(asked_of->answer->body);
    if (keys && keys->size() > 0) {
      into.ok("The signing keys are there", std::to_string(keys->size()) + " usable", where);
      return;
    }
    auto& one = into.failure(errc::server_keys_unusable,
                             keys ? "no key that can be used" : told_with_words(*asked_of->answer),
                             "a key set", where);
    one.verify = verify;
  });
}

}  // namespace mcp_oauth::checks
