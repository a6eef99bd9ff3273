// `explain`: why something failed, by its id, by a code, or by the words that were met.

#include "app/commands.h"
#include "app/report.h"
#include "app/story_keeper.h"
#include "app/terminal.h"
#include "base/text.h"
#include "broker/login_trail.h"
#include "doctor/print_story.h"
#include "doctor/print_symptom.h"
#include "store/open.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iostream>
#include <iterator>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_rows = 5;
constexpr std::size_t longest_input = 16 * 1024 * 1024;
constexpr std::size_t more_than_may_be = 8192;  // before the gateway clears up
constexpr std::size_t most_sign_ins = 10'000;   // that are looked through, the newest

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

// What is kept, the newest first.
result<std::vector<failure_story>> kept_stories(const settings& conf, std::size_t most) {
  auto place = stories_place(conf);
  if (place.empty()) {
    return fail(
        errc::store_unavailable,
        "nothing is kept that could be read from here: the database is in memory, or there is none and no "
        "log file; explain.file names a file to keep failures in");
  }
  if (auto path = sqlite_path(place); path && !path->empty()) {
    std::error_code ignored;
    if (!std::filesystem::exists(*path, ignored)) {
      return fail(errc::store_unavailable, database_place(place) +
                                               " is not there: run this where the gateway runs, with its "
                                               "configuration (--config)");
    }
  }
  auto records = look_at_kind(place, story_kind, std::chrono::system_clock::now(), most);
  if (!records) return tl::unexpected<error>(records.error());
  std::vector<failure_story> stories;
  for (const auto& r : *records) {
    // One that a newer program wrote may not be for us.
    if (auto story = story_from(r.data)) stories.push_back(std::move(*story));
  }
  // Records are in the order of whole seconds.
  auto last = [](const failure_story& s) { return std::max(s.at, s.last_at); };
  std::sort(stories.begin(), stories.end(), [&](const auto& a, const auto& b) { return last(a) > last(b); });
  return stories;
}

std::int64_t milliseconds_of(time_point time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

// The sign-ins that records tell of; none where they cannot be read, as the stories can be told without.
std::vector<sign_in_progress> kept_sign_ins(const settings& conf) {
  std::vector<sign_in_progress> all;
  if (conf.is_guard()) return all;
  for (std::string_view kind : {"login", "code"}) {
    auto records = look_at_kind(conf.database_url, kind, std::chrono::system_clock::now(), most_sign_ins);
    if (!records) continue;
    for (const auto& r : *records) {
      auto seen = progress_of(r);
      if (!seen) continue;
      using from = login_progress::stage;
      using to = sign_in_progress::stage;
      sign_in_progress one{seen->login, {}, to::signing_in, milliseconds_of(seen->until)};
      if (seen->how == from::code_given) one.how = to::code_given;
      if (seen->how == from::ended) one.how = to::ended;
      for (const auto& s : seen->steps) one.steps.push_back({s.hop, s.id, s.at, s.probable});
      all.push_back(std::move(one));
    }
  }
  return all;
}

std::string in_words(seconds time) {
  auto s = time.count();
  if (s % 86400 == 0) return std::to_string(s / 86400) + " days";
  if (s % 3600 == 0) return std::to_string(s / 3600) + " hours";
  return std::to_string(s) + " seconds";
}

exit_code list(const settings& conf, std::size_t most, bool as_json) {
  auto stories = kept_stories(conf, most);
  if (!stories) return report(stories.error());
  if (as_json) {
    std::cout << json::serialize(list_json(*stories)) << "\n";
  } else if (stories->empty()) {
    std::cerr << "explain: no failure is kept\n";
  } else {
    std::cout << list_text(*stories, wants_colour());
  }
  return exit_code::ok;
}

// The story of the first of them that has one; nothing: none has.
result<std::optional<told_story>> told_of(const settings& conf, const std::vector<std::string>& ids) {
  auto stories = kept_stories(conf, conf.explain.most + more_than_may_be);
  if (!stories) return tl::unexpected<error>(stories.error());
  auto sign_ins = kept_sign_ins(conf);
  for (const auto& id : ids) {
    if (auto told = tell_story(*stories, sign_ins, id)) return told;
  }
  return std::optional<told_story>();
}

exit_code tell(const told_story& told, bool as_json) {
  if (as_json) {
    std::cout << json::serialize(to_json(told)) << "\n";
  } else {
    std::cout << to_text(told, wants_colour());
  }
  return exit_code::ok;
}

exit_code nothing_kept_of(const settings& conf, const std::string& id) {
  std::cerr << "explain: nothing is kept of " << id << "\n";
  if (!conf.explain.enabled()) {
    std::cerr << "  explain.most is 0: no failure is kept.\n";
    return exit_code::unclear;
  }
  // What helps first: the log has a line of each request, whatever became of it.
  if (conf.log.output == "file" && !conf.log.file.empty()) {
    std::cerr << "  Its line of the log says what became of it: grep " << id << " " << conf.log.file << "\n";
  } else {
    std::cerr << "  Its line of the log says what became of it: the log goes to " << conf.log.output << ".\n";
  }
  std::cerr
      << "  No line there: it is an id of another deployment, or of a time before that log"
      << (conf.log.access ? "" : ", or was answered well (logging.access is false)") << ".\n"
      << "  Kept are failures alone, for " << in_words(conf.explain.keep) << ", the newest "
      << conf.explain.most
      << " at most (explain.keep, explain.most): what was answered well leaves nothing,\n"
      << "  nor does a 401 without a token, with which every sign-in begins, nor a sign-in that was left on "
         "its first page,\n"
      << "  nor an error that the MCP server itself answered: the log has its status.\n"
      << "  Of one that happens again and again the first id and the last ones are known: explain --last has "
         "it, with a count.\n"
      << "  While many fail at once some are left out and counted: mop_stories_total{outcome=\"dropped\"} of "
         "/metrics.\n"
      << "  One of this very moment is known in a second; the last before a crash is lost.\n";
  return exit_code::unclear;
}

exit_code tell_of_words(const std::string& what, bool as_json) {
  if (const auto* row = find_by_id(what)) return tell({{row, row->id, guide::none, true, 1}}, as_json);
  auto found = find_symptoms(what, most_rows);
  if (!found.empty()) return tell(found, as_json);
  std::cerr << "explain: no request, no code of ours and no message that is known here\n"
               "  An id has 13 characters, as X-Request-Id of the answer and request_id of the log have it.\n"
               "  The codes are in docs/reference/errors.md.\n";
  return exit_code::unclear;
}

}  // namespace

exit_code explain_command(const command_input& in, const explain_input& about) {
  auto what = join(about.words, " ");
  if (what == "-") what = read_input();
  what = std::string(trim(what));
  if (about.lists && !what.empty()) return usage("--last lists failures; it takes no " + what);
  auto most = parse_decimal(about.last.empty() ? "10" : about.last);
  if (!most || *most == 0 || *most > 100'000) return usage("--last: not a number from 1 to 100000");
  if (!about.lists && what.empty())
    return usage("name an X-Request-Id, a code such as MOP-AUD-001, or the text of a message; - reads it");
  auto ids = about.lists ? std::vector<std::string>() : request_ids_in(what);
  if (!about.lists && ids.empty()) return tell_of_words(what, about.as_json);
  bool has_words = !about.lists && !find_symptoms(what, 1).empty();
  exit_code why = exit_code::ok;
  std::vector<std::string> warnings;  // are not about the request
  // As it is without a file, the demo included.
  auto conf = load_settings(in, true, why, &warnings);
  if (about.lists) return conf ? list(*conf, static_cast<std::size_t>(*most), about.as_json) : why;
  if (conf) {
    auto told = told_of(*conf, ids);
    if (told && *told) return tell(**told, about.as_json);
    if (told && !has_words) return nothing_kept_of(*conf, ids.front());
    if (!told) why = report(told.error());
  }
  if (!has_words) return why;
  // A line of a log says what happened, kept or not.
  std::cerr << "explain: nothing is kept of " << join(ids, ", ") << "; of its words:\n";
  return tell_of_words(what, about.as_json);
}

}  // namespace mcp_oauth
