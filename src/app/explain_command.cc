// `explain`: what a code, or the words that were met, mean.

#include "app/commands.h"
#include "app/terminal.h"
#include "base/text.h"
#include "doctor/print_symptom.h"

#include <array>
#include <iostream>
#include <iterator>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_rows = 5;
constexpr std::size_t longest_input = 16 * 1024 * 1024;

exit_code usage(const std::string& why) {
  std::cerr << "explain: " << why << "\nRun with --help for more information.\n";
  return exit_code::usage;
}

std::string read_input() {
  std::string text;
  std::array<char, 64 * 1024> part{};
  while (text.size() < longest_input && std::cin) {
    std::cin.read(part.data(), part.size());
    text.append(part.data(), static_cast<std::size_t>(std::cin.gcount()));
  }
  if (std::cin) std::cerr << "explain: the text is longer than 16 MiB; the rest was not read\n";
  return text;
}

exit_code tell(const std::vector<found_symptom>& found, bool as_json) {
  if (as_json) {
    std::cout << json::serialize(to_json(found)) << "\n";
  } else {
    std::cout << to_text(found, wants_colour());
  }
  return exit_code::ok;
}

}  // namespace

exit_code explain_command(const explain_input& about) {
  auto what = join(about.words, " ");
  if (what == "-") what = read_input();
  what = std::string(trim(what));
  if (what.empty()) return usage("name a code such as MOP-AUD-001, or the text of a message; - reads it");
  if (const auto* row = find_by_id(what)) return tell({{row, row->id, guide::none, true, 1}}, about.as_json);
  auto found = find_symptoms(what, most_rows);
  if (!found.empty()) return tell(found, about.as_json);
  std::cerr << "explain: no code of ours and no message that is known here\n"
               "  The codes are in docs/reference/errors.md.\n";
  return exit_code::unclear;
}

}  // namespace mcp_oauth
