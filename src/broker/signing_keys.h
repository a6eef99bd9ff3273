#pragma once

#include "base/random.h"
#include "base/time.h"
#include "jose/key_set.h"
#include "jose/seal.h"
#include "store/record_store.h"

#include <memory>
#include <span>

namespace mcp_oauth {

// The keys that sign our access tokens: records of kind "signing_key", numbered, the PEM sealed. Every
// replica reads the same ones.

// Immutable; one moment's view.
struct key_state {
  std::shared_ptr<const key_set> all;  // published: those in use, those about to be, those of living tokens
  signing_key current;
};

struct key_rules {
  seconds lifetime;        // how long a key signs
  seconds token_lifetime;  // how long the last token that it signed may live, leeway included
};

// Reads the keys. Makes the first one when there is none, to be used at once; makes the next one an hour
// before the present one is as old as `lifetime`, to be published an hour before it signs: long enough for
// those who cache the set. A key stays published until its last token has expired. Of several replicas that
// find a key missing, one makes it. To be called at start, and about every ten minutes. Errors: seal_broken
// when encryption_key is another than the keys were sealed with; those of the store.
result<key_state> load_or_create_keys(record_store& store, const sealer& seal, const random_fn& random,
                                      const key_rules& rules, time_point now);

// The public parts of records of kind "signing_key". Errors: as check_opens.
result<key_set> public_parts(std::span<const record> sealed_keys, const sealer& seal);

// Whether a record of kind "signing_key" opens with that key. Errors: seal_broken, store_corrupt.
result<void> check_opens(const record& sealed_key, const sealer& seal);

}  // namespace mcp_oauth
