#include "broker/device.h"

#include "base/base64url.h"
#include "base/json.h"
#include "broker/attempts.h"
#include "broker/browser.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view kind = "device";
constexpr std::string_view purpose = "device-cookie";
constexpr seconds lifetime{180 * 24 * 3600};
constexpr std::size_t most_devices = 20;
constexpr int most_conflicts = 8;

// One cookie per account, so that two people at one browser do not take it from each other.
std::string cookie_of(const user& who) { return "mop_device_" + digest_of(who.name).substr(0, 16); }

// A removed user's name may be somebody else's by now.
std::string bound_to(const user& who) { return who.name + "\n" + who.account; }

record to_record(std::string id, const user& who, time_point now) {
  record r;
  r.kind = kind;
  r.id = std::move(id);
  r.user = who.name;
  r.data = json::serialize(json::object{{"failures", 0}, {"last", 0}});
  r.created = now;
  r.expires = now + lifetime;
  return r;
}

}  // namespace

std::optional<device> known_device(const broker_world& world, const http_request& request, const user& who,
                                   time_point now) {
  auto value = find_cookie(request.fields, cookie_of(who), cookie_scheme(world.conf));
  if (!value) return std::nullopt;
  auto sealed = base64url_decode(*value);
  if (!sealed) return std::nullopt;
  auto id = world.seal.open(purpose, bound_to(who), *sealed);
  if (!id) return std::nullopt;
  auto name = digest_of(*id);
  auto found = world.store.get(kind, name, now);
  if (!found || !*found || (*found)->user != who.name) return std::nullopt;
  return device{std::move(name)};
}

result<device_verdict> begin_attempt(const broker_world& world, const device& from, time_point now) {
  auto most = world.conf.limits.sign_in_attempts;
  for (int i = 0; i < most_conflicts; ++i) {
    auto found = world.store.get(kind, from.record_id, now);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return device_verdict{false, {}};
    auto r = **found;
    auto data = parse_json_object(r.data);
    std::int64_t failures = 0, last = 0;
    if (!data || read(*data, "failures", failures) != member::present ||
        read(*data, "last", last) != member::present) {
      return fail(errc::store_corrupt, "device " + r.id);
    }
    auto wait = wait_after(failures, most);
    auto until = std::min(from_unix(last), now) + wait;  // as in attempts.cc
    if (until > now) return device_verdict{true, std::chrono::ceil<seconds>(until - now)};
    change c;
    c.when.push_back({r.kind, r.id, r.version});
    bool used_up = wait == longest_wait;
    if (used_up) {
      c.erase.emplace_back(r.kind, r.id);
    } else {
      r.data = json::serialize(json::object{{"failures", failures + 1}, {"last", to_unix(now)}});
      c.put.push_back(std::move(r));
    }
    auto done = world.store.commit(c, now);
    if (!done) return tl::unexpected(done.error());
    if (*done) return device_verdict{!used_up, {}};
  }
  return device_verdict{true, seconds(1)};
}

std::string renew_device(const broker_world& world, const http_request& request, const user& who,
                         time_point now, change& c) {
  auto before = known_device(world, request, who, now);
  if (before) c.erase.emplace_back(kind, before->record_id);
  auto others = world.store.list(kind, now, 10 * most_devices, who.name);
  for (std::size_t i = most_devices - 1; others && i < others->size(); ++i)
    c.erase.emplace_back(kind, (*others)[i].id);
  auto id = world.random(16);
  c.put.push_back(to_record(digest_of(id), who, now));
  auto value = base64url_encode(world.seal.seal(purpose, bound_to(who), id, world.random));
  return set_cookie(cookie_of(who), value, cookie_scheme(world.conf), lifetime).value_or("");
}

}  // namespace mcp_oauth
