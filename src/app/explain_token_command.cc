// `explain-token`: whether a token opens a server, and why not.

#include "app/ask_for_token.h"
#include "app/commands.h"
#include "app/report.h"
#include "app/terminal.h"
#include "app/token_evidence.h"
#include "doctor/moment.h"
#include "doctor/print_explanation.h"
#include "doctor/token_form.h"
#include "net/http_client.h"

#include <algorithm>
#include <iostream>

namespace mcp_oauth {
namespace {

constexpr seconds patience{5};  // for an issuer

exit_code usage(const std::string& why) {
  std::cerr << "explain-token: " << why << "\nRun with --help for more information.\n";
  return exit_code::usage;
}

exit_code code_of(const token_explanation& told) {
  switch (told.outcome) {
    case token_outcome::opens: return exit_code::ok;
    case token_outcome::refused: return exit_code::refused;
    case token_outcome::unclear: break;
  }
  // Something that would have told is away, or was not asked.
  for (const auto& check : told.checks) {
    if (check.verdict == finding::cannot_be_told && check.code) return exit_code_of(*check.code);
  }
  return exit_code::unclear;
}

}  // namespace

exit_code explain_token_command(const command_input& in, const token_input& about) {
  auto at = about.at.empty() ? real_time() : parse_moment(about.at);
  if (!at) return usage("--at: not a time such as 2026-11-29T19:00:00Z or 1795978800");
  exit_code why = exit_code::ok;
  std::vector<std::string> warnings;  // are not about the token
  auto conf = load_settings(in, false, why, &warnings);
  if (!conf) return why;
  auto given = ask_for_token(about.token);
  if (!given) return usage(given.error().detail);
  auto token = secret(unwrap_token(given->reveal()).text);
  auto server = choose_server(*conf, about.upstream, about.resource, token.reveal());
  if (!server) return usage(server.error().detail);

  fetch_fn fetch = [&](const http_call& call, const fetch_rules& rules) {
    auto bounded = rules;
    bounded.timeout = std::min(rules.timeout, patience);
    return net::fetch(call, bounded, conf->upstream_ca_file);
  };
  evidence_wanted wanted{token.reveal(), *at, about.introspect};
  auto question = gather_evidence(*conf, *server->server, wanted, fetch);
  if (!question) {
    for (const auto& one : question.error()) why = std::max(why, report(one));
    return why;
  }
  if (!server->note.empty()) question->notes.push_back(server->note);
  if (!about.at.empty()) question->notes.push_back("Judged as of " + to_iso8601(*at) + " (--at).");
  auto told = explain_token(given->reveal(), *question, *at);
  if (about.as_json) {
    std::cout << json::serialize(to_json(told)) << "\n";
  } else {
    std::cout << to_text(told, wants_colour());
  }
  return code_of(told);
}

}  // namespace mcp_oauth
