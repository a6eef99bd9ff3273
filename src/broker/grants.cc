#include "broker/grants.h"

#include "base/base64url.h"
#include "broker/browser.h"
#include "broker/grant_records.h"
#include "broker/login_trail.h"
#include "broker/provider_tokens.h"
#include "broker/still_allowed.h"
#include "config/provider_kind.h"
#include "jose/digest.h"
#include "oauth/access_token.h"
#include "oauth/pkce.h"
#include "oauth/resource.h"
#include "oauth/scope.h"
#include "symptom/catalogue.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::chrono::minutes code_remembered{10};
// One is kept of each grant, so that whoever comes back after weeks hears that it expired.
constexpr std::chrono::hours expired_refresh_remembered{24 * 90};
constexpr int most_attempts = 4;
constexpr std::size_t most_revoked = 10'000'000;  // memory ends before

// Not beyond the time when the person has to sign in again.
seconds access_lifetime(const broker_world& world, const person& who, time_point now) {
  auto whole = world.conf.access_token_lifetime;
  if (!who.until) return whole;
  return std::clamp(std::chrono::duration_cast<seconds>(*who.until - now), seconds(0), whole);
}

std::string access_token(const broker_world& world, const signing_key& key, const grant_record& g,
                         const std::vector<std::string>& scopes, time_point now) {
  access_claims claims;
  claims.issuer = world.conf.public_url;
  claims.subject = g.who.subject;
  claims.audience = g.resource;
  claims.client_id = g.client_id;
  claims.grant_id = g.id;
  claims.token_id = base64url_encode(world.random(16));
  claims.provider = g.who.provider;
  claims.email = g.who.email;
  claims.name = g.who.name;
  claims.scopes = scopes;
  claims.issued = now;
  claims.expires = now + access_lifetime(world, g.who, now);
  return mint_access_token(claims, key);
}

issued_tokens tokens(const broker_world& world, const signing_key& key, const grant_record& g,
                     std::vector<std::string> scopes, secret refresh_token, std::string event,
                     time_point now) {
  issued_tokens t;
  t.access_token = secret(access_token(world, key, g, scopes, now));
  t.refresh_token = std::move(refresh_token);
  t.expires_in = access_lifetime(world, g.who, now);
  t.scopes = std::move(scopes);
  t.grant = g.id;
  t.who = g.who;
  t.event = std::move(event);
  return t;
}

// Of what was granted, what the operator still gives.
std::vector<std::string> still_given(const broker_world& world, const known_client& client,
                                     std::vector<std::string> granted) {
  auto given = scopes_for(world.conf, client);
  std::erase_if(granted,
                [&](const auto& s) { return std::find(given.begin(), given.end(), s) == given.end(); });
  return granted;
}

bool has_refresh_grant(const known_client& client) {
  const auto& types = client.metadata.grant_types;
  return std::find(types.begin(), types.end(), "refresh_token") != types.end();
}

secret new_token(const broker_world& world) { return secret(base64url_encode(world.random(32))); }

refresh_record refresh_of(const broker_world& world, const grant_record& g, const secret& token,
                          time_point now) {
  refresh_record f;
  f.id = digest_of(token.reveal());
  f.grant = g.id;
  f.client_id = g.client_id;
  f.scopes = g.scopes;
  f.resource = g.resource;
  f.user = g.who.subject;
  f.provider = g.who.provider;
  f.expires = now + world.conf.refresh_token_lifetime;
  return f;
}

std::string successor_key(const secret& token) {
  return hkdf_sha256(token.reveal(), "", "mcp-oauth-proxy refresh successor", 32);
}

// The end of the last access token that is given now, or again within the grace time.
time_point access_ends(const broker_world& world, time_point now) {
  return now + world.conf.access_token_lifetime + world.conf.refresh_grace;
}

// The end of the last access token of a grant that ends now, by every validator's clock. Tokens may be older
// than today's configuration, and another process may have revoked the grant before.
time_point last_token_ends(const broker_world& world, const std::optional<grant_record>& grant,
                           const std::optional<record>& revoked, time_point now) {
  auto until = access_ends(world, now);
  if (grant) until = std::max(until, grant->access_until);
  until += 2 * world.conf.leeway;
  return revoked ? std::max(until, revoked->expires) : until;
}

result<void> check_resources(const std::vector<std::string>& asked, const std::string& granted) {
  auto resolved = resolve_resource(asked, {granted});
  if (!resolved) return tl::unexpected(resolved.error());
  return {};
}

// Errors: refresh_ended_by_provider.
result<void> check_still_signed_in(const person& who, time_point now) {
  if (!who.until || now < *who.until) return {};
  return fail(errc::refresh_ended_by_provider,
              "the token of " + who.provider + " has expired, and refresh_strategy is reauthorize");
}

// The successor of a rotated token, again; or the end of the grant.
result<issued_tokens> again(const broker_world& world, const signing_key& key, const grant_record& g,
                            const refresh_record& f, const secret& token, std::vector<std::string> scopes,
                            time_point now) {
  // Not before it: another gateway's clock may be ahead.
  auto age = std::max(std::chrono::duration_cast<seconds>(now - *f.rotated), seconds(0));
  if (age >= world.conf.refresh_grace) {
    auto ended = revoke_grant(world, g.id, now);
    if (!ended) return tl::unexpected(ended.error());
    return fail(errc::refresh_replayed, "rotated " + std::to_string(age.count()) +
                                            " s ago (refresh_grace_seconds=" +
                                            std::to_string(world.conf.refresh_grace.count()) + ")");
  }
  auto successor = open_with(successor_key(token), "refresh-successor", f.id, f.successor);
  if (!successor) return tl::unexpected(successor.error());
  return tokens(world, key, g, std::move(scopes), secret(std::move(*successor)), "refresh_again", now);
}

}  // namespace

minted_code mint_code(const broker_world& world, const approved_access& access, const person& who,
                      time_point now) {
  auto code = new_token(world);
  code_record c;
  c.id = digest_of(code.reveal());
  c.grant = base64url_encode(world.random(16));
  c.access = access;
  c.who = who;
  c.expires = now + world.conf.code_lifetime;
  return {std::move(code), to_record(c, now, c.expires + code_remembered)};
}

result<issued_tokens> redeem_code(const broker_world& world, const signing_key& key,
                                  const known_client& client, const code_grant& asked, time_point now,
                                  std::string_view request_id) {
  auto id = digest_of(asked.code.reveal());
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    auto found = find_code(world.store, id, now);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return fail(errc::code_invalid, "no such code, or it ended long ago");
    auto& code = **found;
    if (code.access.client_id != client.metadata.client_id) {
      return fail(errc::code_client_mismatch, "the code is of client " + code.access.client_id);
    }
    if (!code.used && code.expires <= now) return fail(errc::code_expired, "code_lifetime has passed");
    auto same_redirect = check_code_redirect_uri(asked, code.access.redirect_uri);
    if (!same_redirect) return tl::unexpected(same_redirect.error());
    auto proven = check_code_verifier(asked.code_verifier.reveal(), code.access.code_challenge);
    if (!proven) return tl::unexpected(proven.error());
    auto same_resource = check_resources(asked.resources, code.access.resource);
    if (!same_resource) return tl::unexpected(same_resource.error());
    // Only now: a replay that lacks the verifier must not be able to end anything (OAuth 2.1 §7.5.2).
    if (code.used) {
      auto ended = revoke_grant(world, code.grant, now);
      if (!ended) return tl::unexpected(ended.error());
      return fail(errc::code_replayed, "grant " + code.grant + " is revoked");
    }
    auto allowed = check_still_allowed(world, code.who, now);
    if (!allowed && allowed.error().code == errc::refresh_invalid)
      return fail(errc::code_invalid, allowed.error().detail);
    if (!allowed) return tl::unexpected(allowed.error());

    grant_record g{code.grant,
                   code.access.client_id,
                   code.access.scopes,
                   code.access.resource,
                   code.who,
                   now,
                   access_ends(world, now),
                   0};
    change c;
    c.when.push_back({"code", code.id, code.version});
    secret refresh_token;
    auto grant_ends = now + world.conf.access_token_lifetime;
    if (has_refresh_grant(client)) {
      refresh_token = new_token(world);
      auto f = refresh_of(world, g, refresh_token, now);
      grant_ends = f.expires;
      c.put.push_back(to_record(f, now, f.expires + expired_refresh_remembered));
    }
    c.put.push_back(to_record(g, grant_ends));
    auto kept = keep_provider_tokens(c, world, g.id, std::max(grant_ends, g.access_until), now);
    if (!kept) return tl::unexpected(kept.error());
    code.used = true;
    add_step(code.access.steps, "token", request_id, now);
    c.put.push_back(
        to_record(code, now, now + std::max<seconds>(world.conf.access_token_lifetime, code_remembered)));
    auto done = world.store.commit(c, now);
    if (!done) return tl::unexpected(done.error());
    if (!*done) continue;
    return tokens(world, key, g, still_given(world, client, g.scopes), std::move(refresh_token), "code", now);
  }
  return fail(errc::store_busy, "the code kept changing");
}

result<issued_tokens> redeem_refresh(const broker_world& world, const signing_key& key,
                                     const known_client& client, const refresh_grant& asked, time_point now) {
  auto id = digest_of(asked.refresh_token.reveal());
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    auto found = find_refresh(world.store, id, now);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return fail(errc::refresh_invalid, "no such token, or its grant ended");
    auto& old = **found;
    if (old.client_id != client.metadata.client_id) {
      return fail(errc::refresh_invalid, "the token is of client " + old.client_id);
    }
    if (!old.rotated && old.expires <= now) return fail(errc::refresh_expired, "not used for too long");
    auto same_resource = check_resources(asked.resources, old.resource);
    if (!same_resource) return tl::unexpected(same_resource.error());
    auto scopes = refresh_scopes(asked.scopes, old.scopes);
    if (!scopes) return tl::unexpected(scopes.error());
    *scopes = still_given(world, client, std::move(*scopes));
    auto grant = find_grant(world.store, old.grant, now);
    if (!grant) return tl::unexpected(grant.error());
    if (!*grant) return fail(errc::refresh_invalid, "the grant has ended");
    auto& g = **grant;
    auto allowed =
        check_still_signed_in(g.who, now).and_then([&] { return check_still_allowed(world, g.who, now); });
    if (!allowed) {
      if (explain(allowed.error().code).oauth_error != "invalid_grant")
        return tl::unexpected(allowed.error());
      auto ended = revoke_grant(world, g.id, now);
      if (!ended) return tl::unexpected(ended.error());
      return tl::unexpected(allowed.error());
    }
    if (old.rotated) return again(world, key, g, old, asked.refresh_token, std::move(*scopes), now);

    auto token = new_token(world);
    auto next = refresh_of(world, g, token, now);
    change c;
    c.when.push_back({"refresh", old.id, old.version});
    // A revocation erases the grant first; without this condition a rotation at that moment would revive it.
    c.when.push_back({"grant", g.id, g.version});
    c.put.push_back(to_record(next, now, next.expires + expired_refresh_remembered));
    g.access_until = std::max(g.access_until, access_ends(world, now));
    c.put.push_back(to_record(g, next.expires));
    auto kept = keep_provider_tokens(c, world, g.id, std::max(next.expires, g.access_until), now);
    if (!kept) return tl::unexpected(kept.error());
    old.rotated = now;
    old.successor = seal_with(successor_key(asked.refresh_token), "refresh-successor", old.id, token.reveal(),
                              world.random);
    // As long as it would have been good: whoever still has it may come then (OAuth 2.1 §4.3.1).
    c.put.push_back(to_record(old, now, std::max(old.expires, now + world.conf.refresh_grace)));
    auto done = world.store.commit(c, now);
    if (!done) return tl::unexpected(done.error());
    if (*done) return tokens(world, key, g, std::move(*scopes), std::move(token), "refresh", now);
  }
  return fail(errc::store_busy, "the refresh token kept changing");
}

result<void> revoke_grant(const broker_world& world, const std::string& grant, time_point now) {
  if (grant.empty()) return {};
  // In this order: whoever revoked it before us erased the grant and wrote the record in one.
  auto ending = find_grant(world.store, grant, now);
  if (!ending) return tl::unexpected(ending.error());
  auto revoked = world.store.get("revoked", grant, now);
  if (!revoked) return tl::unexpected(revoked.error());
  auto until = last_token_ends(world, *ending, *revoked, now);
  record r;
  r.kind = "revoked";
  r.id = grant;
  r.created = now;
  r.expires = until;
  change c;
  c.put.push_back(std::move(r));
  c.erase.emplace_back("grant", grant);
  auto done = world.store.commit(c, now);
  if (!done) return tl::unexpected(done.error());
  if (world.on_revoked) world.on_revoked(grant, until);
  auto erased = world.store.erase_grant(grant);
  if (!erased) return tl::unexpected(erased.error());
  return {};
}

result<std::vector<std::pair<std::string, time_point>>> revoked_grants(record_store& store, time_point now) {
  auto records = store.list("revoked", now, most_revoked);
  if (!records) return tl::unexpected(records.error());
  std::vector<std::pair<std::string, time_point>> grants;
  grants.reserve(records->size());
  for (const auto& r : *records) grants.emplace_back(r.id, r.expires);
  return grants;
}

result<std::optional<refresh_facts>> look_at_refresh(const broker_world& world, std::string_view token,
                                                     time_point now) {
  auto found = find_refresh(world.store, digest_of(token), now);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return std::optional<refresh_facts>{};
  const auto& f = **found;
  auto live = is_live_grant(world, f.grant, now);
  if (!live) return tl::unexpected(live.error());
  bool active = *live && !f.rotated && f.expires > now;
  return std::optional(refresh_facts{f.grant, f.client_id, f.scopes, f.resource, active, f.expires});
}

result<bool> is_live_grant(const broker_world& world, std::string_view grant, time_point now) {
  auto found = world.store.get("grant", grant, now);
  if (!found) return tl::unexpected(found.error());
  return found->has_value();
}

}  // namespace mcp_oauth
