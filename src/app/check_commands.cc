// The commands that look and tell, and end.

#include "app/check_start.h"
#include "app/commands.h"
#include "app/guard_app.h"
#include "app/report.h"
#include "config/describe.h"
#include "config/provider_kind.h"
#include "doctor/examination_schema.h"
#include "doctor/print_symptom.h"
#include "symptom/catalogue.h"
#include "symptom/known_words.h"

#include <filesystem>
#include <fstream>
#include <iostream>

namespace mcp_oauth {
namespace {

constexpr seconds patience{3};  // for what the network has to answer

// What people meet in other places, so that a search for it ends here.
std::string words_markdown() {
  std::string page =
      "\n## Words that are met elsewhere\n\n"
      "Messages as guides, browsers, libraries and identity providers print them, and where they are "
      "explained "
      "above.\n`mcp-oauth-proxy explain \"the message\"` finds the same, and what is only near.\n\n"
      "| message | code | known from |\n|---|---|---|\n";
  for (const auto& known : all_known_words()) {
    std::string id(explain(known.code).id);
    std::string words;
    for (char c : known.text) words += c == '|' ? std::string("\\|") : std::string(1, c);
    page += "| " + words + " | [" + id + "](#" + id + ") | " + std::string(title_of(known.from)) + " |\n";
  }
  return page;
}

// One page per symptom would be many files; one table serves a reader and a search as well.
std::string symptoms_markdown() {
  std::string page =
      "# Errors\n\nGenerated from the catalogue in `src/symptom`. The code stands in log lines "
      "and on error pages.\n\n"
      "| code | name | status | OAuth error | words on the wire | likely cause | fix "
      "|\n|---|---|---|---|---|---|---|\n";
  for (const auto& row : catalogue()) {
    page += "| <a id=\"" + std::string(row.id) + "\"></a>" + std::string(row.id) + " | `" +
            std::string(row.name) + "` | " + (row.status == 0 ? "-" : std::to_string(row.status)) + " | " +
            std::string(row.oauth_error) + " | " + std::string(row.description) + " | " +
            std::string(row.cause) + " | " + std::string(row.fix) + " |\n";
  }
  return page + words_markdown();
}

// What has to stand at the providers, character for character.
std::vector<std::string> registrations(const settings& conf) {
  std::vector<std::string> notes;
  for (const auto& p : conf.providers) {
    if (p.type == "local" || p.type == "hmac") continue;
    std::string where(kind_of(p).registered_at);
    notes.push_back("Callback of " + p.name + ": " + callback_of(conf, p) + " (" + where + ")");
  }
  return notes;
}

// Says so when it worked.
bool write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) {
    std::cerr << "docs: " << path.string() << " cannot be written\n";
    return false;
  }
  std::cout << path.string() << "\n";
  return true;
}

}  // namespace

exit_code validate_config_command(const command_input& in) {
  exit_code why = exit_code::ok;
  auto conf = load_settings(in, false, why);
  if (!conf) return why;
  std::cout << "✓ Syntax valid\n";
  return exit_code::ok;
}

exit_code check_config_command(const command_input& in) {
  exit_code why = exit_code::ok;
  std::vector<std::string> warnings;
  auto conf = load_settings(in, false, why, &warnings);
  if (!conf) return why;
  auto found = check_start(*conf);
  check_reach(*conf, patience, found);
  check_policy(*conf, patience, found);
  std::vector<issuer_failure> issuers;
  if (conf->is_guard()) check_issuers(*conf, patience, found, issuers);
  warnings.insert(warnings.end(), found.warnings.begin(), found.warnings.end());
  if (conf->start_retry) {
    for (const auto& one : issuers) warnings.push_back(retried(one));
  }

  std::cout << "✓ Syntax valid\n✓ Required fields present\n";
  if (!conf->is_guard()) std::cout << "✓ Provider credentials configured\n";
  for (const auto& good : found.good) std::cout << "✓ " << good << "\n";
  if (conf->is_guard()) {
    for (const auto& line : accepted_tokens(*conf)) std::cout << "  Accepts " << line << "\n";
  }
  for (const auto& note : registrations(*conf)) std::cout << "  " << note << "\n";
  for (const auto& note : found.notes) std::cout << "  " << note << "\n";
  for (const auto& warning : warnings) std::cout << "⚠ Warning: " << warning << "\n";
  std::cout << std::flush;
  for (const auto& failure : found.failures) {
    auto code = report(failure);
    if (why == exit_code::ok) why = code;
  }
  if (!issuers.empty() && !conf->start_retry) {
    auto code = report(guard_start_failure{{}, std::move(issuers)});
    if (why == exit_code::ok) why = code;
  }
  return why;
}

exit_code docs_command(const std::string& folder) {
  std::error_code failed;
  std::filesystem::path out(folder);
  std::filesystem::create_directories(out, failed);
  bool written = write_file(out / "configuration.md", reference_markdown()) &&
                 write_file(out / "config.schema.json", json_schema()) &&
                 write_file(out / "errors.md", symptoms_markdown()) &&
                 write_file(out / "doctor.schema.json", examination_schema()) &&
                 write_file(out / "explain.schema.json", explain_schema());
  return written ? exit_code::ok : exit_code::dependency;
}

}  // namespace mcp_oauth
