#include "broker/pending_login.h"

#include "base/base64url.h"
#include "base/json.h"
#include "broker/browser.h"
#include "broker/login_trail.h"

namespace mcp_oauth {
namespace {

constexpr std::string_view kind = "login";
// For so long a late arrival is told "too late" and "already used" instead of "unknown".
constexpr std::chrono::minutes remembered{10};

json::array to_array(const std::vector<std::string>& items) {
  json::array out;
  for (const auto& i : items) out.emplace_back(json::string_view(i.data(), i.size()));
  return out;
}

}  // namespace

json::object to_json(const approved_access& a) {
  return {{"client_id", a.client_id},
          {"client_name", a.client_name},
          {"redirect_uri", a.redirect_uri},
          {"redirect_uri_sent", a.redirect_uri_sent},
          {"state", a.state},
          {"code_challenge", a.code_challenge},
          {"scopes", to_array(a.scopes)},
          {"resource", a.resource},
          {"steps", to_json(a.steps)}};
}

result<approved_access> access_from(const json::object& o) {
  approved_access a;
  a.client_id = text_member(o, "client_id");
  a.client_name = text_member(o, "client_name");
  a.redirect_uri = text_member(o, "redirect_uri");
  a.state = text_member(o, "state");
  a.code_challenge = text_member(o, "code_challenge");
  a.resource = text_member(o, "resource");
  a.steps = steps_from(o, "steps");
  if (read(o, "redirect_uri_sent", a.redirect_uri_sent) != member::present ||
      read(o, "scopes", a.scopes) != member::present || a.client_id.empty() || a.redirect_uri.empty() ||
      a.code_challenge.empty()) {
    return fail(errc::store_corrupt, "the terms of an approval cannot be read");
  }
  return a;
}

result<std::string> begin_login(const broker_world& world, pending_login login, time_point now) {
  // Those that are over or finished are kept until then at most.
  auto in_flight = world.store.count(kind, now + remembered);
  if (!in_flight) return tl::unexpected(in_flight.error());
  if (*in_flight >= world.conf.limits.logins_in_flight) {
    return fail(errc::too_many_requests, "limits.logins_in_flight is reached");
  }
  auto state = base64url_encode(world.random(32));
  record r;
  r.kind = kind;
  r.id = digest_of(state);
  r.provider = login.provider;
  auto expires = now + world.conf.session_timeout;
  json::object data{{"access", to_json(login.access)},
                    {"browser", login.browser},
                    {"login_hint", login.login_hint},
                    {"approver", login.approver},
                    {"expires", to_unix(expires)},
                    {"finished", false},
                    {"login", login_key(login.access.client_id, login.access.code_challenge)}};
  auto seal = [&](std::string_view purpose, const secret& value) {
    return value.empty() ? ""
                         : base64url_encode(world.seal.seal(purpose, r.id, value.reveal(), world.random));
  };
  data["nonce"] = seal("login-nonce", login.nonce);
  data["code_verifier"] = seal("login-verifier", login.code_verifier);
  r.data = json::serialize(data);
  r.created = now;
  r.expires = expires + remembered;
  change c;
  c.when.push_back({r.kind, r.id, 0});
  c.put.push_back(std::move(r));
  auto done = world.store.commit(c, now);
  if (!done) return tl::unexpected(done.error());
  if (!*done) return fail(errc::internal, "a fresh state is already taken");
  return state;
}

result<pending_login> find_login(const broker_world& world, std::string_view state, std::string_view browser,
                                 time_point now, broker_log* log) {
  if (state.empty()) return fail(errc::state_invalid, "no state");
  auto found = world.store.get(kind, digest_of(state), now);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return fail(errc::state_invalid, "no such login was begun here, or it ended long ago");
  const auto& r = **found;
  auto data = parse_json_object(r.data);
  if (!data) return fail(errc::store_corrupt, "login " + r.id);
  if (log != nullptr) {
    log->login = text_member(*data, "login");
    const auto* terms = data->if_contains("access");
    bool pending = terms != nullptr && terms->is_object();
    log->steps = steps_from(pending ? terms->get_object() : *data, "steps");
  }
  if (text_member(*data, "browser") != browser) {
    return fail(errc::state_foreign_browser, "another browser approved, or it lost its cookies");
  }
  bool finished = true;
  if (read(*data, "finished", finished) != member::present || finished) {
    return fail(errc::state_invalid, "the login was already finished");
  }
  std::int64_t expires = 0;
  if (read(*data, "expires", expires) != member::present) return fail(errc::store_corrupt, "login " + r.id);
  if (from_unix(expires) <= now) {
    return fail(errc::state_expired,
                "the login expired " + std::to_string(to_unix(now) - expires) +
                    " s ago (session_timeout=" + std::to_string(world.conf.session_timeout.count()) + ")");
  }
  const auto* access = data->if_contains("access");
  if (access == nullptr || !access->is_object()) return fail(errc::store_corrupt, "login " + r.id);
  auto approved = access_from(access->get_object());
  if (!approved) return tl::unexpected(approved.error());

  pending_login login;
  login.access = std::move(*approved);
  login.provider = r.provider;
  login.browser = browser;
  login.login_hint = text_member(*data, "login_hint");
  login.approver = text_member(*data, "approver");
  login.expires = from_unix(expires);
  login.id = r.id;
  login.version = r.version;
  auto open = [&](std::string_view purpose, std::string_view name) -> result<secret> {
    auto sealed = base64url_decode(text_member(*data, name));
    if (!sealed || sealed->empty()) return secret();
    auto opened = world.seal.open(purpose, r.id, *sealed);
    if (!opened) return tl::unexpected(opened.error());
    return secret(std::move(*opened));
  };
  auto nonce = open("login-nonce", "nonce");
  if (!nonce) return tl::unexpected(nonce.error());
  auto verifier = open("login-verifier", "code_verifier");
  if (!verifier) return tl::unexpected(verifier.error());
  login.nonce = std::move(*nonce);
  login.code_verifier = std::move(*verifier);
  return login;
}

void finish_login(change& c, const pending_login& login, time_point now) {
  record r;
  r.kind = kind;
  r.id = login.id;
  r.provider = login.provider;
  r.data =
      json::serialize(json::object{{"finished", true},
                                   {"browser", login.browser},
                                   {"login", login_key(login.access.client_id, login.access.code_challenge)},
                                   {"steps", to_json(login.access.steps)}});
  r.created = now;
  r.expires = now + remembered;
  c.when.push_back({r.kind, r.id, login.version});
  c.put.push_back(std::move(r));
}

}  // namespace mcp_oauth
