#include "broker/provider_tokens.h"

#include "base/base64url.h"
#include "base/json.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view kind = "provider_token";
constexpr std::string_view purpose = "provider-token";

json::string_view view(std::string_view s) { return {s.data(), s.size()}; }

std::optional<time_point> time_member(const json::object& o, std::string_view name) {
  std::int64_t value = 0;
  if (read(o, name, value) != member::present) return std::nullopt;
  return from_unix(value);
}

}  // namespace

std::optional<provider_tokens> kept_of(const token_plan& plan, const provider_settings& provider,
                                       const token_answer& answer, time_point now) {
  provider_tokens t;
  if (plan.sends) t.access_token = answer.access_token;
  if (plan.renews) t.refresh_token = answer.refresh_token;
  if (t.access_token.empty() && t.refresh_token.empty()) return std::nullopt;
  t.provider = provider.name;
  t.scope = answer.scope;
  if (answer.expires_in) t.expires = now + *answer.expires_in;
  t.issued = now;
  return t;
}

record to_record(const broker_world& world, const provider_tokens& t) {
  json::object tokens;
  if (!t.access_token.empty()) tokens["access_token"] = view(t.access_token.reveal());
  if (!t.refresh_token.empty()) tokens["refresh_token"] = view(t.refresh_token.reveal());
  secret plain(json::serialize(tokens));
  json::object data{
      {"sealed", base64url_encode(world.seal.seal(purpose, t.grant, plain.reveal(), world.random))},
      {"scope", t.scope},
      {"issued", to_unix(t.issued)}};
  auto add_time = [&](const char* name, const std::optional<time_point>& at) {
    if (at) data[name] = to_unix(*at);
  };
  add_time("expires", t.expires);
  add_time("renewed", t.renewed);
  add_time("leased_until", t.leased_until);
  if (!t.leased_by.empty()) data["leased_by"] = t.leased_by;
  if (!t.failure.empty()) data["failure"] = t.failure;
  record r;
  r.kind = kind;
  r.id = t.grant;
  r.grant = t.grant;
  r.user = t.subject;
  r.provider = t.provider;
  r.data = json::serialize(data);
  r.created = t.issued;
  r.expires = t.kept_until;
  return r;
}

result<std::optional<provider_tokens>> find_provider_tokens(const broker_world& world, std::string_view grant,
                                                            time_point now) {
  auto found = world.store.get(kind, grant, now);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return std::optional<provider_tokens>{};
  const auto& r = **found;
  auto data = parse_json_object(r.data);
  auto sealed = data ? base64url_decode(text_member(*data, "sealed")) : std::nullopt;
  auto issued = data ? time_member(*data, "issued") : std::nullopt;
  if (!sealed || !issued) return fail(errc::store_corrupt, r.kind + " " + r.id);
  auto opened = world.seal.open(purpose, r.id, *sealed);
  if (!opened) return tl::unexpected(opened.error());
  secret plain(std::move(*opened));
  auto tokens = parse_json_object(plain.reveal());
  if (!tokens) return fail(errc::store_corrupt, r.kind + " " + r.id);
  provider_tokens t;
  t.grant = r.id;
  t.provider = r.provider;
  t.subject = r.user;
  t.access_token = secret(text_member(*tokens, "access_token"));
  t.refresh_token = secret(text_member(*tokens, "refresh_token"));
  t.scope = text_member(*data, "scope");
  t.expires = time_member(*data, "expires");
  t.issued = *issued;
  t.renewed = time_member(*data, "renewed");
  t.leased_until = time_member(*data, "leased_until");
  t.leased_by = text_member(*data, "leased_by");
  t.failure = text_member(*data, "failure");
  t.kept_until = r.expires;
  t.version = r.version;
  return std::optional(std::move(t));
}

result<void> keep_provider_tokens(change& c, const broker_world& world, const std::string& grant,
                                  time_point until, time_point now) {
  if (!keeps_provider_tokens(world.conf)) return {};
  auto found = world.store.get(kind, grant, now);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return {};
  auto& r = **found;
  c.when.push_back({r.kind, r.id, r.version});
  r.expires = std::max(r.expires, until);
  c.put.push_back(std::move(r));
  return {};
}

std::optional<time_point> renewal_due(const provider_tokens& t, seconds margin) {
  if (!t.expires) return std::nullopt;
  auto lifetime = *t.expires - t.issued;
  auto early = std::min(std::max<time_point::duration>(lifetime / 10, margin), lifetime / 2);
  return *t.expires - early;
}

}  // namespace mcp_oauth
