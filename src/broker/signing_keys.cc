#include "broker/signing_keys.h"

#include "base/base64url.h"
#include "base/json.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view kind = "signing_key";
constexpr std::chrono::hours published_before_use{1};
constexpr std::chrono::hours spare{24};
constexpr std::size_t most_keys = 50;

struct stored_key {
  std::uint64_t number = 0;
  time_point use_from;
  time_point expires;
  signing_key key;
};

std::string to_id(std::uint64_t number) {
  auto digits = std::to_string(number);
  return std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits;
}

result<stored_key> from_record(const record& r, const sealer& seal) {
  auto data = parse_json_object(r.data);
  std::int64_t use_from = 0;
  if (!data || read(*data, "use_from", use_from) != member::present) {
    return fail(errc::store_corrupt, "signing key " + r.id);
  }
  auto sealed = base64url_decode(text_member(*data, "pem"));
  if (!sealed) return fail(errc::store_corrupt, "signing key " + r.id);
  auto pem = seal.open("signing-key", r.id, *sealed);
  if (!pem) return fail(errc::seal_broken, "signing key " + r.id + " was sealed with another encryption_key");
  auto key = signing_key::from_pem(secret(std::move(*pem)));
  if (!key) return tl::unexpected(key.error());
  return stored_key{std::strtoull(r.id.c_str(), nullptr, 10), from_unix(use_from), r.expires,
                    std::move(*key)};
}

result<std::vector<stored_key>> read_all(record_store& store, const sealer& seal, time_point now) {
  auto records = store.list(kind, now, most_keys);
  if (!records) return tl::unexpected(records.error());
  std::vector<stored_key> keys;
  for (const auto& r : *records) {
    auto key = from_record(r, seal);
    if (!key) return tl::unexpected(key.error());
    keys.push_back(std::move(*key));
  }
  std::sort(keys.begin(), keys.end(), [](const auto& a, const auto& b) { return a.number < b.number; });
  return keys;
}

result<void> create(record_store& store, const sealer& seal, const random_fn& random, const key_rules& rules,
                    std::uint64_t number, time_point use_from, time_point now) {
  auto key = signing_key::generate_es256();
  auto id = to_id(number);
  json::object data{{"use_from", to_unix(use_from)},
                    {"kid", key.public_part().kid()},
                    {"pem", base64url_encode(seal.seal("signing-key", id, key.to_pem().reveal(), random))}};
  record r;
  r.kind = kind;
  r.id = id;
  r.data = json::serialize(data);
  r.created = now;
  r.expires = use_from + rules.lifetime + published_before_use + spare + rules.token_lifetime;
  change c;
  c.when.push_back({std::string(kind), id, 0});
  c.put.push_back(std::move(r));
  auto done = store.commit(c, now);  // false: another replica was first, and its key serves as well
  if (!done) return tl::unexpected(done.error());
  return {};
}

// The newest key that may sign already; where none may, the first: a gateway whose clock is ahead of ours
// made it.
const stored_key* signer(const std::vector<stored_key>& keys, time_point now) {
  const stored_key* found = keys.empty() ? nullptr : &keys.front();
  for (const auto& k : keys) {
    if (k.use_from <= now) found = &k;
  }
  return found;
}

}  // namespace

result<key_state> load_or_create_keys(record_store& store, const sealer& seal, const random_fn& random,
                                      const key_rules& rules, time_point now) {
  auto keys = read_all(store, seal, now);
  if (!keys) return tl::unexpected(keys.error());

  std::optional<time_point> next_from;
  const auto* present = signer(*keys, now);
  if (present == nullptr || present->expires <= now + published_before_use + rules.token_lifetime) {
    next_from = now;
  } else if (keys->back().use_from + rules.lifetime <= now + published_before_use) {
    next_from = now + published_before_use;
  }
  if (next_from) {
    auto made =
        create(store, seal, random, rules, keys->empty() ? 1 : keys->back().number + 1, *next_from, now);
    if (!made) return tl::unexpected(made.error());
    keys = read_all(store, seal, now);
    if (!keys) return tl::unexpected(keys.error());
    present = signer(*keys, now);
    if (present == nullptr) return fail(errc::store_corrupt, "no signing key");
  }

  std::vector<public_key> published;
  for (const auto& k : *keys) published.push_back(k.key.public_part());
  return key_state{std::make_shared<const key_set>(key_set::of(std::move(published))), present->key};
}

result<key_set> public_parts(std::span<const record> sealed_keys, const sealer& seal) {
  std::vector<public_key> published;
  for (const auto& r : sealed_keys) {
    auto key = from_record(r, seal);
    if (!key) return tl::unexpected(key.error());
    published.push_back(key->key.public_part());
  }
  return key_set::of(std::move(published));
}

result<void> check_opens(const record& sealed_key, const sealer& seal) {
  auto key = from_record(sealed_key, seal);
  if (!key) return tl::unexpected(key.error());
  return {};
}

}  // namespace mcp_oauth
