#pragma once

#include "library/names.h"

#include <string>
#include <utility>

MCP_OAUTH_BEGIN

// Gathers what is wrong, so that all of it is told at once.
class problem_list final {
 public:
  void add(std::string field, std::string message, std::string fix = {}) {
    found_.list.push_back({std::move(field), std::move(message), std::move(fix)});
  }
  bool empty() const { return found_.list.empty(); }
  std::size_t size() const { return found_.list.size(); }
  config_problems take() { return std::move(found_); }

 private:
  config_problems found_;
};

// "\"text\"", cut and without control characters: what was seen, in a message.
std::string in_quotes(std::string_view text);

MCP_OAUTH_END
