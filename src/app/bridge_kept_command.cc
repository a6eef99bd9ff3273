#include "app/bridge_kept_command.h"

#include "app/bridge_command.h"
#include "app/bridge_store.h"
#include "app/outbound_way.h"
#include "base/json.h"
#include "bridge/command_line.h"
#include "bridge/failure.h"
#include "bridge/kept_report.h"
#include "bridge/outbound.h"
#include "bridge/token_requests.h"

#include <algorithm>
#include <chrono>
#include <iostream>

namespace mcp_oauth {
namespace {

void say(const std::string& text) { std::cout << text << std::endl; }

void revoke(const bridge_settings& settings, const kept_sign_in& kept, bridge_log& log) {
  const auto& tokens = *kept.tokens;
  if (tokens.revocation_endpoint.empty()) return;
  apply_use_proxy(settings);
  auto rules = outbound_rules::of(settings);
  auto usable = usable_url(tokens.revocation_endpoint, "revocation_endpoint", rules);
  if (!usable) return;
  const auto* client = kept.client_of(tokens.issuer);
  client_proof proof;
  proof.client_id = tokens.client_id;
  if (client != nullptr && client->auth != bridge_client_auth::private_key_jwt) {
    proof.auth = client->auth;
    proof.client_secret = client->client_secret;
  }
  form parameters;
  bool refresh = !tokens.refresh_token.empty();
  parameters.add("token", std::string((refresh ? tokens.refresh_token : tokens.access_token).reveal()));
  parameters.add("token_type_hint", refresh ? "refresh_token" : "access_token");
  auto random = [](std::size_t n) {
    return std::string(n, 'x');
  };  // nothing of it is random without an assertion
  auto call = token_request(tokens.revocation_endpoint, std::move(parameters), proof, random,
                            std::chrono::system_clock::now());
  auto answer = fetch_for_sign_in(call, rules_for(*usable, named_by::server, rules), settings);
  if (!answer || answer->status != 200) {
    log.write(bridge_log_level::warn, "token", "the authorization server did not revoke it",
              {{"why", answer ? "status " + std::to_string(answer->status) : answer.error().detail}});
  }
}

kept_report report_of(const bridge_store& store, const std::string& name, kept_sign_in kept) {
  kept_report report;
  report.file = store.folder() + "/" + name + ".json.enc";
  report.of_these_settings = name == store.name();
  report.kept = std::move(kept);
  auto noted = bridge_lock::read(store.lock_file_of(name));
  if (noted.ended != 0 && noted.code != 0) {
    report.last_failure = kept_report::failure{std::string(bridge_symptom(static_cast<errc>(noted.code)).id),
                                               noted.why, from_unix(noted.ended)};
  }
  return report;
}

// Those of these settings first.
std::vector<kept_report> reports_of(bridge_store& store, const std::string& server) {
  std::vector<kept_report> all;
  for (auto& [name, kept] : store.all(server)) all.push_back(report_of(store, name, std::move(kept)));
  auto mine = std::find_if(all.begin(), all.end(), [](const auto& one) { return one.of_these_settings; });
  if (mine != all.end()) std::rotate(all.begin(), mine, mine + 1);
  return all;
}

std::string with_what(const kept_sign_in& kept) {
  return kept.settings.empty() ? "" : " with " + kept.settings;
}

}  // namespace

int bridge_status(const bridge_settings& settings, bridge_log& log, bool as_json) {
  bridge_store store(settings, log, process_environment);
  auto now = std::chrono::system_clock::now();
  const auto& server = settings.upstream.url;
  auto all = reports_of(store, server);
  bool any = kept_settings(settings).empty();  // then every sign-in to that server is meant
  bool usable = std::any_of(all.begin(), all.end(), [&](const auto& one) {
    return (any || server.empty() || one.of_these_settings) && one.is_usable(now);
  });
  auto code = usable ? bridge_exit::ok : bridge_exit::sign_in;
  if (as_json) {
    json::array list;
    for (const auto& one : all) list.push_back(to_json(one, now));
    json::object told;
    told["folder"] = json::string(store.folder());
    told["usable"] = usable;
    told["sign_ins"] = std::move(list);
    say(to_line(told));
    return static_cast<int>(code);
  }
  bool mine = !all.empty() && all.front().of_these_settings;
  if (server.empty() && all.empty())
    say(store.folder().empty()
            ? "no folder for sign-ins: neither HOME nor XDG_CONFIG_HOME nor oauth2.tokenCacheDir is set"
            : "no sign-ins in " + store.folder());
  if (!server.empty() && !mine) {
    say("there is no sign-in to " + server +
        (all.empty() ? ""
         : any       ? " without more settings; there are with others:"
                     : " with these settings; there are with others:"));
  }
  for (const auto& one : all) std::cout << to_text(one, now);
  std::cout << std::flush;
  return static_cast<int>(code);
}

int bridge_logout(const bridge_settings& settings, bridge_log& log) {
  bridge_store store(settings, log, process_environment);
  bool all_of_it = kept_settings(settings).empty();
  const auto& server = settings.upstream.url;
  bool any = false;
  std::vector<std::string> left;
  auto found = store.all(server);
  for (const auto& [name, kept] : found) {
    if (name != store.name() && !all_of_it) {
      left.push_back("still signed in to " + server + with_what(kept) +
                     ": log out with these settings, or without any, which is out of all of them");
      continue;
    }
    auto lock = bridge_lock::take(store.lock_file_of(name));
    if (!lock) log.write(bridge_log_level::warn, "token", "another bridge is getting a token just now");
    if (kept.tokens) revoke(settings, kept, log);
    if (store.remove(name)) {
      any = true;
      say("signed out of " + server + with_what(kept));
    }
  }
  // What could not be read as well.
  any = store.remove() || any;
  if (!any)
    say("there is no sign-in to " + server + (left.empty() ? "" : " with these settings"));
  else if (found.empty())
    say("signed out of " + server);
  for (const auto& line : left) say(line);
  return 0;
}

}  // namespace mcp_oauth
