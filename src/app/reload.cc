#include "app/reload.h"

#include "app/story_keeper.h"
#include "config/config_error.h"

#include <string_view>

namespace mcp_oauth {
namespace {

// Of a guard it follows from the file of the log, which may change.
std::string file_of_stories(const settings& conf) {
  if (!conf.is_guard() || !conf.explain.file.empty()) return conf.explain.file;
  auto place = stories_place(conf);
  return place.empty() ? "" : place.substr(std::string_view("sqlite://").size());
}

}  // namespace

std::vector<fixed_setting> cannot_change(const settings& running, const settings& wanted) {
  std::vector<fixed_setting> differing;
  auto compare = [&](std::string_view key, const std::string& now, const std::string& then) {
    if (now != then) differing.push_back({std::string(key), displayed(now), displayed(then)});
  };
  compare("mode", running.mode, wanted.mode);
  compare("host", running.host, wanted.host);
  compare("port", std::to_string(running.port), std::to_string(wanted.port));
  compare("workers", std::to_string(running.workers), std::to_string(wanted.workers));
  if (running.database_url != wanted.database_url) {
    differing.push_back({"database_url", without_credentials(running.database_url),
                         without_credentials(wanted.database_url)});
  }
  if (running.is_guard() == wanted.is_guard())
    compare("explain.file", file_of_stories(running), file_of_stories(wanted));
  // A file of their own is opened at the start, where any are kept.
  bool begins = !running.explain.enabled() && wanted.explain.enabled();
  if (begins && !file_of_stories(running).empty())
    compare("explain.most", std::to_string(running.explain.most), std::to_string(wanted.explain.most));
  if (running.encryption_key.reveal() != wanted.encryption_key.reveal())
    differing.push_back({"encryption_key", "", ""});
  // Another certificate is no matter; none, or a first one, changes what our address is.
  if (running.tls.enabled() != wanted.tls.enabled()) {
    compare("tls.cert_file", running.tls.cert_file, wanted.tls.cert_file);
    compare("tls.key_file", running.tls.key_file, wanted.tls.key_file);
  }
  return differing;
}

std::string to_string(const fixed_setting& s) {
  auto shown = [](const std::string& value) { return value.empty() ? std::string("the value") : value; };
  if (s.running.empty() && s.wanted.empty()) return s.key + ": another value needs a restart";
  return s.key + ": " + (s.wanted.empty() ? "leaving it out" : shown(s.wanted)) +
         " needs a restart; until then " + (s.running.empty() ? "it stays unset" : s.running + " stays");
}

config_flags flags_of(const std::vector<fixed_setting>& pinned, const settings& running) {
  config_flags flags;
  for (const auto& one : pinned) {
    if (one.key == "mode") flags.emplace_back(one.key, running.mode);
    if (one.key == "host") flags.emplace_back(one.key, running.host);
    if (one.key == "port") flags.emplace_back(one.key, std::to_string(running.port));
    if (one.key == "explain.file") flags.emplace_back(one.key, running.explain.file);
    if (one.key == "tls.cert_file") flags.emplace_back(one.key, running.tls.cert_file);
    if (one.key == "tls.key_file") flags.emplace_back(one.key, running.tls.key_file);
  }
  return flags;
}

void keep_fixed(const settings& running, settings& wanted) {
  wanted.host = running.host;
  wanted.port = running.port;
  wanted.workers = running.workers;
  wanted.database_url = running.database_url;
  wanted.encryption_key = running.encryption_key;
  wanted.explain.file = running.explain.file;
  if (running.tls.enabled() != wanted.tls.enabled()) wanted.tls = running.tls;
}

}  // namespace mcp_oauth
