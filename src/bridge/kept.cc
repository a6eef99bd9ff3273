#include "bridge/kept.h"

#include "base/base64url.h"
#include "base/json.h"
#include "base/text.h"
#include "jose/digest.h"
#include "jose/seal.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view purpose = "bridge sign-in";
constexpr std::int64_t version = 1;

json::value text(std::string_view s) { return json::string(s.data(), s.size()); }

void put(json::object& to, std::string_view name, std::string_view value) {
  if (!value.empty()) to[name] = text(value);
}

json::object written(const kept_client& c) {
  json::object o;
  put(o, "issuer", c.issuer);
  put(o, "client_id", c.client_id);
  put(o, "client_secret", c.client_secret.reveal());
  o["auth"] = static_cast<int>(c.auth);
  put(o, "redirect_uri", c.redirect_uri);
  o["registered"] = c.registered;
  o["since"] = to_unix(c.since);
  if (c.until) o["until"] = to_unix(*c.until);
  return o;
}

std::optional<kept_client> read_client(const json::object& o) {
  kept_client c;
  std::int64_t auth = 0, since = 0, until = 0;
  c.issuer = text_member(o, "issuer");
  c.client_id = text_member(o, "client_id");
  c.client_secret = secret(text_member(o, "client_secret"));
  c.redirect_uri = text_member(o, "redirect_uri");
  if (c.client_id.empty() || read(o, "auth", auth) != member::present || auth < 0 ||
      auth > static_cast<int>(bridge_client_auth::private_key_jwt) ||
      read(o, "registered", c.registered) != member::present || read(o, "since", since) != member::present) {
    return std::nullopt;
  }
  c.auth = static_cast<bridge_client_auth>(auth);
  c.since = from_unix(since);
  if (read(o, "until", until) == member::present) c.until = from_unix(until);
  return c;
}

json::object written(const kept_tokens& t) {
  json::object o;
  put(o, "issuer", t.issuer);
  put(o, "client_id", t.client_id);
  put(o, "resource", t.resource);
  put(o, "token_endpoint", t.token_endpoint);
  put(o, "revocation_endpoint", t.revocation_endpoint);
  put(o, "scope", t.scope);
  put(o, "granted", t.granted);
  put(o, "access_token", t.access_token.reveal());
  o["dpop"] = t.dpop;
  put(o, "dpop_key", t.dpop_key.reveal());
  put(o, "id_token", t.id_token.reveal());
  put(o, "refresh_token", t.refresh_token.reveal());
  o["obtained"] = to_unix(t.obtained);
  if (t.lifetime) o["lifetime"] = t.lifetime->count();
  return o;
}

std::optional<kept_tokens> read_tokens(const json::object& o) {
  kept_tokens t;
  std::int64_t obtained = 0, lifetime = 0;
  t.issuer = text_member(o, "issuer");
  t.client_id = text_member(o, "client_id");
  t.resource = text_member(o, "resource");
  t.token_endpoint = text_member(o, "token_endpoint");
  t.revocation_endpoint = text_member(o, "revocation_endpoint");
  t.scope = text_member(o, "scope");
  t.granted = text_member(o, "granted");
  t.access_token = secret(text_member(o, "access_token"));
  t.dpop_key = secret(text_member(o, "dpop_key"));
  t.id_token = secret(text_member(o, "id_token"));
  t.refresh_token = secret(text_member(o, "refresh_token"));
  if (read(o, "dpop", t.dpop) != member::present || read(o, "obtained", obtained) != member::present ||
      t.client_id.empty()) {
    return std::nullopt;
  }
  t.obtained = from_unix(obtained);
  if (read(o, "lifetime", lifetime) == member::present) t.lifetime = seconds(lifetime);
  return t;
}

}  // namespace

const kept_client* kept_sign_in::client_of(std::string_view issuer) const {
  auto found =
      std::find_if(clients.begin(), clients.end(), [&](const auto& c) { return c.issuer == issuer; });
  return found == clients.end() ? nullptr : &*found;
}

void kept_sign_in::keep(kept_client client) {
  forget_client(client.issuer);
  clients.push_back(std::move(client));
}

void kept_sign_in::forget_client(std::string_view issuer) {
  std::erase_if(clients, [&](const auto& c) { return c.issuer == issuer; });
}

std::string kept_name(const bridge_settings& settings) {
  const auto& s = settings.sign_in;
  const std::string unset = "\x01";
  std::string all;
  for (const auto& part :
       {settings.upstream.url, s.client_id, s.client_metadata_url, s.token_url, s.authorization_url,
        s.audience, s.identity_provider_url, s.scope.value_or(unset), s.resource.value_or(unset)}) {
    all += std::to_string(part.size());
    all += ':';
    all += part;
  }
  // What else says whose token it is. Named, and only where it is set, so that nothing stands for something
  // else; what may be secret as its digest.
  auto add = [&](std::string_view what, const std::string& value) {
    if (value.empty()) return;
    all += std::string(what) + ':' + std::to_string(value.size()) + ':' + value;
  };
  auto add_all = [&](std::string_view what, std::vector<std::pair<std::string, std::string>> pairs) {
    std::sort(pairs.begin(), pairs.end());
    for (const auto& [key, value] : pairs)
      add(what, std::to_string(key.size()) + ':' + key + '=' + hex_encode(sha256_bytes(value)));
  };
  add("issuer", s.issuer);
  add("assertion_file", s.assertion_file);
  add("assertion_command", s.assertion_command);
  add("identity_client_id", s.identity_client_id);
  add("identity_token_url", s.identity_token_url);
  if (!s.refresh_token.empty()) add("refresh_token", hex_encode(sha256_bytes(s.refresh_token.reveal())));
  add_all("authorize", s.authorize_params);
  add_all("extra", s.extra_params);
  std::vector<std::pair<std::string, std::string>> headers;
  for (const auto& [header, value] : settings.upstream.headers)
    headers.emplace_back(to_lower(header), value.reveal());
  add_all("header", std::move(headers));
  // Device and code are two ways to one sign-in; a machine's own is another.
  bool of_person = s.grant == bridge_grant::authorization_code || s.grant == bridge_grant::device_code;
  all += of_person ? "person" : std::to_string(static_cast<int>(s.grant));
  return hex_encode(sha256_bytes(all)).substr(0, 32);
}

std::string seal_kept(const kept_sign_in& kept, std::string_view name, std::string_view key32,
                      const std::function<std::string(std::size_t)>& random) {
  json::object o;
  o["version"] = version;
  put(o, "server", kept.server);
  put(o, "settings", kept.settings);
  json::array clients;
  for (const auto& c : kept.clients) clients.push_back(written(c));
  o["clients"] = std::move(clients);
  if (kept.tokens) o["tokens"] = written(*kept.tokens);
  auto plain = json::serialize(o);
  auto sealed = seal_with(key32, purpose, name, plain, random);
  wipe(plain.data(), plain.size());
  return sealed;
}

result<kept_sign_in> open_kept(std::string_view sealed, std::string_view name, std::string_view key32) {
  auto plain = open_with(key32, purpose, name, sealed);
  if (!plain) return tl::unexpected<error>(plain.error());
  auto o = parse_json_object(*plain);
  wipe(plain->data(), plain->size());
  auto odd = [] { return fail(errc::sign_in_cache_unusable, "written by another version of this program"); };
  std::int64_t of = 0;
  if (!o || read(*o, "version", of) != member::present || of != version) return odd();
  kept_sign_in kept;
  kept.server = text_member(*o, "server");
  kept.settings = text_member(*o, "settings");
  const auto* clients = o->if_contains("clients");
  if (clients == nullptr || !clients->is_array()) return odd();
  for (const auto& one : clients->as_array()) {
    auto client = one.is_object() ? read_client(one.as_object()) : std::nullopt;
    if (!client) return odd();
    kept.clients.push_back(std::move(*client));
  }
  if (const auto* tokens = o->if_contains("tokens")) {
    kept.tokens = tokens->is_object() ? read_tokens(tokens->as_object()) : std::nullopt;
    if (!kept.tokens) return odd();
  }
  return kept;
}

bool is_fresh(const kept_tokens& tokens, seconds skew, time_point now) {
  if (tokens.access_token.empty()) return false;
  if (!tokens.lifetime || now < tokens.obtained - seconds(60)) return true;
  auto early = std::min(skew, *tokens.lifetime / 4);
  return now < tokens.obtained + *tokens.lifetime - early;
}

bool is_alive(const kept_tokens& tokens, time_point now) { return is_fresh(tokens, seconds(0), now); }

}  // namespace mcp_oauth
