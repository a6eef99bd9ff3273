#pragma once

#include "base/random.h"
#include "base/secret.h"
#include "base/time.h"
#include "store/record_store.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// The built-in users: names, and passwords under Argon2id. One record of kind "user" each.

// What hashing one password takes. The default is libsodium's "interactive": 64 MiB, some 60 ms.
struct password_cost {
  unsigned long long operations = 2;
  std::size_t memory = 64 * 1024 * 1024;  // bytes
};

struct user {
  std::string name;                            // lower case: names compare without case
  std::string password_hash;                   // Argon2id in libsodium's text form, with salt and cost
  bool must_change = false;                    // the password was printed for one use
  std::optional<time_point> printed_by_start;  // by the start of a gateway, then
  std::string display_name;
  std::string email;
  std::string
      account;  // random; whoever gets the name after a removal, or a password from the operator, is another
  time_point created;
  std::uint64_t version = 0;  // of the record it was read from
};

// 1 to 64 characters of letters, digits, '.', '_', '-', '@', '+'; letters become lower case.
// Errors: parameter_malformed.
result<std::string> user_name(std::string_view text);

result<std::optional<user>> find_user(record_store& store, std::string_view name, time_point now);
// By name, at most 10,000.
result<std::vector<user>> list_users(record_store& store, time_point now);

// Creates the user, or gives an existing one a new password, and returns a one-time password to show once.
// The user has to replace it at the next sign-in. What an existing user had ends as with remove_user. Errors:
// parameter_malformed, and those of the store.
result<secret> add_user(record_store& store, std::string_view name, const random_fn& random,
                        password_cost cost, time_point now);
// False: there was none of that name. Ends the sign-ins of the user's browsers; a grant ends when it is
// refreshed next, even if the name was given to somebody else meanwhile.
result<bool> remove_user(record_store& store, std::string_view name, time_point now);

// How the first user of all signs in.
struct first_sign_in {
  std::optional<secret> password;  // to be printed now
  bool awaited = false;            // "admin" has a one-time password already, and nobody has used it
};
// For a start of a gateway. When there is no user yet: makes "admin", with a one-time password. When "admin"
// is the only one and never signed in: gives another one-time password, if it was a start that made the last,
// more than a minute ago. So of several gateways that start together one prints a password, and what `users
// reset` printed holds.
result<first_sign_in> ensure_first_user(record_store& store, const random_fn& random, password_cost cost,
                                        time_point now);

// Whether the password is the user's. Takes the same time for a user that does not exist.
// The salt of a hash comes from libsodium's own generator.
bool password_fits(const std::optional<user>& who, const secret& password, password_cost cost);

// The detail of a refused password that is the one to be replaced.
inline constexpr std::string_view same_as_before = "the same as before";

// Sets a password that the user chose: valid UTF-8 of 10 characters to 1024 bytes, and not the present one.
// Returns the user as it is now; sign-ins of other browsers end. Errors: password_unacceptable; state_invalid
// when the record changed since `who` was read.
result<user> choose_password(record_store& store, const user& who, const secret& password, password_cost cost,
                             time_point now);

}  // namespace mcp_oauth
