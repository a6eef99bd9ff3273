#pragma once

#include "base/json.h"
#include "doctor/examination.h"

#include <string>
#include <vector>

namespace mcp_oauth {

// One change in one file: a line, or its mode.
struct file_change {
  proposed_change::kind what = proposed_change::kind::value;
  std::string file;
  std::size_t line = 0;  // from 1; of a value
  std::string before, after;
  bool made = false;
  std::string failure;  // why it could not be made
};

// What the findings propose, where it can be said exactly: a value that stands in one line of the file, alone
// behind its key. Everything else remains a command for people. Changes nothing.
std::vector<file_change> changes_of(const examination& made);

// Makes them: the file as a whole, or as it was.
void make_changes(std::vector<file_change>& changes);

// As a diff.
std::string to_text(const std::vector<file_change>& changes, bool yes);
json::array to_json(const std::vector<file_change>& changes);

}  // namespace mcp_oauth
