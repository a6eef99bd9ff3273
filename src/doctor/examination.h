#pragma once

#include "base/error.h"

#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {

// What an examination of a deployment found, as a value. None of it holds a secret or the query of a URL.

enum class severity { failure, warning, unknown, ok };

// What would put a thing right in a file of ours.
struct proposed_change {
  enum class kind { value, mode };
  kind what = kind::value;
  std::string file;
  std::string from, to;  // of a value: as it is written in the file, and as it should be
};

struct doctor_finding {
  std::string check;         // stable: "tls.certificate"
  std::optional<errc> code;  // nothing: all is well
  severity level = severity::ok;
  bool certain = true;   // the evidence leaves no other cause
  bool decides = false;  // of an unknown: without it nothing can be said of the whole
  std::string title;
  std::string seen, expected;
  std::string cause, fix;  // of the catalogue, unless the check knows better
  std::string verify;      // a command
  std::string where;       // a URL, a file or a setting
  std::optional<proposed_change> change;
};

// Whether one known client would get in.
struct client_outlook {
  std::string name, title;
  std::optional<bool> gets_through;
  std::string stops_at;  // "" where it does not stop
  std::optional<errc> code;
  std::string why;
};

enum class examination_verdict { ok, warning, failed, unknown };

struct examination {
  std::string target;
  std::vector<doctor_finding> findings;  // what must be put right first comes first
  std::vector<client_outlook> clients;
  bool reached = true;  // anything at all

  // What must be put right first; nothing where all is well.
  const doctor_finding* first() const;
  examination_verdict verdict() const;
};

}  // namespace mcp_oauth
