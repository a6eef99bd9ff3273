#include "broker/session.h"

#include "base/base64url.h"
#include "broker/browser.h"
#include "broker/still_allowed.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view cookie = "mop_session";
constexpr std::string_view kind = "browser";

// Another one after each change of the password.
std::string password_mark(const user& of) { return digest_of(of.password_hash); }

}  // namespace

std::optional<person> signed_in_person(const broker_world& world, const http_request& request,
                                       time_point now) {
  auto value = find_cookie(request.fields, cookie, cookie_scheme(world.conf));
  if (!value) return std::nullopt;
  auto found = world.store.get(kind, digest_of(*value), now);
  if (!found || !*found) return std::nullopt;
  auto data = parse_json_object((*found)->data);
  if (!data) return std::nullopt;
  // The user may have been removed meanwhile, and the name given to somebody else.
  auto known = find_user(world.store, text_member(*data, "user_name"), now);
  if (!known || !*known) return std::nullopt;
  auto who = person_from(*data);
  if ((*known)->must_change || !check_still_allowed(world, who, now)) return std::nullopt;
  // Sessions that an older release began have no mark.
  auto mark = text_member(*data, "password");
  if (!mark.empty() && mark != password_mark(**known)) return std::nullopt;
  return who;
}

new_session begin_session(const broker_world& world, const person& who, const user& known, time_point now) {
  auto value = base64url_encode(world.random(32));
  auto data = to_json(who);
  data["user_name"] = known.name;
  data["password"] = password_mark(known);
  new_session s;
  s.row.kind = kind;
  s.row.id = digest_of(value);
  s.row.user = who.subject;
  s.row.provider = who.provider;
  s.row.data = json::serialize(data);
  s.row.created = now;
  s.row.expires = now + world.conf.sign_in_lifetime;
  s.cookie = set_cookie(cookie, value, cookie_scheme(world.conf), world.conf.sign_in_lifetime).value_or("");
  return s;
}

void end_previous_session(change& c, const broker_world& world, const http_request& request) {
  auto value = find_cookie(request.fields, cookie, cookie_scheme(world.conf));
  if (value) c.erase.emplace_back(kind, digest_of(*value));
}

result<std::string> end_session(const broker_world& world, const http_request& request, time_point now) {
  change c;
  end_previous_session(c, world, request);
  if (!c.erase.empty()) {
    auto done = world.store.commit(c, now);
    if (!done) return tl::unexpected(done.error());
  }
  return expire_cookie(cookie, cookie_scheme(world.conf));
}

}  // namespace mcp_oauth
