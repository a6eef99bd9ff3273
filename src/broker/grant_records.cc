#include "broker/grant_records.h"

#include "base/base64url.h"
#include "base/json.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

json::array to_array(const std::vector<std::string>& items) {
  json::array out;
  for (const auto& i : items) out.emplace_back(json::string_view(i.data(), i.size()));
  return out;
}

tl::unexpected<error> unreadable(const record& r) { return fail(errc::store_corrupt, r.kind + " " + r.id); }

const json::object* object_member(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(json::string_view(name.data(), name.size()));
  return v != nullptr && v->is_object() ? &v->get_object() : nullptr;
}

}  // namespace

record to_record(const grant_record& g, time_point expires) {
  record r;
  r.kind = "grant";
  r.id = g.id;
  r.grant = g.id;
  r.user = g.who.subject;
  r.provider = g.who.provider;
  r.data = json::serialize(json::object{{"client_id", g.client_id},
                                        {"scopes", to_array(g.scopes)},
                                        {"resource", g.resource},
                                        {"access_until", to_unix(g.access_until)},
                                        {"who", to_json(g.who)}});
  r.created = g.created;
  r.expires = std::max(expires, g.access_until);
  return r;
}

result<std::optional<grant_record>> find_grant(record_store& store, std::string_view id, time_point now) {
  auto found = store.get("grant", id, now);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return std::optional<grant_record>{};
  const auto& r = **found;
  auto data = parse_json_object(r.data);
  if (!data) return unreadable(r);
  const auto* who = object_member(*data, "who");
  grant_record g;
  if (who == nullptr || read(*data, "scopes", g.scopes) != member::present) return unreadable(r);
  g.id = r.id;
  g.client_id = text_member(*data, "client_id");
  g.resource = text_member(*data, "resource");
  g.who = person_from(*who);
  g.created = r.created;
  g.version = r.version;
  std::int64_t access_until = 0;
  // Written by a version that did not know: the longest lifetime that may be configured.
  bool known = read(*data, "access_until", access_until) == member::present;
  g.access_until = known ? from_unix(access_until) : now + std::chrono::hours(24);
  return std::optional(std::move(g));
}

record to_record(const code_record& c, time_point created, time_point forgotten) {
  record r;
  r.kind = "code";
  r.id = c.id;
  r.grant = c.grant;
  r.user = c.who.subject;
  r.provider = c.who.provider;
  r.data = json::serialize(json::object{{"access", to_json(c.access)},
                                        {"who", to_json(c.who)},
                                        {"expires", to_unix(c.expires)},
                                        {"used", c.used}});
  r.created = created;
  r.expires = forgotten;
  return r;
}

result<std::optional<code_record>> find_code(record_store& store, std::string_view id, time_point now) {
  auto found = store.get("code", id, now);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return std::optional<code_record>{};
  const auto& r = **found;
  auto data = parse_json_object(r.data);
  if (!data) return unreadable(r);
  const auto* access = object_member(*data, "access");
  const auto* who = object_member(*data, "who");
  code_record c;
  std::int64_t expires = 0;
  if (access == nullptr || who == nullptr || read(*data, "expires", expires) != member::present ||
      read(*data, "used", c.used) != member::present) {
    return unreadable(r);
  }
  auto approved = access_from(*access);
  if (!approved) return unreadable(r);
  c.id = r.id;
  c.grant = r.grant;
  c.access = std::move(*approved);
  c.who = person_from(*who);
  c.expires = from_unix(expires);
  c.version = r.version;
  return std::optional(std::move(c));
}

record to_record(const refresh_record& f, time_point created, time_point forgotten) {
  record r;
  r.kind = "refresh";
  r.id = f.id;
  r.grant = f.grant;
  r.user = f.user;
  r.provider = f.provider;
  json::object data{{"client_id", f.client_id},
                    {"scopes", to_array(f.scopes)},
                    {"resource", f.resource},
                    {"expires", to_unix(f.expires)}};
  if (f.rotated) {
    data["rotated"] = to_unix(*f.rotated);
    data["successor"] = base64url_encode(f.successor);
  }
  r.data = json::serialize(data);
  r.created = created;
  r.expires = forgotten;
  return r;
}

result<std::optional<refresh_record>> find_refresh(record_store& store, std::string_view id, time_point now) {
  auto found = store.get("refresh", id, now);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return std::optional<refresh_record>{};
  const auto& r = **found;
  auto data = parse_json_object(r.data);
  refresh_record f;
  std::int64_t expires = 0, rotated = 0;
  if (!data || read(*data, "scopes", f.scopes) != member::present ||
      read(*data, "expires", expires) != member::present) {
    return unreadable(r);
  }
  if (read(*data, "rotated", rotated) == member::present) {
    auto successor = base64url_decode(text_member(*data, "successor"));
    if (!successor) return unreadable(r);
    f.rotated = from_unix(rotated);
    f.successor = std::move(*successor);
  }
  f.id = r.id;
  f.grant = r.grant;
  f.client_id = text_member(*data, "client_id");
  f.resource = text_member(*data, "resource");
  f.user = r.user;
  f.provider = r.provider;
  f.expires = from_unix(expires);
  f.version = r.version;
  return std::optional(std::move(f));
}

}  // namespace mcp_oauth
