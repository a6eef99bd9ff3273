#include "app/login_openings.h"

#include <algorithm>
#include <functional>
#include <string>

namespace mcp_oauth {
namespace {

constexpr std::int64_t remembered = 10 * 60 * 1000;  // milliseconds

std::uint64_t hash_of(char kind, std::string_view text) {
  return (std::hash<std::string_view>()(text) ^ static_cast<std::uint64_t>(kind)) * 0x9E3779B97F4A7C15ULL | 1;
}

}  // namespace

login_openings::login_openings() : table_(std::make_unique<table>()) {}

void login_openings::write(std::uint64_t whose, event cell::* what, const event& seen) {
  auto place = (whose >> 16) % places;
  std::unique_lock lock(table_->mutexes[place % stripes], std::try_to_lock);
  if (!lock) return;
  auto& c = table_->cells[place];
  if (c.whose != whose) {
    c = cell();
    c.whose = whose;
  }
  c.*what = seen;
}

void login_openings::note(std::string_view client, std::string_view hop, std::string_view id,
                          std::int64_t at_ms) {
  event seen;
  seen.at = at_ms;
  std::copy_n(id.begin(), std::min(id.size(), seen.id.size()), seen.id.data());
  write(hash_of('a', client), hop == "metadata" ? &cell::metadata : &cell::call, seen);
}

void login_openings::registered(std::string_view client, std::string_view client_id, std::string_view id,
                                std::int64_t at_ms) {
  event seen;
  seen.at = at_ms;
  std::copy_n(id.begin(), std::min(id.size(), seen.id.size()), seen.id.data());
  seen.about = hash_of('c', client_id);
  write(hash_of('a', client), &cell::registration, seen);
  write(seen.about, &cell::registration, seen);
}

std::vector<login_step> login_openings::before(std::string_view client, std::string_view client_id,
                                               std::int64_t now_ms) const {
  auto wanted_client = hash_of('c', client_id);
  std::vector<login_step> found;
  auto take = [&](const event& seen, std::string_view hop, bool probable) {
    if (seen.at == 0 || now_ms - seen.at > remembered || seen.at > now_ms) return;
    auto end = std::find(seen.id.begin(), seen.id.end(), '\0');
    std::string id(seen.id.begin(), end);
    bool known = std::any_of(found.begin(), found.end(), [&](const login_step& s) { return s.id == id; });
    if (!known) found.push_back({std::string(hop), std::move(id), seen.at, probable});
  };
  for (auto whose : {hash_of('a', client), wanted_client}) {
    auto place = (whose >> 16) % places;
    std::lock_guard lock(table_->mutexes[place % stripes]);
    const auto& c = table_->cells[place];
    if (c.whose != whose) continue;
    take(c.call, "gateway", true);
    take(c.metadata, "metadata", true);
    if (c.registration.about == wanted_client) take(c.registration, "register", false);
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return found;
}

}  // namespace mcp_oauth
