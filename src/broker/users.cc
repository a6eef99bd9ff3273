#include "broker/users.h"

#include "base/base64url.h"
#include "base/json.h"
#include "base/text.h"

#include <array>

#include <sodium.h>

namespace mcp_oauth {
namespace {

constexpr std::string_view kind = "user";
constexpr std::string_view first_user = "admin";
constexpr std::size_t shortest = 10;
constexpr std::size_t longest = 1024;
constexpr std::chrono::hours for_ever{24 * 365 * 100};
constexpr seconds starts_together{60};

result<std::string> hash_password(const secret& password, password_cost cost) {
  if (sodium_init() < 0) return fail(errc::internal, "libsodium does not start");
  std::array<char, crypto_pwhash_STRBYTES> text{};
  auto clear = password.reveal();
  if (crypto_pwhash_str(text.data(), clear.data(), clear.size(), cost.operations, cost.memory) != 0) {
    return fail(errc::internal, "no memory to hash a password");
  }
  return std::string(text.data());
}

bool hash_fits(const std::string& hash, const secret& password) {
  if (sodium_init() < 0) return false;
  auto clear = password.reveal();
  return crypto_pwhash_str_verify(hash.c_str(), clear.data(), clear.size()) == 0;
}

record to_record(const user& u) {
  json::object data{{"password_hash", u.password_hash},
                    {"must_change", u.must_change},
                    {"display_name", u.display_name},
                    {"email", u.email},
                    {"account", u.account}};
  if (u.printed_by_start) data["printed_by_start"] = to_unix(*u.printed_by_start);
  record r;
  r.kind = kind;
  r.id = u.name;
  r.user = u.name;
  r.data = json::serialize(data);
  r.created = u.created;
  r.expires = u.created + for_ever;
  return r;
}

result<user> from_record(const record& r) {
  auto data = parse_json_object(r.data);
  user u;
  if (!data || read(*data, "password_hash", u.password_hash) != member::present ||
      read(*data, "must_change", u.must_change) != member::present) {
    return fail(errc::store_corrupt, "user " + r.id);
  }
  u.name = r.id;
  u.display_name = text_member(*data, "display_name");
  u.email = text_member(*data, "email");
  u.account = text_member(*data, "account");
  std::int64_t printed = 0;
  if (read(*data, "printed_by_start", printed) == member::present) u.printed_by_start = from_unix(printed);
  u.created = r.created;
  u.version = r.version;
  return u;
}

// Four groups of four; 80 bits, and no two letters that look alike.
secret one_time_password(const random_fn& random) {
  constexpr std::string_view letters = "abcdefghijkmnpqrstuvwxyz23456789";
  static_assert(letters.size() == 32);
  auto bytes = random(16);
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i != 0 && i % 4 == 0) text += '-';
    text += letters[static_cast<unsigned char>(bytes[i]) % letters.size()];
  }
  wipe(bytes.data(), bytes.size());
  return secret(std::move(text));
}

std::size_t characters(std::string_view utf8) {
  std::size_t count = 0;
  for (char c : utf8) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

// Of the user as it was seen; store_busy if it is another one by now.
result<secret> give_password(record_store& store, const std::string& name, const std::optional<user>& seen,
                             const random_fn& random, password_cost cost, time_point now, bool by_start) {
  auto password = one_time_password(random);
  auto hash = hash_password(password, cost);
  if (!hash) return tl::unexpected(hash.error());
  user u = seen.value_or(user{});
  u.name = name;
  u.password_hash = std::move(*hash);
  u.must_change = true;
  u.printed_by_start = by_start ? std::optional(now) : std::nullopt;
  // Whoever gets a password from the operator is as good as somebody new: nothing that was begun before goes
  // on.
  u.account = base64url_encode(random(16));
  if (!seen) u.created = now;
  change c;
  c.when.push_back({std::string(kind), name, u.version});
  c.put.push_back(to_record(u));
  auto done = store.commit(c, now);
  if (!done) return tl::unexpected(done.error());
  if (!*done) return fail(errc::store_busy, "the user was changed at the same time");
  return password;
}

}  // namespace

result<std::string> user_name(std::string_view text) {
  if (text.empty() || text.size() > 64)
    return fail(errc::parameter_malformed, "a user name has 1 to 64 characters");
  auto name = to_lower(text);
  for (char c : name) {
    bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                   std::string_view("._-@+").find(c) != std::string_view::npos;
    if (!allowed)
      return fail(errc::parameter_malformed, "a user name has letters, digits and . _ - @ + only");
  }
  return name;
}

result<std::optional<user>> find_user(record_store& store, std::string_view name, time_point now) {
  auto id = user_name(name);
  if (!id) return std::optional<user>{};
  auto found = store.get(kind, *id, now);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return std::optional<user>{};
  auto u = from_record(**found);
  if (!u) return tl::unexpected(u.error());
  return std::optional<user>(std::move(*u));
}

result<std::vector<user>> list_users(record_store& store, time_point now) {
  auto records = store.list(kind, now, 10'000);
  if (!records) return tl::unexpected(records.error());
  std::vector<user> users;
  for (const auto& r : *records) {
    auto u = from_record(r);
    if (!u) return tl::unexpected(u.error());
    users.push_back(std::move(*u));
  }
  return users;
}

result<secret> add_user(record_store& store, std::string_view name, const random_fn& random,
                        password_cost cost, time_point now) {
  auto id = user_name(name);
  if (!id) return tl::unexpected(id.error());
  auto present = find_user(store, *id, now);
  if (!present) return tl::unexpected(present.error());
  return give_password(store, *id, *present, random, cost, now, false);
}

result<bool> remove_user(record_store& store, std::string_view name, time_point now) {
  auto present = find_user(store, name, now);
  if (!present) return tl::unexpected(present.error());
  if (!*present) return false;
  change c;
  c.erase.emplace_back(kind, (*present)->name);
  auto devices = store.list("device", now, 1000, (*present)->name);
  if (!devices) return tl::unexpected(devices.error());
  for (const auto& d : *devices) c.erase.emplace_back(d.kind, d.id);
  auto done = store.commit(c, now);
  if (!done) return tl::unexpected(done.error());
  return *done;
}

result<first_sign_in> ensure_first_user(record_store& store, const random_fn& random, password_cost cost,
                                        time_point now) {
  auto users = list_users(store, now);
  if (!users) return tl::unexpected(users.error());
  std::optional<user> seen;
  if (!users->empty()) {
    const auto& only = users->front();
    if (users->size() != 1 || only.name != first_user || !only.must_change) return first_sign_in{};
    // A time that lies ahead was set by a clock that has been wrong.
    bool old = only.printed_by_start && (now - *only.printed_by_start >= starts_together ||
                                         *only.printed_by_start - now >= starts_together);
    if (!old) return first_sign_in{std::nullopt, true};
    seen = only;
  }
  auto password = give_password(store, std::string(first_user), seen, random, cost, now, true);
  // Another gateway that starts at this moment was first, and prints the password.
  if (!password && password.error().code == errc::store_busy) {
    auto made = find_user(store, first_user, now);
    if (made && *made) return first_sign_in{std::nullopt, true};
  }
  if (!password) return tl::unexpected(password.error());
  return first_sign_in{std::move(*password), false};
}

bool password_fits(const std::optional<user>& who, const secret& password, password_cost cost) {
  if (password.reveal().size() > longest) return false;
  if (!who) {
    [[maybe_unused]] auto same_work = hash_password(password, cost);
    return false;
  }
  return hash_fits(who->password_hash, password);
}

result<user> choose_password(record_store& store, const user& who, const secret& password, password_cost cost,
                             time_point now) {
  auto clear = password.reveal();
  if (clear.size() > longest) return fail(errc::password_unacceptable, "longer than 1024 bytes");
  if (!is_valid_utf8(clear)) return fail(errc::password_unacceptable, "not UTF-8");
  if (characters(clear) < shortest) return fail(errc::password_unacceptable, "shorter than 10 characters");
  if (equal_ignoring_case(clear, who.name))
    return fail(errc::password_unacceptable, "the same as the user name");
  if (hash_fits(who.password_hash, password))
    return fail(errc::password_unacceptable, std::string(same_as_before));
  auto hash = hash_password(password, cost);
  if (!hash) return tl::unexpected(hash.error());
  user changed = who;
  changed.password_hash = std::move(*hash);
  changed.must_change = false;
  changed.printed_by_start.reset();
  change c;
  c.when.push_back({std::string(kind), who.name, who.version});
  c.put.push_back(to_record(changed));
  auto done = store.commit(c, now);
  if (!done) return tl::unexpected(done.error());
  if (!*done) return fail(errc::state_invalid, "the user was changed at the same time");
  return changed;
}

}  // namespace mcp_oauth
