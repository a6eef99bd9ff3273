// `doctor`: examines a deployment as its clients meet it.

#include "app/commands.h"
#include "app/examine_deployment.h"
#include "app/examine_site.h"
#include "app/file_access.h"
#include "app/fix_deployment.h"
#include "app/terminal.h"
#include "app/walk_sign_in.h"
#include "doctor/known_clients.h"
#include "doctor/print_examination.h"
#include "doctor/site_check.h"

#include <iostream>

namespace mcp_oauth {
namespace {

exit_code usage(const std::string& why) {
  std::cerr << "doctor: " << why << "\nRun with --help for more information.\n";
  return exit_code::usage;
}

bool looks_like_url(std::string_view text) { return text.find("://") != std::string_view::npos; }

exit_code code_of(const examination& made) {
  const auto* first = made.first();
  bool of_file = first != nullptr && first->check == "config.file" && first->level == severity::failure;
  if (of_file) return exit_code::configuration;
  if (!made.reached) return exit_code::dependency;
  switch (made.verdict()) {
    case examination_verdict::failed: return exit_code::refused;
    case examination_verdict::unknown: return exit_code::unclear;
    default: return exit_code::ok;
  }
}

exit_code print(const examination& made, const doctor_input& about) {
  std::vector<file_change> changes;
  if (about.fix) changes = changes_of(made);
  if (about.yes) make_changes(changes);
  if (about.as_json) {
    auto told = to_json(made);
    if (about.fix) told["changes"] = to_json(changes);
    std::cout << json::serialize(told) << "\n";
  } else {
    std::cout << to_text(made, wants_colour());
    if (about.fix) std::cout << to_text(changes, about.yes);
  }
  return code_of(made);
}

}  // namespace

exit_code doctor_command(const command_input& in, const doctor_input& about) {
  if (!about.client.empty() && find_client(about.client) == nullptr) {
    std::string names;
    for (const auto& one : known_clients()) names += (names.empty() ? "" : ", ") + std::string(one.name);
    return usage("no client " + about.client + " is known (" + names + ")");
  }
  auto authorities = about.ca_file.empty() ? result<std::string>("") : read_file_text(about.ca_file);
  if (!authorities) return usage("--ca " + about.ca_file + ": " + authorities.error().detail);
  if (about.yes && !about.fix) return usage("--yes belongs to --fix");
  if (about.fix && looks_like_url(about.target))
    return usage("--fix is for a configuration file, and the target is a URL");
  if (!looks_like_url(about.target)) {
    auto of = in;
    if (!about.target.empty() && !in.config_file.empty() && about.target != in.config_file)
      return usage("two configuration files are named: --config " + in.config_file + " and " + about.target);
    if (!about.target.empty()) of.config_file = about.target;
    return print(examine_configured(of, about), about);
  }
  auto target = url::parse(about.target);
  if (!target || !target->is_http()) {
    return usage("the target is no http(s) URL" + (target ? std::string() : ": " + target.error().detail));
  }
  target->has_fragment = false;
  target->fragment.clear();
  auto evidence = examine(*target, about.ca_file);
  auto made = examine_site(evidence);
  if (about.login) {
    auto hops = walk_sign_in(read_site(evidence), about.ca_file);
    made.findings.insert(made.findings.end(), hops.begin(), hops.end());
  }
  made.clients = outlooks(evidence, made, about.client);
  return print(made, about);
}

}  // namespace mcp_oauth
