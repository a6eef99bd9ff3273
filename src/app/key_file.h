#pragma once

#include "base/error.h"
#include "base/secret.h"
#include "base/time.h"
#include "store/record_store.h"

#include <string>
#include <vector>

namespace mcp_oauth {

// The key of 32 bytes in that file, in base64url. An absent file is made, 0600, so that a crash leaves either
// none or a whole one and two processes agree on one; but not while the store holds keys that were sealed
// with the one that is missing. Adds to `warnings` when others may read the file. Errors: seal_broken
// (missing, and the store has sealed keys), file_unreadable, file_unwritable, store_*.
result<secret> key_from_file(const std::string& path, record_store& store, time_point now,
                             std::vector<std::string>& warnings);

// The key in that file, which has to be there; makes and changes nothing. Errors: file_unreadable.
result<secret> read_key_file(const std::string& path);

}  // namespace mcp_oauth
