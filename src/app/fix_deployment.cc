#include "app/fix_deployment.h"

#include "app/file_access.h"
#include "base/file_words.h"
#include "base/shell.h"
#include "base/text.h"
#include "doctor/site_facts.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t from = 0;
  while (true) {
    auto to = text.find('\n', from);
    lines.push_back(text.substr(from, to == std::string::npos ? to : to - from));
    if (to == std::string::npos) return lines;
    from = to + 1;
  }
}

// Of what is before the colon: a setting that names an MCP server, and no comment.
bool is_url_key(std::string_view key) {
  key = trim(key);
  if (key.starts_with("- ")) key = trim(key.substr(2));
  bool quoted = key.size() > 1 && (key.front() == '"' || key.front() == '\'') && key.back() == key.front();
  if (quoted) key = key.substr(1, key.size() - 2);
  return key == "mcp_server_url" || key == "url";
}

// Where the value stands in `key: value`, bare or in quotes; nothing where the line says something else.
std::optional<std::size_t> place_of_value(const std::string& line, const std::string& value) {
  auto colon = line.find(": ");
  if (colon == std::string::npos || !is_url_key(std::string_view(line).substr(0, colon))) return std::nullopt;
  auto at = line.find_first_not_of(" \t", colon + 2);
  if (at == std::string::npos) return std::nullopt;
  bool quoted = line[at] == '"' || line[at] == '\'';
  if (quoted) ++at;
  if (line.compare(at, value.size(), value) != 0) return std::nullopt;
  auto rest = trim(std::string_view(line).substr(at + value.size()));
  if (quoted && !rest.empty() && rest.front() == line[at - 1]) rest = trim(rest.substr(1));
  if (!rest.empty() && rest.back() == ',') rest.remove_suffix(1);
  return rest.empty() || rest.front() == '#' ? std::optional(at) : std::nullopt;
}

std::optional<file_change> change_of_value(const proposed_change& wanted) {
  auto text = read_file_text(wanted.file);
  if (!text) return std::nullopt;
  std::optional<file_change> found;
  auto lines = lines_of(*text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    auto at = place_of_value(lines[i], wanted.from);
    if (!at) continue;
    if (found) return std::nullopt;  // which of both is meant?
    found = file_change{wanted.what, wanted.file, i + 1, lines[i], lines[i], false, ""};
    found->after.replace(*at, wanted.from.size(), wanted.to);
  }
  return found;
}

// The file as it is with another content: its owner and mode stay, and a link stays one. "": done.
std::string replace_file(const std::string& path, const std::string& content) {
  std::error_code failed;
  auto real = std::filesystem::canonical(path, failed).string();
  struct stat before{};
  if (failed || ::stat(real.c_str(), &before) != 0) return file_words(errno, path);
  // A name that nobody could put a link at, for this process alone until the mode is right.
  auto fresh = real + ".XXXXXX";
  int fd = ::mkostemp(fresh.data(), O_CLOEXEC);
  if (fd < 0) return file_words(errno, fresh);
  std::string why;
  if (::fchown(fd, before.st_uid, before.st_gid) != 0) {
    why = "it belongs to somebody else; change it by hand";
  } else if (::fchmod(fd, before.st_mode & 07777) != 0) {
    why = file_words(errno, fresh);
  }
  std::string_view rest = content;
  while (why.empty() && !rest.empty()) {
    auto n = ::write(fd, rest.data(), rest.size());
    if (n > 0) rest.remove_prefix(static_cast<std::size_t>(n));
    if (n <= 0 && errno != EINTR) why = file_words(errno, fresh);
  }
  if (why.empty() && ::fsync(fd) != 0) why = file_words(errno, fresh);
  ::close(fd);
  if (why.empty() && ::rename(fresh.c_str(), real.c_str()) != 0) why = file_words(errno, real);
  if (!why.empty()) ::unlink(fresh.c_str());
  return why;
}

std::string change_line(const file_change& change) {
  auto text = read_file_text(change.file);
  if (!text) return text.error().detail;
  auto lines = lines_of(*text);
  if (change.line > lines.size() || lines[change.line - 1] != change.before)
    return "it was changed meanwhile";
  lines[change.line - 1] = change.after;
  return replace_file(change.file, join(lines, "\n"));
}

}  // namespace

std::vector<file_change> changes_of(const examination& made) {
  std::vector<file_change> changes;
  for (const auto& finding : made.findings) {
    if (!finding.change) continue;
    const auto& wanted = *finding.change;
    if (wanted.what == proposed_change::kind::mode) {
      changes.push_back({wanted.what, wanted.file, 0, wanted.from, wanted.to, false, ""});
    } else if (auto change = change_of_value(wanted)) {
      changes.push_back(std::move(*change));
    }
  }
  return changes;
}

void make_changes(std::vector<file_change>& changes) {
  for (auto& change : changes) {
    if (change.what == proposed_change::kind::value) {
      change.failure = change_line(change);
    } else if (::chmod(change.file.c_str(), static_cast<mode_t>(std::stoul(change.after, nullptr, 8))) != 0) {
      change.failure = file_words(errno, change.file);
    }
    change.made = change.failure.empty();
  }
}

std::string to_text(const std::vector<file_change>& changes, bool yes) {
  if (changes.empty()) return "\nNothing that could be changed here: see the commands above.\n";
  std::string out = "\n";
  for (const auto& change : changes) {
    if (change.what == proposed_change::kind::mode) {
      out += "chmod " + change.after + " " + shell_quoted(change.file) + "    (was " + change.before + ")\n";
    } else {
      out += "--- " + change.file + "\n+++ " + change.file + "\n@@ -" + std::to_string(change.line) + " +" +
             std::to_string(change.line) + " @@\n-" + change.before + "\n+" + change.after + "\n";
    }
    if (!change.failure.empty()) out += "not changed: " + change.failure + "\n";
  }
  if (!yes) return out + "Nothing was changed. --fix --yes changes it.\n";
  bool any = std::any_of(changes.begin(), changes.end(), [](const auto& one) { return one.made; });
  return out +
         (any ? "Changed. Reload or restart the gateway, and run doctor again.\n" : "Nothing was changed.\n");
}

json::array to_json(const std::vector<file_change>& changes) {
  json::array all;
  for (const auto& change : changes) {
    json::object one{{"file", change.file}, {"line", change.line}};
    one["before"] = change.before;
    one["after"] = change.after;
    one["made"] = change.made;
    one["failure"] = change.failure;
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace mcp_oauth
