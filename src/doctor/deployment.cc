#include "doctor/deployment.h"

#include "base/ip_address.h"
#include "base/json.h"
#include "base/shell.h"
#include "base/text.h"
#include "doctor/site_check.h"
#include "oauth/displayable.h"
#include "oauth/near_miss.h"
#include "provider/provider_errors.h"
#include "symptom/catalogue.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace mcp_oauth {
namespace {

std::string check_command(const deployment_evidence& e) {
  return "mcp-oauth-proxy check-config " + shell_quoted(e.file);
}

void settings_hold(const deployment_evidence& e, std::vector<doctor_finding>& all) {
  site_findings into("config.file", all);
  for (const auto& line : e.file_errors) {
    bool missing = line.find("Config file not found") != std::string::npos;
    if (line.starts_with("⚠")) continue;
    auto& one = into.failure(missing ? errc::config_not_found : errc::config_invalid, line, "", e.file);
    one.verify = "mcp-oauth-proxy validate-config " + shell_quoted(e.file);
  }
  if (!e.file_errors.empty()) return;
  into.ok("The settings hold", "", e.file);
  site_findings doubts("config.settings", all);
  for (const auto& line : e.setting_doubts) {
    auto& one = doubts.warning(errc::config_invalid, line, "", e.file);
    one.title = "A setting deserves a look";
    one.cause = "It is allowed, and seldom meant.";
    one.fix = "Read what the line says.";
    one.verify = "mcp-oauth-proxy validate-config " + shell_quoted(e.file);
  }
}

void start_works(const deployment_evidence& e, std::vector<doctor_finding>& all) {
  site_findings into("start", all);
  for (const auto& why : e.start_failures) {
    into.failure(why.code, why.detail, "", e.file).verify = check_command(e);
  }
  for (const auto& line : e.start_good) into.ok(line, "", e.file);
  for (const auto& line : e.start_notes) into.ok("A start makes what is missing", line, e.file);
  for (const auto& line : e.start_doubts) {
    auto& one = into.warning(errc::config_invalid, line, "", e.file);
    one.title = "Something that a start needs deserves a look";
    one.cause = "See what was seen.";
    one.fix = "Read what the line says.";
    one.certain = false;
    one.verify = check_command(e);
  }
}

void others_answer(const deployment_evidence& e, std::vector<doctor_finding>& all) {
  for (const auto& why : e.away) {
    bool provider = why.detail.starts_with("providers.");
    site_findings into(provider ? "provider.answer" : "upstream.answer", all);
    bool clock = why.code == errc::clocks_differ;
    auto& one = into.add(clock ? severity::warning : severity::failure, why.code, why.detail,
                         clock ? "within 30 s" : "an answer", provider ? "providers" : "mcp_server_url");
    one.certain = !clock;
    one.verify = check_command(e);
    for (const auto& [from, to] : e.better_urls) {
      if (provider || why.detail.find(from) == std::string::npos) continue;
      if (!e.url_of_environment) one.change = proposed_change{proposed_change::kind::value, e.file, from, to};
      one.fix = "Write " + shown_url(to) + " in place of " + shown_url(from) +
                (e.url_of_environment ? " in the environment (MCP_SERVER_URL)." : ".");
    }
  }
}

// Many servers have a health that says "healthy"; ours always has these two members beside it.
bool is_ours(const http_answer& answer) {
  auto object = parse_json_object(answer.body);
  if (!object) return false;
  auto status = text_member(*object, "status");
  const auto* uptime = object->if_contains("uptime");
  return (status == "healthy" || status == "unhealthy") && !text_member(*object, "version").empty() &&
         uptime != nullptr && uptime->is_number();
}

// What the health names first: {"reasons": ["database: store_unavailable"]}. Null where it names none.
const symptom* named_by(const http_answer& health) {
  auto object = parse_json_object(health.body);
  const auto* reasons = object ? object->if_contains("reasons") : nullptr;
  if (reasons == nullptr || !reasons->is_array()) return nullptr;
  for (const auto& reason : reasons->as_array()) {
    if (!reason.is_string()) continue;
    std::string_view text(reason.as_string());
    auto colon = text.rfind(": ");
    auto name = colon == std::string_view::npos ? text : text.substr(colon + 2);
    for (const auto& row : catalogue()) {
      if (row.name == name) return &row;
    }
  }
  return nullptr;
}

void gateway_runs(const deployment_evidence& e, std::vector<doctor_finding>& all) {
  if (!e.health) return;
  site_findings into("gateway.running", all);
  auto verify = "curl -si " + shell_url(e.listener + "/health");
  const auto& health = *e.health;
  if (!health) {
    auto seen = displayable(health.error().detail);
    auto& one = into.failure(errc::gateway_not_running, seen, "an answer", e.listener);
    if (seen.find("refused") == std::string::npos) {
      one.title = "The gateway of this configuration does not answer";
      one.cause = "It hangs, or TLS with it does not hold, or another program is there.";
      one.fix = "See its log, and what was seen.";
      one.certain = false;
    }
    one.verify = verify;
    return;
  }
  if (!is_ours(*health)) {
    auto& one = into.failure(errc::gateway_not_running, told_with_words(*health), "the health of the gateway",
                             e.listener);
    one.cause = "Another program listens at the address and port of this configuration.";
    one.fix = "End it, or choose another port.";
    one.verify = verify;
    return;
  }
  if (health->status != 200) {
    const auto* named = named_by(*health);
    auto& one = into.warning(named != nullptr ? named->code : errc::gateway_not_running,
                             displayable(health->body.substr(0, 300)), "status 200", e.listener);
    one.title = "The running gateway says that it is not well";
    if (named == nullptr) {
      one.cause = "Something that it needs is away; its health names it.";
      one.fix = "Put right what the health names.";
    }
    one.verify = verify;
  } else {
    into.ok("The gateway runs", "", e.listener);
  }
  if (!e.inside || !*e.inside || (*e.inside)->status != 200) return;
  auto document = parse_json_object((*e.inside)->body);
  auto said = document ? text_member(*document, "resource") : "";
  site_findings configuration("gateway.configuration", all);
  if (said.empty() || e.resource.empty()) return;
  if (said == e.resource) {
    configuration.ok("It runs with this configuration", shown_url(said), e.listener);
    return;
  }
  auto& one = configuration.failure(errc::gateway_outdated, "it calls itself " + shown_url(said),
                                    shown_url(e.resource), e.listener);
  auto how = how_urls_differ(said, e.resource);
  if (!how.empty()) one.cause += " Here: " + how + ".";
  one.verify = "curl -s " + shell_url(e.listener + "/.well-known/oauth-protected-resource");
}

// Of a gateway that runs: whether the public URL leads to it.
void meets_the_public_url(const deployment_evidence& e, const examination& outside,
                          std::vector<doctor_finding>& all) {
  const auto* seen = outside.first();
  bool fails = seen != nullptr && seen->level == severity::failure;
  site_findings into("gateway.public", all);
  auto verify = "curl -si " + shell_url(e.public_url + "/health");
  if (!outside.reached) {
    // A connection that nobody takes is no server that is not started: this one is. Of a name or a
    // certificate the finding itself says more. A network may refuse its own public address from inside.
    bool nobody = fails && seen->check == "network.connection";
    auto& one = into.add(nobody ? severity::failure : severity::warning, errc::gateway_unreachable,
                         seen != nullptr ? seen->seen : "", "the gateway", shown_url(e.public_url));
    auto place = url::parse(e.public_url);
    one.certain = !nobody || (seen->certain && place && place->is_loopback());
    one.verify = verify;
    return;
  }
  if (seen == nullptr || !e.public_health || !*e.public_health || is_ours(**e.public_health)) return;
  // Whoever refuses or fails is told of by itself.
  const auto& health = **e.public_health;
  if (health.status != 200 && health.status != 404) return;
  bool another = seen->code == errc::front_page || seen->code == errc::path_unknown ||
                 seen->code == errc::not_an_mcp_server || (seen->code == errc::server_open && e.wants_tokens);
  if (!another) return;
  auto& one = into.failure(errc::gateway_elsewhere, told_with_words(health), "the health of the gateway",
                           shown_url(e.public_url + "/health"));
  one.certain = false;
  one.verify = verify;
}

void one_store(const deployment_evidence& e, std::vector<doctor_finding>& all) {
  if (!e.local_store) return;
  std::size_t four = 0, six = 0;
  for (const auto& address : e.public_addresses) (address.find(':') == std::string::npos ? four : six) += 1;
  if (four < 2 && six < 2) return;
  site_findings into("store.replicas", all);
  auto& one = into.warning(errc::store_of_one_replica, join(e.public_addresses, ", "),
                           "one address, or PostgreSQL", "database_url");
  // Several addresses may be one machine, or proxies before one.
  one.certain = false;
  one.verify =
      "getent ahosts " + shell_quoted(url::parse(e.public_url) ? url::parse(e.public_url)->host : "");
}

std::string octal(unsigned mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", mode);
  return text;
}

void file_modes(const deployment_evidence& e, std::vector<doctor_finding>& all) {
  site_findings into("files.mode", all);
  for (const auto& file : e.files) {
    if ((file.mode & 077 & ~file.may_have) == 0) continue;
    auto is = octal(file.mode & 07777), should = octal(file.mode & (0600 | file.may_have));
    auto& one = into.warning(errc::file_mode_wide, file.what + " has mode " + is, should, file.path);
    one.fix = "chmod " + should + " " + shell_quoted(file.path);
    one.verify = "stat -c %a " + shell_quoted(file.path);
    one.change = proposed_change{proposed_change::kind::mode, file.path, is, should};
  }
}

deployment_values values_of(const provider_trial& p) {
  return {p.callback_url, p.client_id, p.name, p.tenant_id, p.registered_at};
}

std::string words_of(const http_answer& answer) {
  if (auto object = parse_json_object(answer.body)) {
    return displayable(text_member(*object, "error") + " " + text_member(*object, "error_description"));
  }
  return displayable(std::string_view(answer.body).substr(0, 20'000));
}

void explain_with(const provider_explanation& known, const provider_trial& p, doctor_finding& one) {
  one.cause = with_values(known.cause, values_of(p));
  one.fix = with_values(known.fix, values_of(p));
}

// Whether the page that a sign-in would begin with is a refusal.
bool sign_in_fails(const provider_trial& p, const http_answer& page, const std::string& registered,
                   site_findings& into) {
  auto words = words_of(page) + " " + std::string(page.fields.first("Location"));
  auto lower = to_lower(words);
  bool refused = page.status >= 400;
  const auto* known =
      refused || lower.find("error") != std::string::npos ? explain_provider_error(words) : nullptr;
  bool mismatch = known != nullptr && known->code == errc::provider_redirect_uri_mismatch;
  // Pages of errors show the whole request, whatever is wrong with it.
  bool named = refused && lower.find("redirect_uri") != std::string::npos;
  if (!mismatch && !(refused && known != nullptr) && !named) return false;
  auto code = known != nullptr ? known->code : errc::provider_redirect_uri_mismatch;
  auto& one = into.failure(code, told_with_words(page), "a sign-in page", registered);
  one.certain = mismatch;
  if (known != nullptr) explain_with(*known, p, one);
  if (code == errc::provider_redirect_uri_mismatch) one.fix += " Register exactly this: " + p.callback_url;
  one.verify = "mcp-oauth-proxy doctor";
  return true;
}

void one_provider(const provider_trial& p, std::vector<doctor_finding>& all) {
  site_findings into("provider.credentials", all);
  if (p.token && !*p.token) {
    auto& one = into.warning(errc::provider_unreachable, displayable((*p.token).error().detail), "an answer",
                             p.token_endpoint);
    one.verify = "curl -si " + shell_url(p.token_endpoint);
  } else if (p.token) {
    const auto& answer = **p.token;
    auto object = parse_json_object(answer.body);
    auto code = object ? text_member(*object, "error") : "";
    auto words = words_of(answer).substr(0, 300);
    auto where = "providers." + p.name;
    if (code == "invalid_grant") {
      into.ok("The provider takes the client's credentials", "a made-up code gets invalid_grant", where);
    } else if (code == "invalid_client" || code == "unauthorized_client" ||
               (answer.status == 401 && !code.empty())) {
      const auto* known = explain_provider_error(words);
      auto& one =
          into.failure(errc::provider_client_refused, words, "invalid_grant to a made-up code", where);
      if (known != nullptr) {
        one.code = known->code;
        one.title = explain(known->code).description;
        explain_with(*known, p, one);
      }
      one.verify = "mcp-oauth-proxy doctor";
    } else {
      auto& one = into.unknown(errc::provider_client_refused, words.empty() ? told_of_answer(answer) : words,
                               "invalid_grant to a made-up code", where);
      one.title = "Whether the provider takes the client's credentials cannot be told";
      one.cause = "Its answer to a made-up code is neither invalid_grant nor invalid_client.";
      one.fix = "Sign in once; the log says what the provider answers.";
    }
  }
  site_findings redirect("provider.redirect_uri", all);
  auto registered = "providers." + p.name + " (" + p.registered_at + ")";
  if (p.authorize && *p.authorize && sign_in_fails(p, **p.authorize, registered, redirect)) return;
  if (!p.callback_url.empty())
    redirect.ok("Registered there has to be, character for character", p.callback_url, registered);
}

}  // namespace

examination examine_deployment(const deployment_evidence& e, std::optional<examination> outside) {
  examination made;
  made.target = e.file;
  settings_hold(e, made.findings);
  if (!e.file_errors.empty()) return made;
  start_works(e, made.findings);
  gateway_runs(e, made.findings);
  bool running = e.health && *e.health && is_ours(**e.health);
  if (outside) {
    // Where the gateway does not run, that is the cause of what is seen from outside.
    auto& seen = outside->findings;
    if (running) meets_the_public_url(e, *outside, made.findings);
    std::move(seen.begin(), seen.end(), std::back_inserter(made.findings));
    made.clients = std::move(outside->clients);
  }
  others_answer(e, made.findings);
  for (const auto& p : e.providers) one_provider(p, made.findings);
  one_store(e, made.findings);
  file_modes(e, made.findings);
  return made;
}

}  // namespace mcp_oauth
