#include "broker/client_directory.h"

#include "base/json.h"
#include "oauth/client_authentication.h"
#include "oauth/client_document.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::chrono::hours away_at_most{24};
constexpr std::chrono::minutes asked_again_after{1};
constexpr std::string_view kind = "client";
constexpr std::string_view unused_kind = "unused_client";
constexpr std::chrono::hours until_next_use{24 * 90};
constexpr std::chrono::hours renewed_when_less_than{24 * 80};
constexpr std::size_t most_documents = 1000;
constexpr std::size_t most_document_bytes = 64 * 1024;

json::array to_array(const std::vector<std::string>& items) {
  json::array out;
  for (const auto& i : items) out.emplace_back(json::string_view(i.data(), i.size()));
  return out;
}

record unused_record(const client_metadata& m, std::string_view secret_digest, time_point created,
                     time_point expires) {
  json::object data{{"client_name", m.client_name},
                    {"client_uri", m.client_uri},
                    {"redirect_uris", to_array(m.redirect_uris)},
                    {"grant_types", to_array(m.grant_types)},
                    {"response_types", to_array(m.response_types)},
                    {"token_endpoint_auth_method", m.token_endpoint_auth_method},
                    {"scope", m.scope},
                    {"application_type", m.application_type},
                    {"software_id", m.software_id},
                    {"software_version", m.software_version}};
  data["secret_digest"] = json::string_view(secret_digest.data(), secret_digest.size());
  record r;
  r.kind = unused_kind;
  r.id = m.client_id;
  r.data = json::serialize(data);
  r.created = created;
  r.expires = expires;
  return r;
}

result<known_client> from_record(const record& r) {
  auto data = parse_json_object(r.data);
  known_client c;
  auto& m = c.metadata;
  if (!data || read(*data, "redirect_uris", m.redirect_uris) != member::present ||
      read(*data, "grant_types", m.grant_types) != member::present ||
      read(*data, "response_types", m.response_types) != member::present) {
    return fail(errc::store_corrupt, "client " + r.id);
  }
  m.client_id = r.id;
  m.client_name = text_member(*data, "client_name");
  m.client_uri = text_member(*data, "client_uri");
  m.token_endpoint_auth_method = text_member(*data, "token_endpoint_auth_method");
  m.scope = text_member(*data, "scope");
  m.application_type = text_member(*data, "application_type");
  m.software_id = text_member(*data, "software_id");
  m.software_version = text_member(*data, "software_version");
  c.secret_digest = text_member(*data, "secret_digest");
  c.origin = client_origin::registered;
  return c;
}

known_client from_settings(const client_settings& s) {
  known_client c;
  auto& m = c.metadata;
  m.client_id = s.client_id;
  m.client_name = s.client_name.empty() ? s.client_id : s.client_name;
  m.redirect_uris = s.redirect_uris;
  m.grant_types = {"authorization_code", "refresh_token"};
  m.response_types = {"code"};
  m.token_endpoint_auth_method = s.client_secret.empty() ? "none" : "client_secret_basic";
  if (!s.client_secret.empty()) c.secret_digest = client_secret_digest(s.client_secret);
  c.origin = client_origin::configured;
  c.scopes = s.scopes;
  return c;
}

known_client from_document(client_metadata metadata) {
  known_client c;
  c.metadata = std::move(metadata);
  c.origin = client_origin::document;
  return c;
}

}  // namespace

std::optional<record_name> client_directory::record_of(std::string_view client_id) const {
  const auto& configured = world_.conf.clients;
  bool registered = !is_client_document_id(client_id) &&
                    std::none_of(configured.begin(), configured.end(),
                                 [&](const client_settings& s) { return s.client_id == client_id; });
  if (!registered) return std::nullopt;
  return record_name{std::string(kind), std::string(client_id)};
}

result<std::optional<known_client>> client_directory::find(std::string_view client_id, time_point now,
                                                           record_store& store) {
  for (const auto& s : world_.conf.clients) {
    if (s.client_id == client_id) return std::optional(from_settings(s));
  }
  if (is_client_document_id(client_id)) {
    if (!world_.conf.registration.client_documents) {
      return fail(errc::client_unknown, "client id metadata documents are turned off");
    }
    auto where = client_document_url(client_id);
    if (!where) return tl::unexpected(where.error());
    std::lock_guard lock(mutex_);
    auto kept = documents_.find(client_id);
    if (kept == documents_.end() || kept->second->until <= now) return std::optional<known_client>{};
    recent_.splice(recent_.begin(), recent_, kept->second);
    return std::optional(from_document(recent_.front().metadata));
  }
  auto found = store.get(kind, client_id, now);
  if (found && !*found) found = store.get(unused_kind, client_id, now);
  // Its first use may have moved it between the two.
  if (found && !*found) found = store.get(kind, client_id, now);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return fail(errc::client_unknown, "no registration of that client id, or it ended unused");
  auto client = from_record(**found);
  if (!client) return tl::unexpected(client.error());
  client->renewal_due = (*found)->kind == unused_kind || (*found)->expires <= now + renewed_when_less_than;
  return std::optional(std::move(*client));
}

http_call client_directory::document_request(std::string_view client_id) {
  http_call call;
  call.url = client_id;
  call.fields.add("Accept", "application/json");
  return call;
}

fetch_rules client_directory::document_rules() const {
  fetch_rules rules;
  rules.allowed = world_.conf.registration.client_documents_from_private_addresses ? addresses::any
                                                                                   : addresses::public_only;
  rules.most_bytes = most_document_bytes;
  return rules;
}

result<known_client> client_directory::keep_document(std::string_view client_id,
                                                     const result<http_answer>& answer, time_point now) {
  bool is_away =
      answer ? answer->status >= 500 || answer->status == 429 : answer.error().code != errc::address_refused;
  if (is_away) {
    if (auto known = last_good(client_id, now)) return *known;
  }
  if (!answer) {
    auto code = answer.error().code == errc::address_refused ? errc::client_document_refused
                                                             : errc::client_document_unreachable;
    return fail(code, answer.error().detail);
  }
  auto metadata = parse_client_document(client_id, *answer, most_document_bytes);
  if (!metadata) return tl::unexpected(metadata.error());
  auto until = now + client_document_lifetime(*answer);
  std::lock_guard lock(mutex_);
  if (auto old = documents_.find(client_id); old != documents_.end()) {
    auto place = old->second;
    documents_.erase(old);
    recent_.erase(place);
  } else if (recent_.size() == most_documents) {
    documents_.erase(recent_.back().client_id);
    recent_.pop_back();
  }
  recent_.push_front({std::string(client_id), *metadata, until, until + away_at_most});
  documents_.emplace(recent_.front().client_id, recent_.begin());
  return from_document(std::move(*metadata));
}

std::optional<known_client> client_directory::last_good(std::string_view client_id, time_point now) {
  std::lock_guard lock(mutex_);
  auto kept = documents_.find(client_id);
  if (kept == documents_.end() || kept->second->good_until <= now) return std::nullopt;
  kept->second->until = std::min(now + asked_again_after, kept->second->good_until);
  return from_document(kept->second->metadata);
}

result<void> client_directory::add(const registered_client& registered, time_point now) {
  auto room = make_room(now);
  if (!room) return room;
  auto digest = registered.client_secret.empty() ? "" : client_secret_digest(registered.client_secret);
  change c;
  c.when.push_back({std::string(unused_kind), registered.client.client_id, 0});
  c.put.push_back(
      unused_record(registered.client, digest, now, now + world_.conf.registration.unused_lifetime));
  auto done = world_.store.commit(c, now);
  if (!done) return tl::unexpected(done.error());
  if (!*done) return fail(errc::internal, "a fresh client id is already taken");
  return {};
}

// Some at a time: to look for the oldest costs as much as there are.
result<void> client_directory::make_room(time_point now) {
  std::uint64_t most = world_.conf.registration.most_unused;
  if (most == 0) return {};
  auto there = world_.store.count(unused_kind, now);
  if (!there) return tl::unexpected(there.error());
  if (*there < most) return {};
  auto newest_first = world_.store.list(unused_kind, now, *there);
  if (!newest_first) return tl::unexpected(newest_first.error());
  change c;
  for (std::size_t i = most - most / 16 - 1; i < newest_first->size(); ++i)
    c.erase.emplace_back(unused_kind, (*newest_first)[i].id);
  auto done = world_.store.commit(c, now);
  if (!done) return tl::unexpected(done.error());
  return {};
}

void client_directory::renew(std::string_view client_id, time_point now) {
  auto found = world_.store.get(kind, client_id, now);
  if (!found || (*found && (*found)->expires > now + renewed_when_less_than)) return;
  change c;
  if (!*found) {
    // Its first use. Whether it is still there by then does not matter: it was when it was read.
    found = world_.store.get(unused_kind, client_id, now);
    if (!found || !*found) return;
    c.erase.emplace_back(unused_kind, client_id);
    (*found)->version = 0;
  }
  auto r = **found;
  r.kind = kind;
  r.expires = now + until_next_use;
  c.when.push_back({r.kind, r.id, r.version});
  c.put.push_back(std::move(r));
  // Lost against another request, or against the disk: the next use renews it.
  [[maybe_unused]] auto done = world_.store.commit(c, now);
}

std::vector<std::string> scopes_for(const settings& conf, const known_client& client) {
  if (client.scopes.empty()) return conf.scopes_supported;
  std::vector<std::string> both;
  for (const auto& s : conf.scopes_supported) {
    if (std::find(client.scopes.begin(), client.scopes.end(), s) != client.scopes.end()) both.push_back(s);
  }
  return both;
}

server_rules client_directory::rules_for(const known_client& client) const {
  const auto& conf = world_.conf;
  server_rules rules;
  rules.issuer = conf.public_url;
  for (const auto& u : conf.upstreams) {
    if (u.require_auth) rules.resources.push_back(u.resource);
  }
  rules.scopes_supported = scopes_for(conf, client);
  rules.default_scopes = rules.scopes_supported;
  rules.private_use_schemes = conf.registration.private_use_schemes;
  if (client.origin == client_origin::configured) {
    for (const auto& uri : client.metadata.redirect_uris)
      rules.private_use_schemes.push_back(uri.substr(0, uri.find(':')));
  }
  return rules;
}

}  // namespace mcp_oauth
